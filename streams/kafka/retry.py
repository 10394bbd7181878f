"""How to ask a cluster again: the one loop for all that must wait until it answers, or until it knows what was just written.

Nothing backs off: each caller is one process that asks a few times a second, and stops soon.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")
Errors = type[Exception] | tuple[type[Exception], ...]


def _any_error(_: Any) -> bool:  # noqa: ANN401 - an error of any class
    return True


async def insist(
    ask: Callable[[], Awaitable[T]],
    on: Errors,
    *,
    pause: float,
    within: float = math.inf,
    times: float = math.inf,
    passes: Callable[[Any], bool] = _any_error,
    between: Callable[[], Awaitable[object]] | None = None,
) -> T:
    """Ask until an answer comes, `pause` seconds apart, with a call of `between` before each repetition.

    Only errors of the classes `on` that `passes` takes for passing ones lead to another attempt. The last error is raised when the first
    attempt is more than `within` seconds back, or after `times` attempts. A running attempt is never cut off.
    """
    now = asyncio.get_running_loop().time
    end, attempts = now() + within, 0
    while True:
        attempts += 1
        try:
            return await ask()
        except on as error:
            if attempts >= times or now() > end or not passes(error):
                raise
        await asyncio.sleep(pause)
        if between is not None:
            await between()


async def until(look: Callable[[], Awaitable[T]], *, pause: float, within: float = math.inf, times: float = math.inf) -> T:
    """Look until what is seen is true, `pause` seconds apart, and return it.

    Raises `TimeoutError` after `within` seconds, also in the middle of a look. After `times` looks it returns what is seen then.
    """
    async with asyncio.timeout(None if within == math.inf else within):
        looks = 1
        while not (seen := await look()) and looks < times:
            await asyncio.sleep(pause)
            looks += 1
        return seen
