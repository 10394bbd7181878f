"""Which value of a trait counts: the one that was said last, by the time of the calls and not by their order in the log.

Each trait keeps the event time of the `identify` that set it, and a deleted one keeps the time of its deletion for 30 days of the clock. An
older `identify` fills only what is missing. Calls of one moment count in the order of the log.

Times stand in a list in the order of the traits; where all are alike, which is the rule, one stands for all. A trait of unknown time (-1)
yields to any.
"""

from typing import Any, Final, NamedTuple

import msgspec

from triggers.base.model import DAY, MAX_TRAITS
from triggers.base.numbers import storable
from triggers.records.events import Unreadable
from triggers.state.user import User

REMEMBERED: Final = 30 * DAY
"""How long a deletion is remembered, ms of the clock since its event time."""
MAX_GONE: Final = 50
"""How many deletions of one user are remembered."""
_TIME: Final = 9
_encode = msgspec.msgpack.Encoder().encode


class Merged(NamedTuple):
    """A user's traits after an `identify`."""

    traits: dict[str, Any]
    times: list[int]
    gone: dict[str, int]
    changed: dict[str, Any]
    """What of the call counts and is new: a device sends the same time zone with each call."""


def merge(user: User, sent: dict[str, Any], at: int, clock: int) -> Merged:
    """The traits of a user after an `identify` of the moment `at`; null deletes, and so does a number that no state can hold.

    The user stays as they are. Raises `Unreadable` where the traits would become too big.
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
        if type(value) is not str or traits.get(name) != value:
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


def take_over(user: User, merged: Merged) -> None:
    """Gives the user what `merge` has made of their traits."""
    user.traits, user.trait_times, user.gone = merged.traits, merged.times, merged.gone


def when_set(user: User) -> dict[str, int]:
    """The event time at which each trait was set; those of unknown time are left out."""
    times = user.trait_times
    if len(times) == 1:
        return dict.fromkeys(user.traits, times[0])
    return {name: moment for name, moment in zip(user.traits, times, strict=False) if moment >= 0}


def _fitting(traits: dict[str, Any], times: list[int], gone: dict[str, int]) -> dict[str, int]:
    """As many of the latest deletions as there is room for."""
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
