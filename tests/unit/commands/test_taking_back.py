"""The commands that a rebase from a copy takes back."""

from streams.commands.history import Entry, History
from streams.commands.snapshot import Header
from streams.commands.taking_back import _undone
from triggers.records.control import Kind
from triggers.records.messages import Command, Terms

TERMS = Terms(engine=2, tzdata="2026f", foreign_keys=False)


def history(*kinds: Kind) -> History:
    commands = [Command(kind=kind, seq=seq, previous=seq - 1) for seq, kind in enumerate(kinds, 1)]
    return History(entries={one.seq: Entry(command=one, topic_id="t", offsets=[], at=0, by="x") for one in commands})


def undone(past: History, seq: int) -> list[int]:
    header = Header(app="shop", cluster="c", topic_id="t", changelog_id="l", partitions=1, seq=seq, terms=TERMS, at=0, by="x")
    return [entry.command.seq for entry in _undone(past, header)]


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
