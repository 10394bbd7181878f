"""Say which users a new rule set moves to other arms of a split, or into or out of holdouts and the control group."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate
from typing import TYPE_CHECKING

from triggers.base.draws import PARTS
from triggers.steps import all_of
from triggers.steps.split import Split

if TYPE_CHECKING:
    from triggers.definitions.model import Journey, RuleSet


def moved(old: Journey | None, new: Journey | None) -> list[str]:
    """Return a line for each split in both versions of a journey in which some users get another arm."""
    if old is None or new is None:
        return []
    before = _splits(old)
    lines = _shifted(f"holdout of journey {new.name}", old.holdout, new.holdout)
    for name, split in _splits(new).items():
        share = _share(before[name], split) if name in before else Fraction(0)
        if share:
            lines.append(f"~ split {name} of journey {new.name}: {_percent(share)} of all users get another arm in new runs")
    return lines


def moved_control(old: RuleSet | None, new: RuleSet) -> list[str]:
    """Return a line if another part of all users is in the control group."""
    return [] if old is None else _shifted("the control group", _control(old), _control(new))


def _control(rules: RuleSet) -> int:
    return 0 if rules.policies is None or rules.policies.control is None else rules.policies.control.part


def _shifted(what: str, before: int, after: int) -> list[str]:
    """Return a line if a part of all users, in 10,000, has changed."""
    share = Fraction(abs(after - before), PARTS)
    way = "into" if after > before else "out of"
    return [f"~ {what}: {_percent(share)} of all users move {way} it in new runs"] if share else []


def _splits(journey: Journey) -> dict[str, Split]:
    return {step.split: step for step in all_of(journey.steps) if isinstance(step, Split)}


def _share(old: Split, new: Split) -> Fraction:
    """Return the part of all draws that falls on an arm of another name."""
    before, after = _parts(old), _parts(new)
    if old.salt != new.salt:  # the draws are independent of each other
        sizes = {arm: end - start for arm, (start, end) in before.items()}
        return 1 - sum((sizes.get(arm, Fraction(0)) * (end - start) for arm, (start, end) in after.items()), Fraction(0))
    same = Fraction(0)
    for arm, (start, end) in after.items():
        if arm in before:
            same += max(Fraction(0), min(end, before[arm][1]) - max(start, before[arm][0]))
    return 1 - same


def _parts(split: Split) -> dict[str, tuple[Fraction, Fraction]]:
    """Return the beginning and the end of each arm, as parts of all draws."""
    total = sum(split.weights)
    ends = [Fraction(end, total) for end in accumulate(split.weights)]
    return dict(zip(split.arms, zip([Fraction(0), *ends], ends, strict=False), strict=True))


def _percent(share: Fraction) -> str:
    return f"{float(share):.1%}" if share >= Fraction(1, 1000) else "fewer than 0.1%"
