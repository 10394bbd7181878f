"""Check rule files and make a rule set of them. All errors in all files are reported at once.

    rules = load({"welcome.yaml": text})          # raises RuleErrors

Sections of all files make one name space. Names are collected before anything is resolved, so the order of files does not matter and a
faulty segment is not also reported by every journey that names it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Final

import orjson

from triggers.base.model import HOUR
from triggers.base.moments import zone_names
from triggers.definitions.model import KNOWN_HOURS, Condition, Journey, Late, Measure, RuleSet, Segment, Sent
from triggers.definitions.policies import Policies
from triggers.definitions.tiers import Tier
from triggers.language import later
from triggers.language.characters import is_printable
from triggers.language.documents import MAX_PROBLEMS, List, Map, Node, Problem, Problems, RuleErrors, Scalar, TooMany, parse
from triggers.language.expressions import compile_expression, compile_operand
from triggers.language.fields import NEEDS_2, NEWEST, Fields, indented, is_nothing, kind, nearest
from triggers.language.operands import Typed
from triggers.language.references import VALUES, Part, References, named_segments, named_values
from triggers.language.schema import Schema, SchemaReader
from triggers.language.syntax import Report
from triggers.language.trees import parts_of
from triggers.rules.bounds import MAX_STATE, is_keyed, policy_bytes, run_bytes, state_bytes, tier_bytes, window_bytes, windows_bytes
from triggers.rules.budgets import check_budgets
from triggers.rules.each import Writer
from triggers.rules.journeys import JOURNEY, JourneyReader, read_late
from triggers.rules.naming import in_order
from triggers.rules.policies import PolicyReader
from triggers.rules.tiers import MAX_TIERS, read_tier
from triggers.rules.written import Expression, Written
from triggers.state.sends import MAX_BYTES
from triggers.steps.send import CHANNELS

VERSIONS: Final = tuple(str(number) for number in range(1, NEWEST + 1))
"""The versions of the rule language, at the top of each file."""
SECTIONS: Final = ("schema", "values", "segments", "journeys", "settings", "policies", "tiers")
SETTINGS: Final = ("time_zone", "late", "channels", "before_rules", "placeholder_ids", "duplicates", "categories")
MOST_KNOWN_HOURS: Final = 7 * 24
MAX_RULES: Final = 768 * 1024
"""Largest rule set in bytes of JSON: it is published as one record."""
MAX_APPLIED: Final = 2 * MAX_RULES
"""The same for one that was applied before: an earlier release weighed the files, and JSON escapes quotes and ends of lines."""
MAX_FILES: Final = 1_000
MAX_NAMES: Final = 2_000
"""Most segments, and most journeys."""


def rules_hash(files: Mapping[str, str]) -> str:
    """Return the hash of these files: 64 hex characters, SHA-256 of their JSON with sorted names."""
    return sha256(_json(files)).hexdigest()


def load(files: Mapping[str, str], *, applied: bool = False) -> RuleSet:
    """Read the rule set of these files (text by name). Raises `RuleErrors` with all errors.

    `applied`: it was applied before. An earlier release accepted it and its log depends on it, so what was refused only later is read as it
    was read then.
    """
    return read(files, applied=applied).rules


def read(files: Mapping[str, str], *, applied: bool = False) -> Written:
    """Return what `load` returns, with its places in the files."""
    problems = Problems()
    checker = _Checker(problems, applied=applied)
    try:
        rules = checker.check(_parse(files, problems, applied=applied))
    except TooMany:
        rest = Problem("~", 1, 1, f"more than {MAX_PROBLEMS:,} problems", "fix these first")
        raise RuleErrors([*problems, rest]) from None
    if problems or rules is None:
        raise RuleErrors(problems)
    time_zone, placeholder_ids, known_hours, segments, journeys = rules
    rule_set = RuleSet(
        hash=rules_hash(files),
        files=dict(sorted(files.items())),
        segments=dict(sorted(segments.items())),
        journeys=dict(sorted(journeys.items())),
        time_zone=time_zone,
        placeholder_ids=placeholder_ids,
        known_hours=known_hours,
        policies=checker.policies,
        tiers=dict(sorted(checker.tiers.items())),
    )
    return Written(
        rule_set,
        checker.journeys,
        tuple(checker.expressions),
        tuple(checker.schema.events or ()),
        moments=tuple(name for name, one in (checker.schema.traits or {}).items() if one.type == "moment"),
        policies=tuple(checker.sections["policies"]),
        named=checker.named,
        steps=checker.steps,
        versions=checker.fields.versions,
        made=checker.many.made,
        sections=checker.sections,
    )


def _published(file: tuple[str, str]) -> int:
    """Return the bytes of a file in the record that publishes it."""
    return len(orjson.dumps([part.encode(errors="replace").decode() for part in file]))


def _parse(files: Mapping[str, str], problems: Problems, *, applied: bool) -> list[Node]:
    if not files:
        problems.append(Problem(".", 1, 1, "there are no rule files", "rules are in files *.yaml"))
    if len(files) > MAX_FILES:
        problems.append(Problem(".", 1, 1, f"{len(files):,} rule files", f"at most {MAX_FILES:,}"))
        return []
    size = sum(map(_published, files.items()))
    if size > (MAX_APPLIED if applied else MAX_RULES):
        biggest = max(files.items(), key=_published)[0]
        problems.append(
            Problem(biggest, 1, 1, f"the rule files have {size:,} bytes together as JSON", f"at most {MAX_RULES:,}: this is the biggest")
        )
        return []
    found = []
    for name, text in sorted(files.items()):
        if not name or not is_printable(name):  # nor surrogates, which nothing could write down
            problems.append(Problem(ascii(name), 1, 1, "a file name that cannot be printed"))
            continue
        before = len(problems)
        root = parse(name, text, problems)
        if root is not None:
            found.append(root)
        elif len(problems) == before:
            problems.append(Problem(name, 1, 1, "the file is empty", f"version: {NEWEST} belongs at its top"))
    return found


def _json(files: Mapping[str, str]) -> bytes:
    return orjson.dumps(dict(files), option=orjson.OPT_SORT_KEYS)


class _Checker:
    def __init__(self, problems: Problems, *, applied: bool) -> None:
        self.fields = Fields(problems)
        self.problems = problems
        self._applied = applied
        self.schema = Schema()
        self.many = Writer(self.fields)
        self.journeys: dict[str, Map] = {}
        self.policies: Policies | None = None
        self.named: dict[str, dict[str, Node]] = {}
        self.steps: Mapping[str, Mapping[str, Node]] = {}
        self.tiers: dict[str, Tier] = {}
        self.expressions: list[Expression] = []
        self.measures: dict[Measure, tuple[Scalar, int]] = {}
        """Each measure, and its first place."""
        self._names: Collection[str] = ()
        """Of all segments."""
        self._segments: dict[str, Part[Condition] | None] = {}
        """The segments that were read, for those that refer to them; None: not yet, or it has errors."""
        self._values: dict[str, Part[Typed] | None] = {}
        self._channels: Collection[str] = ()
        self._journey_names: Collection[str] = ()
        self._counts_sends = False
        """A condition counts messages, so a send log is kept."""
        self._zone = "UTC"
        self._categories: list[str] = []
        self._whole = False
        """What happened before the rules counts as nothing."""
        self.sections: dict[str, list[Node]] = {name: [] for name in SECTIONS}

    def check(self, roots: list[Node]) -> tuple[str, bool, int, dict[str, Segment], dict[str, Journey]] | None:
        for root in roots:
            self._top(root)
        reader = SchemaReader(self.fields)
        for node in self.sections["schema"]:
            reader.read(node)
        self.schema = reader.schema()
        time_zone, late, channels, placeholder_ids, known_hours = self._settings()
        self._channels = (*CHANNELS, *channels)
        values = self._named("values", "value")
        self._values = dict.fromkeys(values)
        for name in in_order(values, named_values, self.fields, "value"):
            self._value(name, values[name])
        named = self._named("segments", "segment")
        self._names = named.keys()
        self.named = {"segments": named, "values": values}
        self._segments = dict.fromkeys(named)
        segments = {name: self._segment(name, named[name]) for name in in_order(named, named_segments, self.fields, "segment")}
        tiers = self._tiers()
        journeys = JourneyReader(
            self.fields, self._in_step, self.schema, segments, late, channels, time_zone, self._categories, self._values, tiers
        )
        nodes = self._named("journeys", "journey")
        self._journey_names = nodes.keys()
        policies = PolicyReader(self.fields, self._in_consent, channels, self._categories, nodes, journeys.cause_of_policy)
        self.policies = policies.read(self.sections["policies"])
        self.journeys = {name: node for name, node in nodes.items() if isinstance(node, Map)}
        read = {name: journeys.read(name, node) for name, node in nodes.items()}
        self.steps = journeys.nodes
        check_budgets(self.fields, read, journeys.nodes)
        if self.problems:
            return None
        whole = {name: journey for name, journey in read.items() if journey is not None}
        self._bound(len(segments), whole, nodes)
        kept = {name: segment for name, segment in segments.items() if segment is not None}
        return time_zone, placeholder_ids, known_hours, kept, whole

    def _top(self, root: Node) -> None:
        parts = self.fields.keys(root, "the file", ("version", *SECTIONS), later=later.FILES)
        if parts is None:
            return
        version = parts.get("version")
        if version is None:
            self.fields.refuse(root, "the file has no version", f"version: {NEWEST} belongs at its top")
        elif not isinstance(version, Scalar) or version.style or version.text not in VERSIONS:
            what = f"version is {kind(version)}"
            if isinstance(version, Scalar):
                what = "version is a text" if version.text in VERSIONS else f"version {version.text[:40]} is not known"
            self.fields.refuse(version, what, f"version: {NEWEST} belongs here")
        else:
            self.fields.versions[root.source.file] = int(version.text)
        for name in (VALUES, "tiers"):
            if name in parts and self.fields.version(root) < 2:
                self.fields.refuse(parts.pop(name), f"the section {name} in a file of version 1", NEEDS_2)
        for name in SECTIONS:
            if name in parts and not (isinstance(parts[name], Scalar) and _is_empty(parts[name])):
                self.sections[name].append(self.many.section(name, parts[name]))

    def _named(self, section: str, what: str) -> dict[str, Node]:
        """Return the definitions of a section by name, over all files. Refuse a name that is given twice."""
        found: dict[str, tuple[Scalar, Node]] = {}
        for node in self.sections[section]:
            if isinstance(node, List):
                self.fields.refuse(node, f"{section} is a list", "a mapping belongs here: names without dashes")
                continue
            mapping = self.fields.mapping(node, section)
            entries = mapping.entries if mapping else []
            for index, (key, value) in enumerate(entries):
                if section == "journeys" and is_nothing(value) and self._is_next_to(key, entries[index + 1 : index + 2]):
                    break
                name = self.fields.name(key, f"a {what}")
                if name is None:
                    continue
                if name in found:
                    first = found[name][0]
                    line, _ = first.source.place(first.start)
                    self.fields.refuse(key, f'a second {what} named "{name}"', f"the first is at {first.source.file}:{line}")
                    continue
                found[name] = (key, value)
                if len(found) == MAX_NAMES + 1:
                    self.fields.refuse(key, f"more than {MAX_NAMES:,} {section}")
        return {name: value for name, (_, value) in found.items()}

    def _is_next_to(self, key: Scalar, after: list[tuple[Scalar, Node]]) -> bool:
        """Check whether the keys of an empty journey are next to it instead of under it. Refuse that once."""
        found = next((other for other, _ in after if other.text in JOURNEY), None)
        if found is not None:
            self.fields.refuse(found, f'"{found.text}" is next to "{key.text}", which is empty', indented(key.text))
        return found is not None

    def _segment(self, name: str, node: Node) -> Segment | None:
        if not isinstance(node, Scalar):
            self.fields.refuse(node, f'the segment "{name}" is {kind(node)}', 'a condition alone belongs here, as in did("A", days=7)')
            return None
        condition = self._compile(node, None)
        if condition is None:
            return None
        self._segments[name] = Part(condition, node.text, self._references(node))
        return Segment(name, condition, node.text)

    def _tiers(self) -> dict[str, Tier | None]:
        """Read all tiers, by name; None for one that has errors."""
        nodes = self._named("tiers", "tier")
        if len(nodes) > MAX_TIERS:
            self.fields.refuse(nodes[list(nodes)[MAX_TIERS]], f"more than {MAX_TIERS} tiers", "have fewer tiers, each with more levels")
        found = {name: read_tier(self.fields, self._compile, name, node) for name, node in nodes.items()}
        self.tiers = {name: tier for name, tier in found.items() if tier is not None}
        return found

    def _value(self, name: str, node: Node) -> None:
        if not isinstance(node, Scalar):
            self.fields.refuse(node, f'the value "{name}" is {kind(node)}', 'a function or a trait belongs here, as in sum("paid.total")')
            return
        if is_nothing(node):
            self.fields.refuse(node, f'the value "{name}" is empty', 'a function or a trait belongs here, as in sum("paid.total")')
            return
        measures: dict[Measure, int] = {}
        found = compile_operand(
            node.text,
            self._report(node),
            self.schema,
            measures=measures,
            references=self._references(node),
            whole=self._whole,
        )
        self._note(node, (), measures)
        if found is not None:
            self._values[name] = Part(found, node.text, self._references(node))

    def _in_step(self, node: Scalar, event: str | None) -> Condition | None:
        return self._compile(node, event, has_moment=True, has_sends=True)

    def _in_consent(self, node: Scalar, event: str | None) -> Condition | None:
        return self._compile(node, event, has_sends=True)

    def _compile(self, node: Scalar, event: str | None, *, has_moment: bool = False, has_sends: bool = False) -> Condition | None:
        measures: dict[Measure, int] = {}
        parts: list[tuple[int, Condition]] = []
        condition = compile_expression(
            node.text,
            self._report(node),
            self.schema,
            event=event,
            measures=measures,
            segments=self._names,
            references=self._references(node),
            time_zone=self._zone,
            whole=self._whole,
            applied=self._applied,
            parts=parts,
            has_moment=has_moment,
            has_sends=has_sends,
        )
        self._note(node, tuple(parts), measures)
        if has_sends and condition is not None:
            self._counts_sends |= any(isinstance(part, Sent) for part in parts_of(condition))
        return condition

    def _report(self, node: Scalar) -> Report:
        return lambda offset, message, hint: self.fields.refuse(node, message, hint, offset)

    def _note(self, node: Scalar, parts: tuple[tuple[int, Condition], ...], measures: Mapping[Measure, int]) -> None:
        self.expressions.append(Expression(node, parts, measures))
        for measure, offset in measures.items():
            self.measures.setdefault(measure, (node, offset))

    def _references(self, node: Node) -> References:
        return References(self._segments, self._values, self.fields.version(node), self._channels, self._journey_names)

    # ---- settings ---------------------------------------------------------------------------------------------------

    def _settings(self) -> tuple[str, Late, list[str], bool, int]:
        seen: dict[str, Node] = {}
        for node in self.sections["settings"]:
            keys = self.fields.keys(node, "settings", SETTINGS, later=later.SETTINGS)
            for key, value in (keys or {}).items():
                if key in seen:
                    line, _ = seen[key].source.place(seen[key].start)
                    self.fields.refuse(value, f"{key} is set twice", f"first at {seen[key].source.file}:{line}")
                seen.setdefault(key, value)
        if "before_rules" in seen:
            self._whole = self.fields.word(seen["before_rules"], "before_rules", ("unknown", "nothing")) == "nothing"
        default = Late(24 * 3_600_000, "drop")
        time_zone = self._zone = self._time_zone(seen["time_zone"]) if "time_zone" in seen else "UTC"
        late = read_late(self.fields, seen["late"], default) if "late" in seen else default
        listed = self.fields.items(seen["channels"], "channels") if "channels" in seen else None
        names = [self.fields.name(item, "a channel") for item in listed or ()]
        self._categories = self._own_categories(seen["categories"]) if "categories" in seen else []
        ids = self.fields.word(seen["placeholder_ids"], "placeholder_ids", ("refuse", "accept")) if "placeholder_ids" in seen else None
        hours = self._known_hours(seen["duplicates"]) if "duplicates" in seen else KNOWN_HOURS
        return time_zone, late, [name for name in names if name is not None], ids == "accept", hours

    def _known_hours(self, node: Node) -> int:
        length = self.fields.duration(node, "duplicates")
        if length is not None and (length % HOUR or length > MOST_KNOWN_HOURS * HOUR):
            self.fields.refuse(node, "duplicates must be whole hours, at most 7d", "as in duplicates: 24h")
        return KNOWN_HOURS if length is None else length // HOUR

    def _own_categories(self, node: Node) -> list[str]:
        if self.fields.version(node) < 2:
            self.fields.refuse(node, "categories in a file of version 1", NEEDS_2)
        names = [self.fields.name(item, "a category") for item in self.fields.items(node, "categories") or ()]
        return [name for name in names if name is not None]

    def _time_zone(self, node: Node) -> str:
        name = self.fields.text(node, "time_zone")
        if name is None or name in zone_names():
            return name or "UTC"
        self.fields.refuse(node, f'unknown time zone "{name[:64]}"', nearest(name, zone_names()) or "as in Europe/Berlin")
        return "UTC"

    # ---- bounds -----------------------------------------------------------------------------------------------------

    def _bound(self, segments: int, journeys: Mapping[str, Journey], nodes: Mapping[str, Node]) -> None:
        """Refuse rules under which one user's state could outgrow a record. The error is at the largest part."""
        size = state_bytes(self.measures, journeys, segments)
        if self.policies is not None:
            size += policy_bytes(self.policies, journeys, [name for name, journey in journeys.items() if is_keyed(journey)])
        elif self._counts_sends:
            size += MAX_BYTES
        size += tier_bytes(self.tiers)
        if size <= MAX_STATE:
            return
        hint = f"at most {MAX_STATE // 1024} KiB"
        message = f"one user's state could take {size // 1024:,} KiB"
        if 2 * windows_bytes(self.measures) >= size:
            biggest = max(self.measures, key=lambda measure: (window_bytes(measure), measure.key))
            node, offset = self.measures[biggest]
            part = f"of which this window, the biggest, {window_bytes(biggest) // 1024:,} KiB"
            self.fields.refuse(node, f"{message}, {part}", f"{hint}: make windows shorter or their unit coarser", offset)
        else:
            name = max(journeys, key=lambda name: (run_bytes(journeys[name]), name))
            self.fields.refuse(nodes[name], f"{message}, most of it for runs", f"{hint}: have fewer journeys whose texts show properties")


def _is_empty(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None
