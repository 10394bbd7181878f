"""Convert states of an older schema, and take over partitions from an older release.

A release converts a state when it reads it from the changelog, and writes it in its own schema when the user changes. So a changelog can
hold states of both schemas. The conversion is a pure function of the bytes and of one moment: the clock of the partition at the takeover,
which the position keeps. So each restart, and each replay from a copy, gets the same states.

Schema 1 (release 0.1.0): 13 bytes of head (due moment, schema, rule set met), then a msgpack array of nine: due, met, offset, traits,
windows, standings, runs, entered, ids. It lacks three things:

* the time of a trait: unknown, so any known time wins;
* the hour of a message id: that of the takeover. So each id is known for one more day, which is harmless; a shorter time would not be;
* whether a rule reads the call of an id: all ids count as read.
"""

from struct import Struct
from typing import Any, Final

import msgspec

from triggers.base.model import HOUR, NEVER
from triggers.measures.shapes import Days, DayValues, First, Last, Panes, Times, Total, Values, Window
from triggers.records.messages import Terms
from triggers.state.duplicates import packed
from triggers.state.encoding import STATE_SCHEMA, encode
from triggers.state.position import Position
from triggers.state.runs import Run, Standing, at_index
from triggers.state.user import User

FIRST: Final = 1
"""The schema of release 0.1.0."""
_SCHEMA_AT: Final = 8
_head = Struct(">QBI")
_ID_BYTES: Final = 8
"""Size of the hash of a message id. Release 0.1.0 kept 64 of each user."""


class _Total(msgspec.Struct, array_like=True, tag=1):
    since: int
    total: int = 0


class _Panes(msgspec.Struct, array_like=True, tag=2):
    since: int
    lo: int = 0
    total: int = 0
    panes: dict[int, int] = {}


class _Last(msgspec.Struct, array_like=True, tag=3):
    since: int
    at: int = -1


class _First(msgspec.Struct, array_like=True, tag=4):
    since: int
    at: int = -1


class _Times(msgspec.Struct, array_like=True, tag=5):
    since: int
    times: list[int] = []
    lost_from: int = -1
    lost_to: int = -1


class _Values(msgspec.Struct, array_like=True, tag=6):
    since: int
    lo: int = 0
    total: int = 0
    panes: dict[int, int] = {}
    values: dict[str, int] = {}
    lost: int = -1


class _Days(msgspec.Struct, array_like=True, tag=7):
    since: int
    lo: int = 0
    hi: int = -1
    panes: dict[int, int] = {}


class _DayValues(msgspec.Struct, array_like=True, tag=8):
    since: int
    lo: int = 0
    hi: int = -1
    total: int = 0
    panes: dict[int, list[str]] = {}
    lost: list[int] = []


_Window = _Total | _Panes | _Last | _First | _Times | _Values | _Days | _DayValues


class _Standing(msgspec.Struct, array_like=True):
    inside: bool | None = None
    due: int = NEVER
    asked: bool = False


class _Run(msgspec.Struct, array_like=True):
    journey: str
    version: str
    rule_set: str
    entry: str
    entered: int
    cause: int
    step: int
    moment: int
    due: int = NEVER
    late: bool = False
    held: bool = False
    properties: dict[str, Any] = {}


_decode_first = msgspec.msgpack.Decoder(
    tuple[int, int, int, dict[str, Any], dict[str, _Window], dict[str, _Standing], list[_Run], dict[str, int], bytes]
).decode


def converted(data: bytes, clock: int) -> bytes:
    """Return a state in the current schema. Return bytes that are no state of schema 1 unchanged.

    `clock`: of the partition at the takeover, ms. Raises `msgspec.DecodeError` for bytes that are no state.
    """
    if len(data) <= _SCHEMA_AT or data[_SCHEMA_AT] != FIRST:
        return data
    if len(data) < _head.size:
        raise msgspec.DecodeError("a state ends within its head")
    try:
        return _from_first(data, clock)
    except UnicodeDecodeError as error:  # msgspec lets it through
        raise msgspec.DecodeError(f"a text in a state is not UTF-8: {error.reason}") from None


def _from_first(data: bytes, clock: int) -> bytes:
    due, met, offset, traits, windows, standings, runs, entered, ids = _decode_first(memoryview(data)[_head.size :])
    user = User(met=met)
    user.due, user.offset, user.traits = due, offset, traits
    user.windows = {key: _window(window) for key, window in windows.items()}
    user.standings = {key: Standing(inside=one.inside, due=one.due, asked=one.asked) for key, one in standings.items()}
    user.runs = [_run(run) for run in runs]
    user.entered.update(entered)
    if ids:
        user.seen = packed(ids, {max(clock, 0) // HOUR: len(ids) // _ID_BYTES})
    return encode(user)


def _run(run: _Run) -> Run:
    return Run(
        journey=run.journey,
        version=run.version,
        rule_set=run.rule_set,
        entry=run.entry,
        entered=run.entered,
        cause=run.cause,
        step=at_index(run.step),
        moment=run.moment,
        due=run.due,
        late=run.late,
        held=run.held,
        properties=run.properties,
    )


def _window(old: _Window) -> Window:
    match old:
        case _Total():
            return Total(old.since, total=old.total)
        case _Panes():
            return Panes(old.since, lo=old.lo, total=old.total, panes=old.panes)
        case _Last():
            return Last(old.since, at=old.at)
        case _First():
            return First(old.since, at=old.at)
        case _Times():
            return Times(old.since, times=old.times, lost_from=old.lost_from, lost_to=old.lost_to)
        case _Values():
            return Values(old.since, lo=old.lo, total=old.total, panes=old.panes, values=old.values, lost=old.lost)
        case _Days():
            return Days(old.since, lo=old.lo, hi=old.hi, panes=old.panes)
        case _DayValues():
            return DayValues(old.since, lo=old.lo, hi=old.hi, total=old.total, panes=old.panes, lost=old.lost)


def go_over(position: Position, terms: Terms, upgrade: int | None = None) -> None:
    """Continue a partition under these terms: those of the upgrade with this number, or by default of the upgrade that it is at."""
    if upgrade is not None:
        position.upgraded = upgrade
    elif position.handed_to is not None:
        position.upgraded = position.last_command
    if position.state_schema < STATE_SCHEMA:
        position.converted = position.clock
    position.engine, position.tzdata, position.foreign_keys = terms.engine, terms.tzdata, terms.foreign_keys
    position.state_schema, position.handed_to = STATE_SCHEMA, None
