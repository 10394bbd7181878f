"""Reads scenario files and checks them like rule files: everything that is wrong, in all of them, at once, with its place.

A scenario that names what does not exist always passes and shows nothing: `never: [{journey: thnks}]`. So names are compared with the
rules, users in `then` and `never` with those in `given`, and events with the schema if there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from triggers.base.model import DAY
from triggers.base.moments import iso
from triggers.definitions.model import RuleSet
from triggers.language.documents import MAX_PROBLEMS, List, Map, Node, Problem, Problems, RuleErrors, Scalar, TooMany, parse
from triggers.language.fields import MAX_NAME, nearest
from triggers.records.decisions import KINDS
from triggers.records.expectations import MOMENTS, Expectation, Leaf, Wanted
from triggers.rules.checks import SECTIONS
from triggers.scenarios.fields import Names, ScenarioFields
from triggers.scenarios.given import Fetch, Given, GivenReader

VERSION: Final = 1
_BOTH: Final = ("id", "user", "journey", "version", "run", "step", "at", "due", "cause", "rule_set", "arm", "arms", "key")
ACTION: Final = (*_BOTH, "channel", "category", "quiet", "message", "grant", "budget", "not_after")
"""The fields of an action that a scenario can name."""
DECISION: Final = (*_BOTH, "kind", "reason", "values", "path")
MAPPINGS: Final = ("message", "grant", "budget", "values", "cause", "arms")
_ACTION_NULLS: Final = ("message", "grant", "not_after")
"""What may be `null`: an action without a message is a grant."""
_DECISION_NULLS: Final = ("id", "user", "journey", "version", "run", "step", "reason", "due")


_RULES: Final = dict.fromkeys(SECTIONS, "rules are in files of their own, without .scenarios in the name, which cueline check reads")


class ScenarioErrors(RuleErrors):
    """Scenario files that cannot be run; `problems` says why, in the order of files and lines."""


@dataclass(frozen=True)
class Scenario:
    """Invented records, and what must and must not come of them. Moments are ms."""

    file: str
    name: str
    start: int
    live: bool
    given: tuple[Given, ...]
    until: int | None
    then: tuple[Expectation, ...]
    never: tuple[Expectation, ...]


def read_scenarios(rules: RuleSet, files: Mapping[str, str], fetch: Fetch | None = None) -> list[Scenario]:
    """Read the scenarios of the files (text by name), in their order. `fetch` returns the rules that they apply in mid-story.

    Raises `ScenarioErrors` with all that is wrong.
    """
    problems = Problems()
    reader = _Reader(ScenarioFields(problems), Names(rules), fetch)
    found: list[Scenario] = []
    try:
        for file, text in sorted(files.items()):
            before = len(problems)
            root = parse(file, text, problems)
            if root is not None:
                found += reader.file(root)
            elif len(problems) == before:
                problems.append(Problem(file, 1, 1, "the file is empty", f"version: {VERSION} belongs at its top"))
    except TooMany:
        raise ScenarioErrors([*problems, Problem("~", 1, 1, f"more than {MAX_PROBLEMS:,} problems", "fix these first")]) from None
    if problems:
        raise ScenarioErrors(problems)
    return found


class _Reader:
    def __init__(self, fields: ScenarioFields, names: Names, fetch: Fetch | None) -> None:
        self.fields = fields
        self.names = names
        """What the scenario that is being read can name."""
        self._rules = names
        self._fetch = fetch

    def file(self, root: Node) -> list[Scenario]:
        parts = self.fields.keys(root, "the file", ("version", "scenarios"), required=("scenarios",), later=_RULES)
        if parts is None:
            return []
        version = parts.get("version")
        value = version.value if isinstance(version, Scalar) else None
        if version is None:
            self.fields.refuse(root, "the file has no version", f"version: {VERSION} belongs at its top")
        elif value != VERSION or isinstance(value, bool | float):
            self.fields.refuse(version, "this version is not known", f"version: {VERSION} belongs here, in scenario files of all rules")
        found = self.fields.mapping(parts["scenarios"], "scenarios") if "scenarios" in parts else None
        if found is not None and not found.entries:
            self.fields.refuse(found, "there are no scenarios", "each has a name, and under it given, then and never")
        read = [self._scenario(key.text, value) for key, value in (found.entries if found else ())]
        return [scenario for scenario in read if scenario is not None]

    def _scenario(self, name: str, node: Node) -> Scenario | None:
        keys = ("given", "then", "never", "until", "start", "live")
        parts = self.fields.keys(node, "a scenario", keys, required=("given",))
        if parts is None:
            return None
        before = len(self.fields.problems)
        if "then" not in parts and "never" not in parts:
            self.fields.refuse(node, "a scenario that expects nothing", "then or never belongs into it")
        start = self.fields.moment(parts["start"], "start") if "start" in parts else None
        live = self.fields.flag(parts["live"], "live") if "live" in parts else True
        given = GivenReader(self.fields, self._rules, start, self._fetch)
        for item in self._items(parts, "given"):
            given.read(item)
        self.names = given.names
        if given.lacks_rules:
            return None
        until = given.until(parts["until"]) if "until" in parts else None
        then = tuple(self._expectation(item, "then", given.users) for item in self._items(parts, "then"))
        never = tuple(self._expectation(item, "never", given.users) for item in self._items(parts, "never"))
        first = given.records[0].at if given.records else 0
        if start is not None and start > first and given.records:
            self.fields.refuse(parts["start"], "start is after the first record", f"it comes at {iso(first)}")
        if len(self.fields.problems) > before or "given" not in parts:
            return None
        start = max(0, first - DAY) if start is None else start
        return Scenario(node.source.file, name, start, bool(live), tuple(given.records), until, then, never)

    def _items(self, parts: Mapping[str, Node], what: str) -> list[Node]:
        """Return the items of a list. An empty list is refused, because it looks like a test but tests nothing."""
        items = self.fields.items(parts[what], what) if what in parts else []
        if items == [] and what in parts:
            self.fields.refuse(parts[what], f"{what} is an empty list", "a record belongs here" if what == "given" else "leave it out")
        return items or []

    # ---- expectations ------------------------------------------------------------------------------------------------

    def _expectation(self, node: Node, section: str, users: set[str] | None) -> Expectation:
        """Read an item of `then` or `never`. `users`: the users in `given`, None if unknown."""
        found = self.fields.mapping(node, f"an item of {section}")
        entries = found.entries if found is not None else []
        if found is not None and not entries:
            self.fields.refuse(found, f"an item of {section} that names nothing", "name at least a user or a journey")
        is_decision = any(key.text == "kind" for key, _ in entries)
        known, others = (DECISION, ACTION) if is_decision else ((*ACTION, "kind"), DECISION)
        parts: dict[str, Node] = {}
        for key, value in entries:
            if key.text in known:
                parts[key.text] = value
            elif key.text in others:
                hint = "without kind an action is meant" if is_decision else f"with a kind, such as {KINDS[0]}, a decision is meant"
                self.fields.refuse(key, f'"{key.text}" of {"a decision" if is_decision else "an action"}', hint)
            else:
                self.fields.refuse(key, f'unknown key "{key.text}" in {section}', nearest(key.text, known))
        named = parts.get("journey")
        journey = named.text if isinstance(named, Scalar) and named.text in self.names.journeys else None
        return Expectation({key: self._wanted(key, value, journey, users, is_decision) for key, value in parts.items()})

    def _wanted(self, key: str, node: Node, journey: str | None, users: set[str] | None, is_decision: bool) -> Wanted:
        """Read the expected value of one field. `journey`: the journey that is meant, if it exists."""
        if _is_null(node) and key in (_DECISION_NULLS if is_decision else _ACTION_NULLS):
            return Leaf(None, "null")
        if key in MOMENTS:
            moment = self.fields.moment(node, key)
            return Leaf(moment, iso(moment or 0))
        if key in MAPPINGS:
            found = self.fields.mapping(node, key)
            if found is not None and key in ("message", "grant"):
                self._parts(found, key, journey)
            return {} if found is None else self._value(found, key)
        if key in ("path", "quiet"):
            items = self.fields.items(node, key)
            return [self._value(item, f"an item of {key}") for item in items or ()]
        if key == "kind":
            self.fields.word(node, "kind", KINDS)
        elif key == "journey":
            self.fields.known(node, "journey", self.names.journeys)
        elif key == "step":
            self.fields.known(node, "step" if is_decision else "step that sends", self.names.steps(journey, sends=not is_decision))
        elif key == "channel":
            self.fields.known(node, "channel", self.names.channels)
        elif self.fields.id(node, key) is not None and key == "user":
            self._occurs(node, users)
        return Leaf(node.value, node.text) if isinstance(node, Scalar) else {}

    def _occurs(self, node: Node, users: set[str] | None) -> None:
        if isinstance(node, Scalar) and users is not None and node.text not in users:
            self.fields.refuse(node, f'the user "{node.text[:MAX_NAME]}" is in no record of given', nearest(node.text, users))

    def _parts(self, node: Map, what: str, journey: str | None) -> None:
        """Compare the keys of a message or grant with those that are sent."""
        known = self.names.parts(what, journey)
        for key, _ in node.entries:
            if key.text not in known:
                self.fields.refuse(key, f'no {what} of {journey or "any journey"} has "{key.text}"', nearest(key.text, known))

    def _value(self, node: Node, what: str) -> Wanted:
        if isinstance(node, Map):
            return {key.text: self._value(value, key.text) for key, value in node.entries}
        if isinstance(node, List):
            return [self._value(item, f"an item of {what}") for item in node.items]
        if node.start == node.end:  # a forgotten value; null is written out
            self.fields.refuse(node, f"{what} is empty", "a value belongs here, or null")
        return Leaf(node.value, node.text)


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None and node.text != ""
