"""Parse journeys: their entries, steps and exits.

journeys:
  trial:
    entry: {enters: likely-payer}
    re_entry: {after: 180d}
    exit: {event: order_paid}
    steps:
      - wait: 1h
      - when: not did("order_paid")
      - send: {channel: benefit, grant: {plan: member, days: 3}, not_after: 24h}
        name: offer
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Final

from triggers.base.model import DAY
from triggers.causes import KINDS as CAUSES
from triggers.causes.cause import CauseKind, kind_of
from triggers.causes.once import read_date
from triggers.definitions.model import MAX_PRIORITY, USUAL_PRIORITY, Cause, Condition, Goal, Journey, Late, Operand, Segment, Step
from triggers.definitions.policies import HOLD_AT_MOST, LONGEST_HOLD, MARKETING, TRANSACTIONAL
from triggers.definitions.tiers import Tier
from triggers.language import later
from triggers.language.documents import List, Map, Node, Scalar
from triggers.language.fields import MAX_NAME, NEEDS_2, Fields, is_duration, is_name, is_nothing, kind
from triggers.language.operands import Typed
from triggers.language.references import NO_REFERENCES, Part
from triggers.language.schema import Schema
from triggers.language.templates import TemplateError, compile_template
from triggers.rules.goals import read_goal
from triggers.rules.shares import read_share
from triggers.rules.versions import versions
from triggers.steps import KINDS as STEPS
from triggers.steps import StepKind, all_of
from triggers.steps.send import CHANNELS

MAX_STEPS: Final = 100
"""Of one list."""
MAX_ALL_STEPS: Final = 500
"""Of a journey, with those inside others."""
_NO_TIERS: Final[Mapping[str, Tier | None]] = {}
_LATE: Final = Late(24 * 3_600_000, "drop")
MAX_KEPT: Final = 2 * 1024
"""Most bytes of the arms that a run keeps. `journeys.runs.FEW_RUNS` depends on it."""
JOURNEY: Final = ("entry", "steps", "exit", "re_entry", "late", "on_change")
_OF_SETTINGS: Final = "others are named in settings: {categories: [...]}"
JOURNEY_2: Final = ("category", "goal", "hold_at_most", "while_running", "priority", "spread", "from", "until", "holdout")
"""Further keys in files of version 2."""
MAX_CAUSES: Final = 20
"""Most causes of an entry in a list."""
_GUARD: Final = "when"
"""The one kind of step that can also be part of another, as its guard."""

_BOUND: Final = "the first or the last date on which users enter, as in 2026-03-31"
_RE_ENTRY: Final = dict.fromkeys(("once", "no", "false"), "never") | dict.fromkeys(("yes", "true", "allow", "allowed"), "always")
"""Words of other tools for the two words of `re_entry`."""
_NONE: Final = ("none", "never", "no", "null")
_NUMBERS: Final = {2: "two", 3: "three"}

Compile = Callable[[Scalar, str | None], Condition | None]
"""Compiles the expression in a scalar; with an event's name, over that event's properties."""


class JourneyReader:
    def __init__(
        self,
        fields: Fields,
        compile_: Compile,
        schema: Schema,
        segments: Mapping[str, Segment | None],
        late: Late = _LATE,
        channels: Collection[str] = (),
        zone: str = "UTC",
        categories: Collection[str] = (),
        values: Mapping[str, Part[Typed] | None] = NO_REFERENCES.values,
        tiers: Mapping[str, Tier | None] = _NO_TIERS,
    ) -> None:
        self.fields = fields
        self.compile = compile_
        self.schema = schema
        self.segments = segments
        self.late = late
        self.channels = (*CHANNELS, *channels)
        self.zone = zone
        self.categories = (MARKETING, TRANSACTIONAL, *categories)
        self.values = values
        self.tiers = tiers
        self.entries: tuple[CauseKind, ...] = ()
        """Of the journey that is being read, without those that cannot be read."""
        self.awaited: list[CauseKind] = []
        """What the waits of the journey wait for that have been read."""
        self.nodes: dict[str, dict[str, Node]] = {}
        """The steps of all journeys that were read, by journey and name."""
        self._steps: dict[str, Node] = {}
        """Its steps by name."""
        self._claims: set[str] = set()
        """What only one of its steps may have."""
        self._kept = 0
        """Bytes that a run keeps of them."""
        self._version = 1
        """Of the file that it is in."""

    def read(self, name: str, node: Node) -> Journey | None:
        self._version = self.fields.version(node)
        newer = {} if self._version > 1 else dict.fromkeys(JOURNEY_2, NEEDS_2)
        what = f'the journey "{name}"'
        parts = self.fields.keys(node, what, self.journey_words, required=("entry", "steps"), later=later.JOURNEYS | newer)
        if parts is None:
            return None
        self.entries = entries = self._causes(parts["entry"], "entry") if "entry" in parts else ()
        self._steps, self.awaited = {}, []
        self.nodes[name] = self._steps
        self._claims = set()
        self._kept = 0
        steps = self.steps(parts["steps"], "") if "steps" in parts else None
        goal = read_goal(self.fields, parts["goal"], self._cause) if "goal" in parts else None
        exits = self._exits(parts["exit"], goal, lacks="goal" not in parts) if "exit" in parts else ()
        usual = 0 if any(entry.by_clock for entry in entries) else None
        re_entry = self._re_entry(parts["re_entry"]) if "re_entry" in parts else usual
        late = read_late(self.fields, parts["late"], self.late) if "late" in parts else self.late
        on_change = self._on_change(parts["on_change"]) if "on_change" in parts else "finish"
        category = self.fields.word(parts["category"], "category", self.categories, _OF_SETTINGS) if "category" in parts else None
        hold_at_most = self._hold_at_most(parts["hold_at_most"]) if "hold_at_most" in parts else HOLD_AT_MOST
        restarts = (
            "while_running" in parts and self.fields.word(parts["while_running"], "while_running", ("refuse", "restart")) == "restart"
        )
        priority = self._priority(parts["priority"]) if "priority" in parts else USUAL_PRIORITY
        length = self._spread(parts["spread"]) if "spread" in parts else 0
        opens = read_date(self.fields, parts["from"], "from", _BOUND) if "from" in parts else None
        closes = read_date(self.fields, parts["until"], "until", _BOUND) if "until" in parts else None
        if opens is not None and closes is not None and closes < opens:
            self.fields.refuse(parts["until"], "until is before from", "no user could enter")
        holdout = read_share(self.fields, parts["holdout"], "holdout", "%") if "holdout" in parts else None
        if category == TRANSACTIONAL and "holdout" in parts:
            self.fields.refuse(parts["holdout"], "holdout of a transactional journey", "such messages reach all users; leave it out")
        if not entries or not steps:
            return None
        journey = Journey(
            name,
            "",
            entries[0],
            steps,
            exits,
            re_entry,
            late,
            "exit" if on_change == "exit" else "finish",
            category=category or MARKETING,
            more_entries=entries[1:],
            while_running="restart" if restarts else "refuse",
            priority=priority,
            goal=goal,
            values=self._shown(steps),
            hold_at_most=hold_at_most,
            spread=length,
            opens=opens,
            closes=closes,
            holdout=holdout or 0,
            exit_is_goal=goal is not None and "exit" in parts and _is_goal(parts["exit"]),
        )
        named = {name for cause in (*entries, *exits, *([kind_of(goal.cause)] if goal else [])) for name in cause.segment_names()}
        named.update(name for step in all_of(steps) for name in step.segment_names())
        conditions = {name: segment.condition for name in named if (segment := self.segments.get(name))}
        drops_late_entries = "late" in parts and late.then == "drop"
        version, hash_ = versions(journey, conditions, drops_late_entries=drops_late_entries, zone=self.zone)
        return replace(journey, version=version, hash=hash_, drops_late_entries=drops_late_entries)

    def _shown(self, steps: Iterable[Step]) -> dict[str, Operand]:
        """Return the values that the texts of steps show."""
        names: set[str] = set()
        for text in (text for step in all_of(steps) for text in step.texts()):
            with suppress(TemplateError):  # it is reported already
                names |= compile_template(text).values
        return {name: part.meaning.operand for name in sorted(names) if (part := self.values.get(name)) is not None}

    def _hold_at_most(self, node: Node) -> int:
        length = self.fields.duration(node, "hold_at_most", zero=True)
        if length is not None and length > LONGEST_HOLD:
            self.fields.refuse(node, "hold_at_most is longer than 31d", "a message can be held for 31 days at most")
        return HOLD_AT_MOST if length is None else length

    def _spread(self, node: Node) -> int:
        length = self.fields.duration(node, "spread") or 0
        if length >= DAY:
            self.fields.refuse(node, "spread is not below 24h", "as in spread: 2h")
        if self.entries and not any(entry.by_clock for entry in self.entries):
            self.fields.refuse(
                node, "spread without an entry by the clock", 'as in entry: {every: week, on: [monday], at: "10:00", inside: S}'
            )
        return length

    # ---- what kinds of causes and steps ask --------------------------------------------------------------------------

    @property
    def step_words(self) -> Collection[str]:
        return tuple(dict.fromkeys([*(word for first, kind_ in self._kinds().items() for word in (first, *kind_.also)), "name"]))

    def _kinds(self) -> dict[str, type[StepKind]]:
        """Return the kinds of steps that the file knows, by their word."""
        return {word: kind_ for word, kind_ in STEPS.items() if kind_.since <= self._version}

    @property
    def journey_words(self) -> Collection[str]:
        return (*JOURNEY, *JOURNEY_2) if self._version > 1 else JOURNEY

    def condition(self, node: Node, what: str, event: str | None) -> Condition | None:
        if isinstance(node, Scalar):
            return self.compile(node, event)
        self.fields.refuse(node, f"{what} is {kind(node)}", "an expression belongs here")
        return None

    def steps(self, node: Node, path: str) -> tuple[Step, ...] | None:
        what = next((word for word in ("then", "else", "came", "timed_out") if path.endswith(f".{word}.")), "steps")
        if isinstance(node, Map):
            self.fields.refuse(node, f"{what} is a mapping", "a list belongs here: each step begins with a dash")
            return None
        items = self.fields.items(node, what)
        if items is None:
            return None
        if not items and what != "steps":
            self.fields.refuse(node, f"{what} is an empty list", f"leave {what} out, or put steps into it")
            return None
        if not 0 < len(items) <= MAX_STEPS:
            self.fields.refuse(node, f"{len(items)} steps", f"1 to {MAX_STEPS} steps belong here")
            return None
        steps = [self._step(item, f"{path}{index}") for index, item in enumerate(items, 1)]
        return None if None in steps else tuple(step for step in steps if step is not None)

    def cause(self, node: Node, what: str, others: Collection[str]) -> CauseKind | None:
        return self._cause(node, what, others)

    def cause_of_policy(self, node: Node, what: str) -> CauseKind | None:
        """Read a cause that belongs to no journey."""
        self._version, self.entries = self.fields.version(node), ()
        return self._cause(node, what)

    def await_causes(self, causes: Iterable[Cause]) -> None:
        self.awaited += map(kind_of, causes)

    # ---- entries and exits ------------------------------------------------------------------------------------------

    def _cause(self, node: Node, what: str, others: Collection[str] = ()) -> CauseKind | None:
        if isinstance(node, Scalar) and not is_nothing(node) and ":" not in node.text:
            word = "enters" if node.text in self.segments else "event"
            hint = "leave it out" if node.text in _NONE else f"as in {{{word}: {node.text[:MAX_NAME]}}}"
            self.fields.refuse(node, f"{what} is {kind(node)}", hint)
            return None
        before = len(self.fields.problems)
        kinds = {word: kind_ for word, kind_ in CAUSES.items() if kind_.since <= self._version and (what == "entry" or not kind_.by_clock)}
        hints = {word: hint for kind_ in kinds.values() for word, hint in kind_.also.items()}
        clocked = dict.fromkeys(later.CLOCK, NEEDS_2 if what == "entry" else "only an entry can be by the clock")
        newer = {word: NEEDS_2 for word, kind_ in CAUSES.items() if kind_.since > self._version}
        outer = dict.fromkeys(self.journey_words, "it belongs to the journey, next to entry and steps") if what == "entry" else {}
        parts = self.fields.keys(node, what, (*kinds, *hints, *others), later=outer | later.ENTRIES | newer | clocked)
        if parts is None:
            return None
        words = [word for word in kinds if word in parts]
        words = [word for word in words if not any(word in kinds[other].also for other in words)]
        if not words and len(self.fields.problems) > before:
            return None  # the error is reported: an unknown word is in its place
        if not words and "inside" in parts and what == "entry":
            hint = f"{{enters: {self._shown_text(parts['inside'])}}} enters with the segment; inside belongs to an entry by the clock"
            self.fields.refuse(parts["inside"], "inside without every, on or date", hint)
            return None
        if len(words) != 1:
            known = list(kinds)
            found = " and ".join(words) if words else f"neither {', '.join(known[:-1])} nor {known[-1]}"
            examples = [CAUSES[word].example[word] for word in known]
            self.fields.refuse(node, f"{what} has {found}", f"one of {', '.join(examples[:-1])} and {examples[-1]} belongs here")
            return None
        cause = CAUSES[words[0]]
        if "key" in parts:
            self._check_key(parts["key"], what)
        for word in parts:
            if word in hints and word not in cause.also and word not in words:
                self.fields.refuse(parts[word], f"{word} with {words[0]}", hints[word])
        return cause.read(words[0], parts, what, self)

    def _shown_text(self, node: Node) -> str:
        return node.text[:MAX_NAME] if isinstance(node, Scalar) and is_name(node.text) else "S"

    def _check_key(self, node: Node, what: str) -> None:
        """Refuse a key of a file or of a journey that has none."""
        if self._version == 1:
            self.fields.refuse(node, f"{what}: key", NEEDS_2)
        elif what != "entry" and self.entries and not any(entry.key_path() for entry in self.entries):
            self.fields.refuse(node, f"{what}: key, but the entry has none", "as in entry: {event: E, key: cart_id}")

    def _exits(self, node: Node, goal: Goal | None, *, lacks: bool) -> tuple[CauseKind, ...]:
        if _is_goal(node):
            if lacks:
                hint = "add goal: {event: E, within: 14d}" if self._version > 1 else f"a goal {NEEDS_2}"
                self.fields.refuse(node, "exit is the goal, and the journey has no goal", hint)
            return () if goal is None else (kind_of(goal.cause),)
        if isinstance(node, List) and (first := next((item for item in node.items if _is_goal(item)), None)) is not None:
            hint = "write exit: goal alone, or the cause of the goal in the list, as in exit: [{event: E}, {leaves: S}]"
            self.fields.refuse(first, "the word goal in a list of exits", hint)
            return ()
        return self._causes(node, "exit")

    def _causes(self, node: Node, what: str) -> tuple[CauseKind, ...]:
        """Parse a cause or a list of causes; what has errors is left out."""
        if not isinstance(node, List):
            found = self._cause(node, what)
            return () if found is None else (found,)
        if what == "entry" and self._version == 1:
            self.fields.refuse(node, "entry is a list", NEEDS_2)
        elif not node.items:
            self.fields.refuse(
                node,
                f"{what} is an empty list",
                "leave it out" if what == "exit" else "{event: E}, {enters: S} or {leaves: S} belongs in it",
            )
        elif what == "entry" and len(node.items) > MAX_CAUSES:
            self.fields.refuse(node, f"{what} has {len(node.items)} causes", f"at most {MAX_CAUSES} belong here")
        causes = [self._cause(item, what) for item in node.items]
        if what == "entry" and len({bool(cause.key_path()) for cause in causes if cause is not None}) > 1:
            self.fields.refuse(node, "entry has causes with a key and causes without", "all of them need a key, or none of them")
        return tuple(cause for cause in causes if cause is not None)

    def _priority(self, node: Node) -> int:
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_PRIORITY:
            return value
        shown = node.text[:40] if isinstance(node, Scalar) and node.text else kind(node)
        self.fields.refuse(
            node,
            f"priority is {shown}",
            f"a whole number from 0 to {MAX_PRIORITY} belongs here; {USUAL_PRIORITY} without it",
        )
        return USUAL_PRIORITY

    def _on_change(self, node: Node) -> str | None:
        if isinstance(node, Scalar) and node.text == "move":
            self.fields.refuse(node, "on_change: move is not in the language yet", "finish lets runs end as they began, exit ends them")
            return None
        return self.fields.word(node, "on_change", ("finish", "exit"))

    def _re_entry(self, node: Node) -> int | None:
        if isinstance(node, Map):
            parts = self.fields.keys(node, "re_entry", ("after",), ("after",), later.RE_ENTRY, "as in re_entry: {after: 30d}")
            return self.fields.duration(parts["after"], "re_entry: after") if parts and "after" in parts else None
        if isinstance(node, Scalar) and (length := _length(node.text)):
            self.fields.refuse(node, f're_entry cannot be "{node.text}"', f"re_entry: {{after: {length}}} is meant")
            return None
        if isinstance(node, Scalar) and node.text in _RE_ENTRY:
            self.fields.refuse(node, f're_entry cannot be "{node.text}"', f"re_entry: {_RE_ENTRY[node.text]} is meant")
            return None
        word = self.fields.word(node, "re_entry", ("never", "always", "{after: 180d}"))
        return 0 if word == "always" else None

    # ---- steps ------------------------------------------------------------------------------------------------------

    def _step(self, node: Node, index: str) -> Step | None:
        before = len(self.fields.problems)
        kinds = self._kinds()
        newer = {word: NEEDS_2 for first, kind_ in STEPS.items() if first not in kinds for word in (first, *kind_.also)}
        example = "" if isinstance(node, Map) else "as in - wait: 3d, - end: no interest or - send: {channel: push, text: Hi}"
        parts = self.fields.keys(node, "a step", self.step_words, later=later.STEPS | newer, example=example)
        if parts is None or (len(self.fields.problems) > before and not kinds.keys() & parts):
            return None
        name = self._step_name(node, parts.get("name"), index)
        when = self.condition(parts[_GUARD], _GUARD, None) if _GUARD in parts else None
        words = [word for word in kinds if word in parts and word != _GUARD]
        if len(words) > 1:
            does = " and ".join(STEPS[word].does for word in words)
            apart = " and ".join(f"- {word}: ..." for word in words)
            under = ", or put the one under then:" if "if" in words and "then" not in parts else ""
            self.fields.refuse(node, f"a step that {does}", f"make {_NUMBERS.get(len(words), 'several')} steps of it: {apart}{under}")
            return None
        lost = next((other for other in parts if other != "name"), None)
        if not words and _GUARD not in parts and lost is not None:
            with_ = next(first for first, one in kinds.items() if lost in one.also)
            self.fields.refuse(parts[lost], f'"{lost}" as a step of its own', f'it belongs to the step "{with_}", without a dash before it')
            return None
        if not words and _GUARD not in parts:
            known = [word for word in kinds if word != _GUARD]
            self.fields.refuse(node, "a step that does nothing", f"{', '.join(known)} or {_GUARD} belongs here")
            return None
        word = words[0] if words else _GUARD
        kind_ = kinds[word]
        for other, with_ in ((other, first) for first, one in kinds.items() for other in one.also):
            if other in parts and other not in kind_.also:
                self.fields.refuse(parts[other], f'"{other}" without "{with_}"', f'it belongs next to "{with_}"')
        extra = {other: parts[other] for other in kind_.also if other in parts}
        step = kind_.read(parts[word], name or index, when, self, extra)
        if step is not None and (claim := step.claim()):
            if claim in self._claims:
                self.fields.refuse(parts[word], claim, "give it another name")
            self._claims.add(claim)
        if step is not None and self._kept <= MAX_KEPT < self._kept + step.kept():
            self.fields.refuse(
                parts[word], f"a run would keep more than {MAX_KEPT:,} bytes of names of arms", "have fewer splits, or shorter names"
            )
        self._kept += 0 if step is None else step.kept()
        return None if name is None else step

    def _step_name(self, step: Node, node: Node | None, index: str) -> str | None:
        name = index if node is None else self.fields.name(node, "a step")
        if name is not None and name in self._steps:
            first = self._steps[name]
            line, _ = first.source.place(first.start)
            self.fields.refuse(
                node or step,
                f'a second step named "{name}"',
                f"the first is on line {line}; steps without a name are named by their number",
            )
            return None
        if name is not None:
            self._steps[name] = step
            if len(self._steps) == MAX_ALL_STEPS + 1:
                self.fields.refuse(step, f"more than {MAX_ALL_STEPS} steps in a journey", "make two journeys of it")
        return name


_LENGTH: Final = re.compile(r"(?:after )?([0-9]{1,4}) ?([hdw])(?:ours?|ays?|eeks?)?")


def _length(text: str) -> str:
    """Return the duration that a text such as `30d` or `30 days` means; empty if it means none."""
    match = _LENGTH.fullmatch(text)
    return match[1] + match[2] if match is not None else text if is_duration(text) else ""


def _is_goal(node: Node) -> bool:
    return isinstance(node, Scalar) and node.text == "goal"


def read_late(fields: Fields, node: Node, default: Late) -> Late:
    """Read `{after: 24h, then: drop}`; a missing key has its default."""
    parts = fields.keys(node, "late", ("after", "then"), example="as in late: {after: 24h, then: drop}")
    if not parts:
        if parts is not None:
            fields.refuse(node, "late says nothing", "as in late: {after: 24h, then: drop}")
        return default
    after = fields.duration(parts["after"], "late: after", zero=True) if "after" in parts else default.after
    then = fields.word(parts["then"], "late: then", ("drop", "send")) if "then" in parts else default.then
    return Late(default.after if after is None else after, "send" if then == "send" else "drop")
