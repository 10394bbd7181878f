"""The choice of a worker before it joins the group, in each state of an upgrade."""

from dataclasses import dataclass, field

import msgspec
import pytest

from streams.commands.history import Entry
from streams.commands.terms import State, Verdict, advise, was_left
from streams.commands.write import Refused, _check_engine
from triggers.base.model import ENGINE
from triggers.records.messages import Command, Terms
from triggers.state.old import go_over
from triggers.state.position import Position

ONE = Terms(engine=1, tzdata="2025b", foreign_keys=False)
OLD = Terms(engine=ENGINE, tzdata="2026f", foreign_keys=False)
NEW = Terms(engine=ENGINE + 1, tzdata="2026f", foreign_keys=False)
ZONES = Terms(engine=ENGINE, tzdata="2027a", foreign_keys=False)


def position(terms: Terms, offset: int, handed_to: Terms | None = None) -> Position:
    return Position(
        engine=terms.engine, tzdata=terms.tzdata, foreign_keys=terms.foreign_keys, offset=offset, handed_to=handed_to, topic_id="t"
    )


def upgrade(was: Terms, terms: Terms, saved: list[int] | None = None, seq: int = 7) -> Entry:
    command = Command(kind="upgrade", seq=seq, previous=seq - 1, engine=terms.engine, terms=terms)
    return Entry(command=command, topic_id="t", offsets=[100, 200], at=0, by="x", was=was, saved=saved or [90, 190])


@dataclass
class Log:
    """Two partitions, which hand over one after the other."""

    first: Position = field(default_factory=lambda: position(OLD, 90))
    second: Position = field(default_factory=lambda: position(OLD, 190))
    upgrade: Entry | None = None

    @property
    def state(self) -> State:
        return State({0: self.first, 1: self.second}, self.upgrade)


def test_without_an_upgrade_only_who_has_the_terms_of_the_positions_works() -> None:
    log = Log()
    assert advise(OLD, log.state, 3).verdict is Verdict.JOIN
    for mine in (NEW, ZONES, msgspec.structs.replace(OLD, foreign_keys=True)):
        verdict, why = advise(mine, log.state, 3)
        assert verdict is Verdict.REFUSE
        assert str(mine) in why
        assert str(OLD) in why
        assert "`cueline upgrade`" in why
    verdict, why = advise(ONE, log.state, 0)
    assert "Start the newer release" in why


def test_a_new_installation_begins_under_the_terms_of_the_first_worker() -> None:
    assert advise(NEW, State({}), 0).verdict is Verdict.JOIN
    verdict, why = advise(NEW, State({}, is_of_engine_1=True), 0)
    assert verdict is Verdict.REFUSE, "its first command says that it is engine 1's, though no worker has saved anything"
    assert "engine 1" in why


def test_new_workers_wait_until_all_partitions_are_handed_over_and_old_ones_work_until_then() -> None:
    log = Log(upgrade=upgrade(OLD, NEW))
    verdict, why = advise(NEW, log.state, 2)
    assert verdict is Verdict.WAIT
    assert "partitions 0, 1 not handed over yet (partition 0 is at offset 90, 10 before the upgrade); 2 workers are handing over" in why
    log.first = position(OLD, 100, NEW)
    verdict, why = advise(NEW, log.state, 0)
    assert verdict is Verdict.WAIT
    assert "partition 1 not handed over yet (partition 1 is at offset 190, 10 before the upgrade)" in why
    assert f"no worker is handing over: start one of the release with {OLD}" in why
    assert advise(OLD, log.state, 0).verdict is Verdict.JOIN
    assert advise(OLD, log.state, 1).verdict is Verdict.WAIT, "one partition is left, and one worker has it"
    log.second = position(OLD, 200, NEW)
    assert advise(NEW, log.state, 2).verdict is Verdict.JOIN
    assert advise(OLD, log.state, 2).verdict is Verdict.LEAVE
    go_over(log.first, NEW)
    assert advise(NEW, log.state, 1).verdict is Verdict.JOIN
    assert advise(OLD, log.state, 1).verdict is Verdict.LEAVE
    assert advise(ZONES, log.state, 1).verdict is Verdict.REFUSE


def test_time_zone_data_and_foreign_keys_go_over_as_an_engine_does() -> None:
    log = Log(upgrade=upgrade(OLD, ZONES))
    assert advise(ZONES, log.state, 1).verdict is Verdict.WAIT
    log.first, log.second = position(OLD, 100, ZONES), position(ZONES, 205)
    assert advise(ZONES, log.state, 1).verdict is Verdict.JOIN
    assert advise(OLD, log.state, 1).verdict is Verdict.LEAVE


def test_partitions_of_engine_1_are_handed_over_where_they_were_left() -> None:
    log = Log(position(ONE, 90), position(ONE, 190), upgrade(ONE, OLD))
    assert advise(OLD, log.state, 0).verdict is Verdict.JOIN
    assert log.upgrade is not None
    assert was_left(log.upgrade, 0, log.first)
    log.second = position(ONE, 191)
    verdict, why = advise(OLD, log.state, 0)
    assert verdict is Verdict.REFUSE
    assert "release 0.1.0 has folded partition 1 since the upgrade (command 7)" in why
    assert "cueline rebase --from FILE" in why


@pytest.mark.parametrize(("topic", "partition", "offset"), [("another", 0, 90), ("t", 2, 90), ("t", 0, 91)])
def test_another_place_than_that_of_the_upgrade_was_not_left(topic: str, partition: int, offset: int) -> None:
    found = position(ONE, offset)
    found.topic_id = topic
    assert not was_left(upgrade(ONE, OLD), partition, found)


def test_terms_that_come_back_are_not_taken_for_those_of_before() -> None:
    """Partition 0 was handed over, and no worker continued there: only workers under the terms in between may."""
    log = Log(position(OLD, 100, ZONES), position(OLD, 260), upgrade(ZONES, OLD, seq=9))
    assert log.state.not_handed_over == [0]
    assert advise(OLD, log.state, 1).verdict is Verdict.WAIT
    assert advise(ZONES, log.state, 0).verdict is Verdict.JOIN


def test_a_second_upgrade_is_what_counts() -> None:
    log = Log(position(OLD, 100, NEW), position(NEW, 250), upgrade(NEW, ZONES, seq=9))
    assert log.state.in_force == ZONES
    assert log.state.not_handed_over == [0, 1]
    assert advise(NEW, log.state, 0).verdict is Verdict.JOIN
    assert advise(OLD, log.state, 0).verdict is Verdict.REFUSE


@pytest.mark.parametrize(("terms", "remedy"), [(ONE, "first `cueline upgrade`, or use release 0.1.0"), (NEW, "use the newer release")])
def test_a_command_of_another_engine_than_the_log_s_is_refused(terms: Terms, remedy: str) -> None:
    """The workers would make a dead letter of it, or stop before it."""
    with pytest.raises(Refused, match=remedy):
        _check_engine(State({0: position(terms, 5)}))
    with pytest.raises(Refused, match=remedy):
        _check_engine(State({0: position(OLD, 5)}, upgrade(OLD, terms)))
    for state in (State({}), State({0: position(OLD, 5)}), State({0: position(OLD, 5)}, upgrade(OLD, ZONES))):
        _check_engine(state)
