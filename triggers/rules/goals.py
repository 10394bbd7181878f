"""Parse goals: `goal: {event: order_paid, within: 14d, value: total}` of a journey, and that of the control group, without `within`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from triggers.base.model import DAY
from triggers.causes.cause import CauseKind
from triggers.definitions.model import Goal
from triggers.language import later
from triggers.language.documents import Map, Node, Scalar
from triggers.language.fields import Fields, is_nothing, kind

_OWN: Final = ("within", "value")
"""Its keys, in addition to those of the cause."""
MOST_WITHIN: Final = 90 * DAY
"""Longest time for a goal, ms."""


def read_goal(fields: Fields, node: Node, read_cause: Callable[[Node, str], CauseKind | None]) -> Goal | None:
    """Read a goal. Return None after reporting an error."""
    if isinstance(node, Scalar) and not is_nothing(node):
        fields.refuse(node, f"goal is {kind(node)}", "as in goal: {event: Order Completed, within: 14d}")
        return None
    found = fields.mapping(node, "goal")
    if found is None:
        return None
    own = _own(found)
    renamed = next((key for key, _ in found.entries if key.text in later.GOALS and "within" not in own), None)
    if renamed is not None:
        fields.refuse(renamed, f'"{renamed.text}" in goal', later.GOALS[renamed.text])
        return None
    cause = read_cause(_without(found, own), "goal")
    within = fields.duration(own["within"], "goal: within") if "within" in own else None
    if "within" not in own:
        fields.refuse(node, 'goal has no "within"', "how long after the entry it counts, as in within: 14d")
    elif within is not None and within > MOST_WITHIN:
        fields.refuse(own["within"], "goal: within is too long", "at most 90d")
    value = _value(fields, own["value"], cause) if "value" in own else ()
    return None if cause is None or within is None else Goal(cause, within, value)


def read_control_goal(
    fields: Fields, node: Node, read_cause: Callable[[Node, str], CauseKind | None]
) -> tuple[CauseKind, tuple[str, ...]] | None:
    """Read the goal of the control group: its cause, and the path of its value. Return None after reporting an error."""
    found = None if isinstance(node, Scalar) and not is_nothing(node) else fields.mapping(node, "control: goal")
    if found is None:
        if isinstance(node, Scalar) and not is_nothing(node):
            fields.refuse(node, f"control: goal is {kind(node)}", "as in goal: {event: Order Completed, value: total}")
        return None
    own = _own(found)
    if "within" in own:
        fields.refuse(own["within"], "control: goal has within", "it counts whatever the users do, at any time: leave it out")
    cause = read_cause(_without(found, own), "control: goal")
    value = _value(fields, own["value"], cause) if "value" in own else ()
    if cause is not None and cause.key_path():
        key = next(value for word, value in found.entries if word.text == "key")
        fields.refuse(key, "control: goal has a key", "it belongs to no run: leave the key out")
        return None
    return None if cause is None else (cause, value)


def _own(found: Map) -> dict[str, Node]:
    return {key.text: value for key, value in found.entries if key.text in _OWN}


def _without(found: Map, own: Collection[str]) -> Map:
    """Return the cause alone."""
    return Map(found.source, found.start, [(key, value) for key, value in found.entries if key.text not in own])


def _value(fields: Fields, node: Node, cause: CauseKind | None) -> tuple[str, ...]:
    """Read the path of a property of the goal's event."""
    text = fields.text(node, "goal: value") or ""
    path = tuple(text.split("."))
    if cause is not None and cause.event_name() is None:
        fields.refuse(node, "goal: value without an event", "only an event has properties; leave value out")
    elif len(path) > 1 and path[0] == "properties":
        fields.refuse(node, f'goal: value is "{text[:64]}"', f"the name of a property alone, as in value: {'.'.join(path[1:])[:64]}")
    elif text and not all(part.isidentifier() for part in path):
        fields.refuse(node, f'goal: value cannot be "{text[:64]}"', "the name of a property of the event, as in total")
    return path
