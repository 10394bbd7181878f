"""Decide which value of a trait counts: the latest one, by the time of the calls and not by their order in the log.

Each trait keeps the event time of the `identify` that set it. A deleted one keeps the time of its deletion for 30 days of the clock. An
older `identify` sets only missing traits. Calls of one moment count in the order of the log.

Times are a list in the order of the traits. Usually all are equal; then there is only one. A trait of unknown time (-1) yields to any.
"""

from typing import Any, Final, NamedTuple

import msgspec

from triggers.base.model import DAY, MAX_TRAITS
from triggers.base.numbers import storable
from triggers.records.events import Unreadable
from triggers.state.user import User

REMEMBERED: Final = 30 * DAY
"""How long a deletion is remembered, in ms of the clock since its event time."""
MAX_GONE: Final = 50
"""Maximum number of remembered deletions of one user."""
_TIME: Final = 9
_encode = msgspec.msgpack.Encoder().encode


class Merged(NamedTuple):
    """A user's traits after an `identify`."""

    traits: dict[str, Any]
    times: list[int]
    gone: dict[str, int]
    changed: dict[str, Any]
    """The values of the call that count and are new: a device sends the same traits with each call."""


def merge(user: User, sent: dict[str, Any], at: int, clock: int) -> Merged:
    """Return the traits of a user after an `identify` of the moment `at`. Null deletes a trait, and so does a number that no state can
    hold.

    The user does not change. Raises `Unreadable` if the traits would become too big.
    """
    try:
        return _merged(user, sent, at, clock)
    except OverflowError:
        return _merged(user, storable(sent), at, clock)


def _merged(user: User, sent: dict[str, Any], at: int, clock: int) -> Merged:
    traits = dict(user.traits)
    times = when_set(user)
    gone = {name: moment for name, moment in user.gone.items() if clock - moment <= REMEMBERED}
    changed: dict[str, Any] = {}
    for name, value in sent.items():
        if at < times.get(name, -1) or at < gone.get(name, -1):
            continue
        if not _is_same(traits.get(name), value):
            changed[name] = value
        if value is None:
            traits.pop(name, None)
            times.pop(name, None)
            if clock - at <= REMEMBERED:
                gone[name] = at
        else:
            traits[name] = value
            times[name] = at
            gone.pop(name, None)
    packed = [times.get(name, -1) for name in traits]
    if packed and packed.count(packed[0]) == len(packed):
        packed = [packed[0]] if packed[0] >= 0 else []
    return Merged(traits, packed, _fitting(traits, packed, gone), changed)


def _is_same(one: Any, other: Any) -> bool:  # noqa: ANN401 -- both are whatever JSON holds
    """Check whether two values are the same JSON. To Python, 1, 1.0 and True are equal."""
    if one is None or type(one) is not type(other) or one != other:
        return one is other
    return not isinstance(one, list | dict) or _encode(one) == _encode(other)


def take_over(user: User, merged: Merged) -> None:
    """Set the user's traits to a result of `merge`."""
    user.traits, user.trait_times, user.gone = merged.traits, merged.times, merged.gone


def when_set(user: User) -> dict[str, int]:
    """Return the event time at which each trait was set, without those of unknown time."""
    times = user.trait_times
    if len(times) == 1:
        return dict.fromkeys(user.traits, times[0])
    return {name: moment for name, moment in zip(user.traits, times, strict=False) if moment >= 0}


def _fitting(traits: dict[str, Any], times: list[int], gone: dict[str, int]) -> dict[str, int]:
    """Return as many of the latest deletions as there is room for."""
    size = len(_encode(traits)) + _TIME * len(times)
    if size > MAX_TRAITS:
        raise Unreadable(f"too big: the user's traits would exceed {MAX_TRAITS} bytes")
    if not gone:
        return gone
    kept: dict[str, int] = {}
    for moment, name in sorted(((moment, name) for name, moment in gone.items()), reverse=True)[:MAX_GONE]:
        size += len(name.encode("utf-8", "surrogatepass")) + _TIME + 5
        if size > MAX_TRAITS:
            break
        kept[name] = moment
    return dict(reversed(kept.items()))
