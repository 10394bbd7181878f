"""Asking again: when it continues, and when it ends."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from streams.kafka.retry import insist, until


def answers(*given: object) -> Callable[[], Awaitable[object]]:
    """Give these one after the other, the last one again and again; raise those that are errors."""
    left = list(given)

    async def ask() -> object:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return ask


async def test_it_asks_again_after_the_errors_it_is_told_of_and_does_something_between() -> None:
    done: list[str] = []

    async def between() -> None:
        done.append("between")

    assert await insist(answers(OSError(), OSError(), 7), OSError, pause=0, between=between) == 7
    assert done == ["between", "between"]


async def test_any_other_error_is_raised_at_once() -> None:
    with pytest.raises(KeyError):
        await insist(answers(KeyError(), 7), OSError, pause=0)
    with pytest.raises(OSError, match="gone"):
        await insist(answers(OSError("gone"), 7), OSError, pause=0, passes=lambda error: "gone" not in str(error))


async def test_the_last_error_is_raised_after_the_attempts_or_the_time() -> None:
    with pytest.raises(OSError, match="second"):
        await insist(answers(OSError("first"), OSError("second"), 7), OSError, pause=0, times=2)
    with pytest.raises(OSError, match="always"):
        await insist(answers(OSError("always")), OSError, pause=0.001, within=0.01)


async def test_it_looks_until_what_it_sees_is_true_or_it_has_looked_often_enough() -> None:
    assert await until(answers(0, 0, 7), pause=0) == 7
    assert await until(answers(0, 0, 7), pause=0, times=2) == 0


async def test_a_look_that_hangs_is_cut_off() -> None:
    async def hang() -> bool:
        await asyncio.sleep(60)
        return True

    with pytest.raises(TimeoutError):
        await until(hang, pause=0, within=0.01)
