"""The keys of a user's runs: which run an event is about, when each key last entered, and which exits were read before their entry.

A user without runs with keys pays two comparisons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from triggers.causes.lists import first_of
from triggers.state.moments_of_keys import moment_of, put
from triggers.state.runs import name_of
from triggers.state.sections.entered_keys import ENTERED_KEYS
from triggers.state.sections.exited_keys import EXITED_KEYS
from triggers.state.sections.keys import KEYS
from triggers.state.sections.watches import WATCHES
from triggers.state.watches import Watch

if TYPE_CHECKING:
    from triggers.journeys.context import UserContext
    from triggers.journeys.events import Match
    from triggers.state.runs import Run
    from triggers.state.user import User

_ENTRY: Final = 10
"""Bytes of a key in the section `keys`, in addition to the names of the run and the key itself."""


def key_of(user: User, run: Run | Watch) -> str | None:
    """Return the key of a run; None: its journey has no keys."""
    if "keys" not in user.sections and user.more is None:
        return None
    keys: dict[str, str] = user.value(KEYS)
    return keys.get(name_of(run))


def keep_key(user: User, run: Run, key: str, now: int) -> None:
    """Note the key of a run that enters now."""
    user.value(KEYS)[name_of(run)] = key
    put(user.value(ENTERED_KEYS), run.journey, key, now)


def entered_before(user: User, journey: str, key: str) -> int | None:
    """Return when the user last entered a journey with this key."""
    return moment_of(user.value(ENTERED_KEYS), journey, key) if user.has(ENTERED_KEYS) else None


def forget_keys(user: User) -> None:
    """Forget the keys of runs that have ended and whose goal is not watched any more."""
    if "keys" not in user.sections and user.more is None:
        return
    keys: dict[str, str] = user.value(KEYS)
    if keys:
        watches: list[Watch] = user.value(WATCHES) if user.has(WATCHES) else []
        needed = {*map(name_of, user.runs), *map(name_of, watches)}
        for name in [name for name in keys if name not in needed]:
            del keys[name]


def room_of_key(run: Run | Watch, key: str | None) -> int:
    """Return the bytes of the key of a run, or of a watched goal, in a state."""
    return 0 if key is None else _ENTRY + len(run.journey.encode()) + len(run.entry) + len(key.encode("utf-8", "surrogatepass"))


def remember_exits(context: UserContext, match: Match, happened: int) -> None:
    """Remember when exits with a key happened, for entries that will be read later."""
    for plan in dict.fromkeys(plan for plan, key in match.exits if key is not None):
        if context.plan.journeys.get(plan.journey.name) is not plan:
            continue
        for name, (signal, _) in plan.keyed_exits.items():
            if first_of((signal,), match.name, match.properties, {}) is None or signal.key_of is None:
                continue
            key = signal.key_of(match.properties)
            if key is not None:
                moments = context.user.value(EXITED_KEYS)
                before = moment_of(moments, name, key)
                put(moments, name, key, happened if before is None else max(before, happened))


def exited_at(user: User, name: str, key: str) -> int | None:
    """Return the latest moment of an exit with this key. `name`: of the exit in the state."""
    return moment_of(user.value(EXITED_KEYS), name, key) if user.has(EXITED_KEYS) else None
