"""After an erase no byte of the user is in the state, and the user's later records are decided as those of a new user."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st

from tests.property.programmes import LOGS
from tests.property.some_logs import USERS
from tests.property.test_laws import Saved, crooked, each_kind_of_log, holds, seeds
from triggers.base.model import NEVER, LogRecord
from triggers.engine.partition import Partition
from triggers.records.control import TICK
from triggers.records.user_commands import user_command, user_command_record
from triggers.state.encoding import decode
from triggers.state.position import POSITION_KEY, Position
from triggers.state.table import Table
from triggers.testing import Story, documents, run


def with_erase(story: Story, place: float, user: str) -> tuple[list[LogRecord], int] | None:
    """Return the log with an erase in place of one of the user's own records, and its index. None: the user has no record."""
    own = [index for index, record in enumerate(story.log) if record.key == user.encode() and not record.headers]
    if not own:
        return None
    cut = own[min(int(place * len(own)), len(own) - 1)]
    replaced = story.log[cut]
    erase = user_command_record(replaced.offset, replaced.timestamp, user_command("erase", user, "x", replaced.timestamp))
    return [*story.log[:cut], erase, *story.log[cut + 1 :]], cut


def folded(story: Story, log: list[LogRecord]) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    partition = Partition(story.place, Table(), story.library)
    run(partition, log)
    states = partition.table.states()
    return documents(partition.take().decisions), states


def check_suppression(data: bytes) -> None:
    """Raises AssertionError if a state says anything but that the user is suppressed."""
    user = decode(data)
    assert user.sections.keys() == {"suppressed"}
    assert (user.offset, user.due) == (-1, NEVER)


@pytest.mark.timeout(600)
@each_kind_of_log
def test_a_user_who_was_erased_is_a_new_user(kind: str) -> None:
    """Only a suppression stays."""

    def law(seed: int, place: float, user: str) -> None:
        story = LOGS[kind](seed)
        found = with_erase(story, place, user)
        if found is None:
            return
        log, cut = found
        until = folded(story, log[: cut + 1])[1]
        if user in until:
            check_suppression(until[user])
        key = user.encode()
        kept = [r for r in log[:cut] if r.key != key or (user in until and r.headers and b"suppress" in (r.value or b""))]
        decisions, states = folded(story, log)
        expected, new_states = folded(story, kept + log[cut + 1 :])
        later = [one for one in decisions if one["user"] != user or one["cause"]["offset"] > log[cut].offset]
        assert later == [one for one in expected if one["user"] != user or one["cause"]["offset"] > log[cut].offset]
        if user in until:  # the id of the command that has suppressed the user is forgotten
            suppressed, new = decode(states.pop(user)), decode(new_states.pop(user))
            assert {**suppressed.sections, "seen": b""} == {**new.sections, "seen": b""}
        assert states == new_states

    holds(law, kind, seeds, st.floats(0, 1), st.sampled_from(USERS[:6]))


class Watched(Saved):
    """What a broker holds; after an erase it must hold nothing of that user."""

    def __init__(self, user: str, offset: int) -> None:
        super().__init__()
        self.user = user
        self.offset = offset

    def checkpoint(self, partition: Partition, meanwhile: Callable[[], object] = lambda: None) -> None:
        super().checkpoint(partition, meanwhile)
        self.check()

    def check(self) -> None:
        if Position.decode(self.changelog[POSITION_KEY]).offset < self.offset:
            return
        data = self.states().get(self.user)
        if data is not None:
            check_suppression(data)
        for state in self.changelog.values():
            assert f"of {self.user}".encode() not in state  # as in all of the user's texts


@each_kind_of_log
def test_nothing_of_a_user_is_saved_again_after_an_erase(kind: str) -> None:
    """However the log is cut, and whatever becomes due later, until the user's next record."""

    def law(seed: int, place: float, user: str, how: int) -> None:
        story = LOGS[kind](seed)
        found = with_erase(story, place, user)
        if found is None:
            return
        log, cut = found
        key = user.encode()
        later = [record._replace(key=None, value=b"", headers=TICK) if record.key == key else record for record in log[cut + 1 :]]
        story.log = log[: cut + 1] + later
        crooked(story, how, crashes=True, saved=Watched(user, log[cut].offset))

    holds(law, kind, seeds, st.floats(0, 1), st.sampled_from(USERS[:6]), seeds)
