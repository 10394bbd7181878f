"""When a worker leaves the group for an upgrade."""

import asyncio
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from streams.commands import terms as log_terms
from streams.commands.history import Entry
from streams.settings import Settings
from streams.worker import going_over
from streams.worker.going_over import GoingOver
from triggers.records.messages import Command, Terms

SETTINGS = Settings(app="a")
MINE = log_terms.own(SETTINGS)
OTHER = msgspec.structs.replace(MINE, tzdata="1999a")


class Ownership(list[Any]):
    ready = True


async def leaves(monkeypatch: pytest.MonkeyPatch, terms: Terms, *handed_over: bool) -> bool:
    """Whether a worker with partitions like these leaves, while the last upgrade of the log is to `terms`."""
    monkeypatch.setattr(going_over, "EVERY", 0.002)
    command = Command(kind="upgrade", seq=5, previous=4, terms=terms)
    shelf: Any = SimpleNamespace(upgrade=Entry(command=command, topic_id="t", offsets=[], at=0, by="x", was=OTHER))
    ownership: Any = Ownership(SimpleNamespace(is_handed_over=one) for one in handed_over)
    told: list[str] = []
    leaving = asyncio.create_task(GoingOver(SETTINGS, shelf).leave(ownership, told.append))
    await asyncio.wait([leaving], timeout=0.2)
    leaving.cancel()
    return bool(told)


async def test_it_leaves_when_all_its_partitions_are_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not await leaves(monkeypatch, OTHER, True, False)
    assert await leaves(monkeypatch, OTHER, True, True)


async def test_it_leaves_what_it_handed_over_although_a_second_upgrade_brings_its_terms_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it holds the partitions for good, and the workers of the first upgrade cannot hand them over."""
    assert await leaves(monkeypatch, MINE, True, True)
    assert not await leaves(monkeypatch, MINE, False)
    assert not await leaves(monkeypatch, MINE)
