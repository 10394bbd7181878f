"""After an erase no byte of the user is in the state, and the user's later records are decided as those of a new user."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.property.test_laws import USERS, tell
from triggers.base.model import CONTROL_HEADER, LogRecord
from triggers.engine.partition import Partition
from triggers.records.user_commands import user_command, user_command_record
from triggers.state.table import Table
from triggers.testing import Story, documents, run


def folded(story: Story, log: list[LogRecord]) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    partition = Partition(story.place, Table(), story.library)
    run(partition, log)
    states = partition.table.states()
    return documents(partition.take().decisions), states


@pytest.mark.timeout(600)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32), st.floats(0, 1), st.sampled_from(USERS))
def test_a_user_who_was_erased_is_a_new_user(seed: int, place: float, user: str) -> None:
    story = tell(seed)
    own = [index for index, record in enumerate(story.log) if record.key == user.encode() and not record.headers]
    if not own:
        return
    cut = own[min(int(place * len(own)), len(own) - 1)]
    replaced = story.log[cut]
    erase = user_command_record(replaced.offset, replaced.timestamp, user_command("erase", user, "x", replaced.timestamp))
    log = [*story.log[:cut], erase, *story.log[cut + 1 :]]
    until = folded(story, log[: cut + 1])
    assert user not in until[1]
    without = [record for record in log if record.key != user.encode() or record.offset > erase.offset]
    assert all(record.key is None for record in without if any(name == CONTROL_HEADER for name, _ in record.headers))
    decisions, states = folded(story, log)
    expected, new_states = folded(story, without)
    later = [one for one in decisions if one["user"] == user and one["cause"]["offset"] > erase.offset]
    assert later == [one for one in expected if one["user"] == user]
    assert states == new_states
    others = [one for one in decisions if one["user"] != user]
    assert others == [one for one in expected if one["user"] != user]
