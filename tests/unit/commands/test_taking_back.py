"""The commands that a rebase from a copy takes back, and when it takes back none."""

from pathlib import Path

import msgspec
import pytest

from streams.commands import taking_back
from streams.commands.history import Entry, History
from streams.commands.rebase import Refused
from streams.commands.snapshot import Header
from streams.commands.taking_back import Back, _undone
from streams.settings import Settings
from triggers.records.control import Kind
from triggers.records.messages import Command, Terms
from triggers.state.position import Position

TERMS = Terms(engine=2, tzdata="2026f", foreign_keys=False)


def history(*kinds: Kind) -> History:
    commands = [Command(kind=kind, seq=seq, previous=seq - 1) for seq, kind in enumerate(kinds, 1)]
    return History(entries={one.seq: Entry(command=one, topic_id="t", offsets=[], at=0, by="x") for one in commands})


def header_at(seq: int) -> Header:
    return Header(app="shop", cluster="c", topic_id="t", changelog_id="l", partitions=1, seq=seq, terms=TERMS, at=0, by="x")


def undone(past: History, seq: int) -> list[int]:
    return [entry.command.seq for entry in _undone(past, header_at(seq))]


def test_the_upgrade_of_the_copy_and_all_later_commands_are_taken_back() -> None:
    past = history("apply", "go-live", "upgrade", "pause", "upgrade")
    assert undone(past, 2) == [3, 4, 5]
    assert undone(past, 4) == [5]


def test_a_copy_of_an_upgrade_that_was_refused_takes_back_the_one_that_was_written() -> None:
    """Else the states would go back, and the upgrade would still hold."""
    assert undone(history("apply", "go-live", "upgrade", "pause"), 1) == [3, 4]


def test_a_copy_whose_upgrade_was_never_written_takes_nothing_back() -> None:
    assert undone(history("apply", "upgrade", "pause", "go-live"), 2) == []
    assert undone(history("apply"), 1) == []


@pytest.mark.parametrize("found", [None, {"epoch": 2}, {"offset": 90}, {"engine": 3}])
async def test_the_upgrade_holds_if_a_worker_has_opened_a_restored_partition(
    monkeypatch: pytest.MonkeyPatch, found: dict[str, int] | None
) -> None:
    """Its supervisor has started it. Without the upgrade no release could continue with what it has saved."""
    restored = Position(offset=70, epoch=1, engine=2)
    saved, written = [restored], []

    async def one(*_: object) -> tuple[int, int]:
        return 5, 1

    async def last(*_: object) -> Position:
        return saved[0]

    async def undo(*_: object) -> None:
        written.append(True)

    for name, stand_in in (("_one", one), ("last_position", last), ("_undo", undo)):
        monkeypatch.setattr(taking_back, name, stand_in)

    async def no_history(_settings: Settings) -> History:
        return history()

    monkeypatch.setattr("streams.commands.history.read", no_history)
    planned = Back(Path("copy"), header_at(2), {0: msgspec.to_builtins(msgspec.structs.replace(restored, epoch=0))}, (), 0)
    if found is None:
        await taking_back.take_back(Settings(), planned, force=True)
        assert written
        return
    saved[0] = msgspec.structs.replace(restored, **found)
    with pytest.raises(Refused, match="partition 0: a worker has opened it since it was restored"):
        await taking_back.take_back(Settings(), planned, force=True)
    assert not written
