"""The JSON Schema of rule files (draft 2020-12): an editor completes keys with it, and underlines what no rule file can have.

Kinds of steps, waits and causes state their own shapes. What is here is the frame around them; a test compares its keys with those that the
readers know.
"""

from __future__ import annotations

from typing import Any, Final

from triggers.causes import KINDS as CAUSES
from triggers.causes.cause import shape_of
from triggers.definitions.model import MAX_PRIORITY
from triggers.definitions.policies import MOST_OF_A_CAP, PARTS_OF_CALENDAR, WEEKDAYS
from triggers.language.schema import TYPES
from triggers.language.shapes import (
    CAUSE,
    DATE,
    DURATION,
    EXPRESSION,
    FLAG,
    NAME,
    STEPS,
    TEXT,
    TIME,
    Shape,
    either,
    listed,
    mapping,
    named,
    number,
    one_of,
    text_like,
    whole,
)
from triggers.rules.each import EACH, MAX_VALUES
from triggers.rules.journeys import MAX_CAUSES, MAX_STEPS
from triggers.rules.tiers import MAX_LEVELS
from triggers.steps import KINDS as STEP_KINDS

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_CAUSES: Final = either(CAUSE, listed(CAUSE, MAX_CAUSES))
_LATE: Final = mapping({"after": DURATION, "then": one_of("drop", "send")})
_EACH: Final = named(listed(either(NAME, named(TEXT)), MAX_VALUES))
_SHARE: Final = text_like(r"[0-9]{1,2}(?:\.[0-9]{1,2})?%")
_SCOPE: Final = {"channels": listed(TEXT), "categories": listed(TEXT)}


def _goal(must: dict[str, Shape]) -> Shape:
    shapes = [shape_of(kind, word, must) for word, kind in CAUSES.items() if not kind.by_clock]
    return either(*(shape | {"properties": shape["properties"] | {"value": TEXT}} for shape in shapes))


SETTINGS: Final[dict[str, Shape]] = {
    "time_zone": TEXT,
    "late": _LATE,
    "channels": listed(NAME),
    "before_rules": one_of("unknown", "nothing"),
    "placeholder_ids": one_of("refuse", "accept"),
    "duplicates": DURATION,
    "categories": listed(NAME),
}
POLICIES: Final[dict[str, Shape]] = {
    "consent": named(mapping({**_SCOPE, "if": EXPRESSION, "unknown": one_of("block", "allow")}, ["if"])),
    "quiet_hours": named(
        mapping(
            {**_SCOPE, "from": TIME, "to": TIME, "on": listed(one_of(*WEEKDAYS)), "then": one_of("hold", "drop"), "spread": DURATION},
            ["from", "to"],
        )
    ),
    "caps": named(
        mapping(
            {
                **_SCOPE,
                "most": whole(1, MOST_OF_A_CAP),
                "per": either(one_of(*PARTS_OF_CALENDAR), DURATION),
                "reserved": mapping({"places": whole(1, MOST_OF_A_CAP - 1), "priority": whole(1, MAX_PRIORITY)}, ["places", "priority"]),
                "journeys": listed(TEXT),
                "then": one_of("drop", "hold"),
            },
            ["most", "per"],
        )
    ),
    "control": mapping({"percent": number(99.99), "goal": _goal({})}, ["percent"]),
}


JOURNEY: Final[dict[str, Shape]] = {
    "entry": _CAUSES,
    "exit": either(one_of("goal"), CAUSE, {"type": "array", "items": CAUSE}),
    "steps": STEPS,
    "re_entry": either(one_of("never", "always"), mapping({"after": DURATION}, ["after"])),
    "late": _LATE,
    "on_change": one_of("finish", "exit"),
    "category": TEXT,
    "goal": _goal({"within": DURATION}),
    "hold_at_most": DURATION,
    "holdout": _SHARE,
    "while_running": one_of("refuse", "restart"),
    "priority": whole(0, MAX_PRIORITY),
    "spread": DURATION,
    "from": DATE,
    "until": DATE,
}
_TYPE: Final = either(one_of(*TYPES), mapping({"type": one_of(*TYPES), "non-negative": FLAG}, ["type"]))
SECTIONS: Final[dict[str, Shape]] = {
    "schema": mapping({"events": named(either(named(_TYPE), {"type": "null"})), "traits": named(_TYPE)}),
    "values": named(EXPRESSION),
    "segments": named(either(EXPRESSION, mapping({EACH: _EACH, "if": EXPRESSION}, [EACH, "if"]))),
    "journeys": named(mapping({EACH: _EACH, **JOURNEY}, ["entry", "steps"])),
    "settings": mapping(SETTINGS),
    "policies": mapping(POLICIES),
    "tiers": named(
        mapping(
            {"keep": DURATION, "levels": listed(named(EXPRESSION) | {"minProperties": 1, "maxProperties": 1}, MAX_LEVELS)},
            ["keep", "levels"],
        )
    ),
}


def _step() -> Shape:
    """Return the shape of a step: one of the words that name a kind, with the keys that belong to it."""
    keys: dict[str, Shape] = {"name": NAME}
    belong: dict[str, list[str]] = {}
    for word, kind in STEP_KINDS.items():
        shapes = kind.keys()
        keys |= {word: shapes[""]} | {key: shape for key, shape in shapes.items() if key}
        for key in kind.also:
            belong.setdefault(key, []).append(word)
    own = [word for word in STEP_KINDS if word != "when"]
    step = mapping(keys)
    step["oneOf"] = [{"required": [word]} for word in own]
    step["oneOf"].append({"required": ["when"], "not": {"anyOf": [{"required": [word]} for word in own]}})
    step["dependentRequired"] = {key: words for key, words in belong.items() if len(words) == 1}
    return step


def rule_schema() -> dict[str, Any]:
    """Return the JSON Schema of a rule file."""
    sections = {name: either(shape, {"type": "null"}) for name, shape in SECTIONS.items()}
    return {
        "$schema": DRAFT,
        "title": "A rule file of Cueline",
        **mapping({"version": {"enum": [1, 2]}, **sections}, ["version"]),
        "$defs": {
            "cause": either(*(shape_of(kind, word) for word, kind in CAUSES.items())),
            "steps": listed({"$ref": "#/$defs/step"}, MAX_STEPS),
            "step": _step(),
        },
    }
