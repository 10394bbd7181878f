"""Which positions a worker takes over at an upgrade, which it only holds, and which it refuses."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from streams.commands import terms as log_terms
from streams.commands.history import Entry
from streams.settings import Settings
from streams.worker.opening import HandedOver, Refused, _take_over
from triggers.base.model import ENGINE
from triggers.records.messages import Command, Terms
from triggers.state.position import Position

SETTINGS = Settings(app="a")
MINE = log_terms.own(SETTINGS)
NEXT = msgspec.structs.replace(MINE, engine=ENGINE + 1)
OTHER = msgspec.structs.replace(MINE, tzdata="1999a")


def position(terms: Terms, handed_to: Terms | None = None, offset: int = 41) -> Position:
    names = {name: getattr(terms, name) for name in ("engine", "tzdata", "foreign_keys")}
    return Position(offset=offset, clock=77, topic_id="t", handed_to=handed_to, state_schema=1 if terms.engine == 1 else 2, **names)


def store(was: Terms | None = None, terms: Terms | None = None) -> Any:
    command = Command(kind="upgrade", seq=5, previous=4, engine=ENGINE, terms=terms)
    entry = Entry(command=command, topic_id="t", offsets=[60], at=0, by="x", was=was, saved=[41])
    return SimpleNamespace(upgrade=None if terms is None else entry)


def test_what_was_handed_to_our_terms_is_taken_over() -> None:
    found = position(OTHER, handed_to=MINE)
    _take_over(SETTINGS, 0, found, MINE, store())
    assert (found.terms, found.handed_to, found.offset, found.converted) == (MINE, None, 41, -1)


def test_what_engine_1_has_left_where_the_upgrade_found_it_is_taken_over_and_its_states_converted() -> None:
    was = Terms(engine=1, tzdata="2025b", foreign_keys=False)
    found = position(was)
    _take_over(SETTINGS, 0, found, MINE, store(was, MINE))
    assert (found.terms, found.state_schema, found.converted) == (MINE, 2, 77)
    with pytest.raises(Refused, match="saved under engine 1"):
        _take_over(SETTINGS, 0, position(was, offset=42), MINE, store(was, MINE))
    with pytest.raises(Refused, match="`cueline upgrade`"):
        _take_over(SETTINGS, 0, position(was), MINE, store())


@pytest.mark.parametrize("handed_to", [NEXT, OTHER])
def test_what_we_have_handed_over_is_only_held(handed_to: Terms) -> None:
    with pytest.raises(HandedOver, match="it was handed over to"):
        _take_over(SETTINGS, 0, position(MINE, handed_to), MINE, store(MINE, handed_to))


@pytest.mark.parametrize(("found", "remedy"), [(position(OTHER), "cueline upgrade"), (position(NEXT), "Start the newer release")])
def test_what_has_other_terms_is_refused_naming_both(found: Position, remedy: str) -> None:
    with pytest.raises(Refused, match=remedy) as refused:
        _take_over(SETTINGS, 0, found, MINE, store())
    assert str(found.terms) in str(refused.value)
    assert str(MINE) in str(refused.value)
