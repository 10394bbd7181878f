"""Say which tiers, policies and goals differ between two rule sets, a line each, with what that does to users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triggers.definitions.policies import Policies
from triggers.definitions.words import duration_words
from triggers.journeys.plan import compile_plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.commands.inside import Inside
    from triggers.definitions.model import RuleSet
    from triggers.definitions.policies import Cap, Consent, QuietHours
    from triggers.definitions.tiers import Tier


def tiers(old: RuleSet | None, new: RuleSet) -> list[str]:
    """Return a line for each tier that differs."""
    before: Mapping[str, Tier] = {} if old is None else old.tiers
    lines = []
    for name in sorted(before.keys() | new.tiers.keys()):
        was, now = before.get(name), new.tiers.get(name)
        if was is None:
            lines.append(f"+ tier {name}: users who are at a level already do not rise to it")
        elif now is None:
            lines.append(f"- tier {name}: the levels of all users are forgotten")
        elif was.key != now.key:
            lines.append(f"~ tier {name}: the level of each user is set again, without a move and without grace")
        elif was.keep != now.keep:
            lines.append(f"~ tier {name}: a level is kept for {duration_words(now.keep)} instead of {duration_words(was.keep)}")
    return lines


def policies(old: RuleSet | None, new: RuleSet) -> list[str]:
    """Return a line for each policy that differs. They bind running runs too. The control group has a line of its own."""
    before = (old.policies if old is not None else None) or Policies()
    after = new.policies or Policies()
    kinds: tuple[tuple[str, Iterable[Consent | QuietHours | Cap], Iterable[Consent | QuietHours | Cap]], ...] = (
        ("consent", before.consent, after.consent),
        ("quiet hours", before.quiet_hours, after.quiet_hours),
        ("cap", before.caps, after.caps),
    )
    lines = []
    for kind, was, now in kinds:
        one, two = ({policy.name: policy for policy in some} for some in (was, now))
        for name in sorted(one.keys() | two.keys()):
            if one.get(name) != two.get(name):
                sign = "+" if name not in one else "-" if name not in two else "~"
                lines.append(f"{sign} {kind} {name}: from now on, also for messages of running runs")
    goals = [None if some.control is None else (some.control.goal, some.control.value) for some in (before, after)]
    if goals[0] != goals[1]:
        lines.append("~ goal of the control group: it counts from now on")
    return lines


def goal_keys(rules: RuleSet | None) -> dict[str, str]:
    """Return what names the goal of each journey that has one."""
    plans = {} if rules is None else compile_plan(rules).journeys
    return {name: plan.goal.key for name, plan in plans.items() if plan.goal is not None}


def goals(before: Mapping[str, str], after: Mapping[str, str], inside: Inside | None) -> list[str]:
    """Return a line for each journey whose goal differs, with the users whose goal is watched no longer."""
    lines = []
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) == after.get(name):
            continue
        ends = "entries from before are not watched any longer"
        if inside is not None:
            about = "" if inside.exact else "about "
            users = inside.goals[name]
            ends = f"{about}{users:,} {'user is' if users == 1 else 'users are'} not watched for it any longer"
        if name not in before:
            lines.append(f"+ goal of journey {name}: it counts for entries from now on")
        else:
            lines.append(f"{'~' if name in after else '-'} goal of journey {name}: {ends}")
    return lines
