"""Warns of steps that no run can reach: those after an end in the same list, and those of an arm without weight."""

from __future__ import annotations

from collections.abc import Iterator

from triggers.language.documents import Map, Problem, Scalar
from triggers.rules.warnings.nodes import all_steps, steps, value, warning, ways
from triggers.rules.written import Written


def unreachable(written: Written) -> Iterator[Problem]:
    for journey in written.journeys.values():
        for block in (steps(journey), *(block for step in all_steps(journey) for block in ways(step) or ())):
            end = next((number for number, step in enumerate(block, 1) if _ends(step)), len(block))
            if end < len(block):
                yield warning(block[end], "no run reaches this step: all runs end before it", "leave it out")
        for step in all_steps(journey):
            arms = value(step, "arms")
            for name, arm in arms.entries if isinstance(arms, Map) else ():
                weight = value(arm, "weight") if isinstance(arm, Map) else None
                if isinstance(arm, Map) and value(arm, "steps") and isinstance(weight, Scalar) and weight.value == 0:
                    yield warning(weight, f'no run reaches the steps of the arm "{name.text}": its weight is 0', "leave them out")


def _ends(step: Map) -> bool:
    """Check whether each run that reaches the step ends at it or in it."""
    if value(step, "end") is not None:
        return True
    blocks = ways(step)
    return blocks is not None and all(any(map(_ends, block)) for block in blocks)
