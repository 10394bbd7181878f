"""Compare the budgets of all sends: the same name means the same budget, so it has the same number everywhere."""

from __future__ import annotations

from collections.abc import Mapping

from triggers.definitions.model import Journey
from triggers.language.documents import Map, Node
from triggers.language.fields import Fields
from triggers.steps import all_of
from triggers.steps.send import Send


def check_budgets(fields: Fields, journeys: Mapping[str, Journey | None], nodes: Mapping[str, Mapping[str, Node]]) -> None:
    """Refuse a budget whose number differs from that of another send. `nodes`: the steps of each journey by name."""
    first: dict[object, tuple[object, Node]] = {}
    for name, journey in journeys.items():
        for step in all_of(journey.steps) if journey is not None else ():
            if not isinstance(step, Send) or step.budget is None or step.name not in nodes.get(name, {}):
                continue
            budget, node = step.budget, _place(nodes[name][step.name])
            most, before = first.setdefault(budget["name"], (budget["most"], node))
            if most != budget["most"]:
                line, _ = before.source.place(before.start)
                what = f'the budget "{budget["name"]}" has most: {budget["most"]} here and most: {most} elsewhere'
                fields.refuse(node, what, f"the other is at {before.source.file}:{line}; one budget has one number, two have two names")


def _place(step: Node) -> Node:
    """Return the number of a budget in a step."""
    for key in ("send", "budget", "most"):
        found = next((value for name, value in step.entries if name.text == key), None) if isinstance(step, Map) else None
        step = step if found is None else found
    return step
