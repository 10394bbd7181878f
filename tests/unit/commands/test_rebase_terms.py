"""The terms of a partition that begins again."""

from types import SimpleNamespace
from typing import Any

import pytest

from streams.commands import terms as log_terms
from streams.commands.history import History
from streams.commands.rebase import Refused, _terms
from streams.settings import Settings
from triggers.state.position import Position

SETTINGS = Settings(app="a")
MINE = log_terms.own(SETTINGS)


def ground(first: Position | None) -> Any:
    return SimpleNamespace(past=History(), first={} if first is None else {3: first})


def test_a_partition_without_a_position_gets_the_terms_of_the_others_and_not_those_of_the_operator() -> None:
    """The operator's machine can have other time zone data, or not the workers' settings. Workers would refuse the partition."""
    others = Position(engine=MINE.engine, tzdata="1999a", foreign_keys=True)
    assert _terms(SETTINGS, ground(others), 0, None, "drop") == others.terms
    assert _terms(SETTINGS, ground(None), 0, None, "drop") == MINE
    own = Position(engine=MINE.engine, tzdata="1998a")
    assert _terms(SETTINGS, ground(others), 0, own, "drop") == own.terms
    with pytest.raises(Refused, match="cueline upgrade"):
        _terms(SETTINGS, ground(Position(engine=1)), 0, None, "drop")
