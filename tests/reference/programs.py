"""The steps of a journey and what they need, as RULES.md says it: without a line of the engine."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

from triggers.definitions.model import Condition, Journey, RuleSet, Step
from triggers.steps.choice import If
from triggers.steps.choose import Choose
from triggers.steps.send import Send
from triggers.steps.split import Split
from triggers.steps.waits.cause import CauseWait
from triggers.steps.waits.side import SegmentWait

INTEGERS = [(1, -32, 128), (3, -(2**15), 2**15), (5, -(2**31), 2**31)]


def every(steps: Iterable[Step]) -> Iterator[Step]:
    """The steps and those inside them."""
    for step in steps:
        yield step
        if isinstance(step, If):
            yield from every((*step.then, *step.otherwise))
        if isinstance(step, Choose | Split):
            for block in step.blocks:
                yield from every(block)
        if isinstance(step, CauseWait | SegmentWait):
            yield from every((*step.came, *step.timed_out))


def asked_by(journey: Journey) -> list[Condition]:
    """The conditions of its steps."""
    steps = list(every(journey.steps))
    chosen = [condition for step in steps if isinstance(step, Choose) for condition in step.conditions]
    skipping = [step.skip_unless for step in steps if isinstance(step, Send) and step.skip_unless is not None]
    return (
        [step.when for step in steps if step.when is not None]
        + [step.condition for step in steps if isinstance(step, If)]
        + chosen
        + skipping
    )


def share_of(kind: str, salt: str, user: str) -> Fraction:
    """Where among all draws the user's is, from 0 to 1."""
    return Fraction(int(hashlib.sha256(f"{kind}\n{salt}\n{user}".encode()).hexdigest()[:16], 16), 2**64)


def drawn_arm(journey: Journey, rules: RuleSet, user: str) -> str | None:
    """The arm of an entry; None where there is nothing to compare with."""
    control = rules.policies.control if rules.policies is not None else None
    if journey.category == "transactional" or (control is None and journey.holdout == 0):
        return None
    if control is not None and group_of(user, control.part) == "control":
        return "control"
    return "holdout" if share_of("holdout", journey.name, user) < Fraction(journey.holdout, 10_000) else "treated"


def group_of(user: str, part: int) -> str:
    """Whether a user is in the control group, which has so many of 10,000 users."""
    return "control" if share_of("control", "", user) < Fraction(part, 10_000) else "treated"


def arm_of(step: Split, journey: str, user: str) -> int:
    """The number of the user's arm: its part of all numbers of 64 bits holds the one that the hash begins with."""
    place = share_of("split", step.salt or journey + "/" + step.split, user) * sum(step.weights)
    return next(number for number in range(len(step.arms)) if place < sum(step.weights[: number + 1]))


def in_all_languages(step: Send) -> list[str]:
    """The texts of a message."""
    parts = list((step.message or {}).values())
    return [text for part in parts for text in ([part] if isinstance(part, str) else part.values())]


def named(journey: Journey) -> set[str]:
    """The properties of the entry event that its texts name."""
    texts = [text for step in every(journey.steps) if isinstance(step, Send) for text in in_all_languages(step)]
    return {name for text in texts for braces in re.findall(r"{{(.*?)}}", text) for name in re.findall(r"\bproperties\.(\w+)", braces)}


def room(value: Any) -> int:
    """Bytes that a JSON value counts for, by what it is."""
    match value:
        case None | bool():
            return 1
        case str():
            return len(value.encode("utf-8", "surrogatepass")) + (1 if len(value.encode("utf-8", "surrogatepass")) < 32 else 5)
        case int():
            return next((size for size, least, most in INTEGERS if least <= value < most), 9)
        case dict():
            return (1 if len(value) < 16 else 5) + sum(room(name) + room(item) for name, item in value.items())
        case list():
            return (1 if len(value) < 16 else 5) + sum(map(room, value))
        case _:
            return 9
