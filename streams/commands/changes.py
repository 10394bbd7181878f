"""Compare a rule set with the active one: what is added, removed and changed, and what that does to users who are inside runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

from aiokafka import TopicPartition

from streams.commands.inside import Affected, Inside
from streams.commands.log_history import last_position
from streams.commands.parts import goal_keys, goals, policies, tiers
from streams.commands.splits import moved, moved_control
from streams.kafka import clients
from triggers.base.model import NEVER
from triggers.base.moments import iso
from triggers.definitions.words import words_of
from triggers.journeys.plan import compile_plan
from triggers.measures.limits import length_ms
from triggers.measures.reading import complete_at

if TYPE_CHECKING:
    from streams.settings import Settings
    from triggers.definitions.model import Journey, Measure, RuleSet

POSITIONS_AT_ONCE: Final = 8
"""How many partitions' last positions are read at the same time."""


class Changes(NamedTuple):
    """The changes of a rule set, a line each, and what is lost by it."""

    lines: tuple[str, ...]
    gone: tuple[str, ...] = ()
    """Journeys that no user enters any more."""
    ended: tuple[str, ...] = ()
    """Journeys whose running runs end."""
    unknown: bool = False
    """The active rule set cannot be read, so it is unknown what is lost."""

    @property
    def loses(self) -> str:
        """Describe what is lost; empty if nothing is."""
        if self.unknown:
            return "replaces a rule set that this release cannot read"
        gone = f"removes {_names(self.gone)}" if self.gone else ""
        ended = f"ends the running runs of {_names(self.ended)}" if self.ended else ""
        return " and ".join(filter(None, (gone, ended)))


def affected(old: RuleSet | None, new: RuleSet, at: int) -> Affected:
    """Return the journeys and goals whose users are worth counting: those that were there before, and are another now."""
    before, after = goal_keys(old), goal_keys(new)
    versions = {
        name: None if name not in new.journeys else new.journeys[name].version
        for name, journey in ({} if old is None else old.journeys).items()
        if _journey(name, journey, new.journeys.get(name), None) is not None
    }
    return Affected(versions, {name: after.get(name) for name, key in before.items() if after.get(name) != key}, at)


def changes(old: RuleSet | None, new: RuleSet, users: int, at: int, *, unknown: bool = False, inside: Inside | None = None) -> Changes:
    """Return the changes of all parts of the rules.

    `users`: how many have a state. `unknown`: the old rules cannot be read. `inside`: how many users are affected; None: not counted.
    """
    lines = ["! this release cannot read the active rule set, so it is unknown what disappears"] if unknown else []
    before = {} if old is None else old.journeys
    gone, ended = [], []
    for name in sorted(before.keys() | new.journeys.keys()):
        line = _journey(name, before.get(name), new.journeys.get(name), inside)
        if line is None:
            continue
        lines += [line, *moved(before.get(name), new.journeys.get(name))]
        if name not in new.journeys:
            gone.append(name)
        if _ends_runs(before.get(name), new.journeys.get(name)):
            ended.append(name)
    lines += goals(goal_keys(old), goal_keys(new), inside)
    lines += _segments({} if old is None else _keys(old), _keys(new))
    lines += [*tiers(old, new), *policies(old, new), *moved_control(old, new)]
    if inside is not None and inside.unreadable:
        lines.append(f"! {inside.unreadable:,} states cannot be read by this release, and are not counted")
    return Changes((*lines, *incomplete(old, new, users, at)), tuple(gone), tuple(ended), unknown)


def _journey(name: str, old: Journey | None, new: Journey | None, inside: Inside | None) -> str | None:
    """Return the line about one journey; None if it does not change."""
    if old is None:
        return f"+ journey {name}"
    if new is not None and new.version == old.version and new.on_change == old.on_change:
        return None
    runs = _runs(name, inside, ends=_ends_runs(old, new))
    return f"- journey {name}: no user enters it any more; {runs}" if new is None else f"~ journey {name}: {runs}"


def _runs(name: str, inside: Inside | None, *, ends: bool) -> str:
    """Say what becomes of the runs of a journey, and of how many users they are."""
    does = "end (on_change: exit)" if ends else "continue by their own rules"
    if inside is None:
        return f"running runs {does}"
    users = inside.runs[name]
    if not users and inside.exact:
        return "no user is inside a run of it"
    return f"running runs of {'' if inside.exact else 'about '}{users:,} {'user' if users == 1 else 'users'} {does}"


def _ends_runs(old: Journey | None, new: Journey | None) -> bool:
    """Return whether the runs of a journey end when the rules change. The newer rules decide; for a journey that disappears, its own."""
    if old is None:
        return False
    if new is None:
        return old.on_change == "exit"
    return new.on_change == "exit" and (new.version != old.version or old.on_change != "exit")


def _keys(rules: RuleSet) -> dict[str, str]:
    return {name: segment.key for name, segment in rules.segments.items()}


def _segments(before: dict[str, str], after: dict[str, str]) -> list[str]:
    signs = {name: "+" if name not in before else "-" if name not in after else "~" for name in before.keys() | after.keys()}
    return [f"{sign} segment {name}" for name, sign in sorted(signs.items()) if before.get(name) != after.get(name)]


def _names(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:5])
    return f"journey {shown}" if len(names) == 1 else f"{len(names)} journeys ({shown}{', ...' if len(names) > 5 else ''})"


async def users_of(settings: Settings) -> int:
    """Count the users of all partitions, from their last positions."""
    changelog = settings.names.changelog
    async with clients.Cluster(settings) as cluster:
        if changelog not in await cluster.topics([changelog]):
            return 0
    extents = await clients.spans(settings, [changelog])
    turn = asyncio.Semaphore(POSITIONS_AT_ONCE)

    async def users(tp: TopicPartition) -> int:
        async with turn:
            position = await last_position(settings, tp.partition)
        return 0 if position is None else position.users

    return sum(await asyncio.gather(*(users(tp) for tp, span in extents.items() if span.end > span.begin)))


def incomplete(old: RuleSet | None, new: RuleSet, users: int, at: int) -> list[str]:
    """Return for how many users each window of the new rules starts incomplete, and until when."""
    if not users:
        return []
    plan = compile_plan(new)
    known = set() if old is None else compile_plan(old).measures.keys()
    asked: dict[str, Measure] = {}
    parts = [*(segment.measures for segment in plan.segments), *(journey.measures for journey in plan.journeys.values())]
    for measures in parts:
        for key, measure in measures.items():
            if key not in asked or length_ms(measure) is None or (length_ms(measure) or 0) > (length_ms(asked[key]) or NEVER):
                asked[key] = measure
    lines = []
    for measure in (measure for key, measure in asked.items() if key not in known and not measure.whole):
        until = complete_at(measure, at, plan.zone)
        when = "for ever: give it days=" if until is None else f"until {iso(until)}"
        lines.append(f"! {words_of(measure)} starts incomplete for {users:,} users, {when}")
    return sorted(lines)
