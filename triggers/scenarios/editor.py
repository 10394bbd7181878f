"""The JSON Schema of scenario files (draft 2020-12), for editors. See `triggers.rules.editor`."""

from __future__ import annotations

from typing import Any, Final

from triggers.language.shapes import DURATION, NAME, TEXT, Shape, either, listed, mapping, named
from triggers.records.decisions import KINDS
from triggers.records.expectations import MOMENTS
from triggers.rules.editor import DRAFT
from triggers.scenarios.files import ACTION, DECISION, MAPPINGS
from triggers.scenarios.given import ALLOWED

_MOMENT: Final[Shape] = {"type": ["string", "integer"]}
"""`2026-01-31T09:00Z`, `+3d`."""
_DATA: Final[Shape] = {"type": "object"}
_NOTHING: Final[Shape] = {"type": "null"}
_KEYS: Final[dict[str, Shape]] = {
    "user": NAME,
    "properties": _DATA,
    "context": _DATA,
    "happened": _MOMENT,
    "messageId": NAME,
    "every": DURATION,
    "times": {"type": "integer", "minimum": 1},
    "channel": TEXT,
    "reason": TEXT,
}
"""The keys of a record of `given`, next to the one that says what it is."""


def _record(what: str, allowed: tuple[str, ...]) -> Shape:
    value: Shape = _DATA if what == "traits" else either(TEXT, _NOTHING) if what == "go-live" else TEXT
    return mapping({"at": _MOMENT, what: value} | {key: _KEYS[key] for key in allowed}, [what])


def _expected(fields: tuple[str, ...]) -> dict[str, Shape]:
    found: dict[str, Shape] = {}
    for name in fields:
        shape: Shape = _DATA if name in MAPPINGS else _MOMENT if name in MOMENTS else TEXT
        found[name] = either({"enum": list(KINDS)}) if name == "kind" else {"type": "array"} if name in ("path", "quiet") else shape
    return {name: either(shape, _NOTHING) for name, shape in found.items()}


def scenario_schema() -> dict[str, Any]:
    """Return the JSON Schema of a scenario file."""
    decision = mapping(_expected(DECISION), ["kind"])
    outcomes = listed(either(decision, mapping(_expected(ACTION))))
    scenario = mapping(
        {
            "given": listed(either(*(_record(what, allowed) for what, allowed in ALLOWED.items()))),
            "then": outcomes,
            "never": outcomes,
            "until": _MOMENT,
            "start": _MOMENT,
            "live": {"type": "boolean"},
        },
        ["given"],
    )
    scenario["anyOf"] = [{"required": ["then"]}, {"required": ["never"]}]
    return {
        "$schema": DRAFT,
        "title": "A scenario file of Cueline",
        **mapping({"version": {"const": 1}, "scenarios": named(scenario)}, ["version", "scenarios"]),
    }
