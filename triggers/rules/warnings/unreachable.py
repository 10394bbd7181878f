"""Warns of steps that no run can reach: those after an end in the same list, and those of an arm without weight."""

from __future__ import annotations

from collections.abc import Iterator

from triggers.language.documents import List, Map, Node, Problem, Scalar
from triggers.rules.warnings.nodes import all_steps, items, steps, value, warning
from triggers.rules.written import Written


def unreachable(written: Written) -> Iterator[Problem]:
    for journey in written.journeys.values():
        for block in (steps(journey), *(block for step in all_steps(journey) for block in _blocks(step) or ())):
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
    blocks = _blocks(step)
    return blocks is not None and all(any(map(_ends, block)) for block in blocks)


def _blocks(step: Map) -> list[list[Map]] | None:
    """Return the lists of steps in a step, one for each way through it; an empty one where the run continues at once. None: it has none."""
    if value(step, "if") is not None:
        return [_list(value(step, "then")), _list(value(step, "else"))]
    if value(step, "came") is not None or value(step, "timed_out") is not None:
        return [_list(value(step, "came")), _list(value(step, "timed_out"))]
    if value(step, "split") is not None:
        arms = value(step, "arms")
        return [_list(value(arm, "steps")) for _, arm in (arms.entries if isinstance(arms, Map) else ()) if isinstance(arm, Map)]
    choices = value(step, "choose")
    if isinstance(choices, List):
        maps = [choice for choice in choices.items if isinstance(choice, Map)]
        otherwise: list[list[Map]] = [] if maps and value(maps[-1], "if") is None else [[]]
        return [_list(value(choice, "steps")) for choice in maps] + otherwise
    return None


def _list(node: Node | None) -> list[Map]:
    return [step for step in items(node) if isinstance(step, Map)]
