"""Reads journeys: their entries, steps and exits.

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

import difflib
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Final, cast

import orjson

from triggers.definitions.model import Cause, Condition, Journey, Late, OnEvent, OnSegment, Segment, Send, Step, Wait, When
from triggers.language import later
from triggers.language.documents import List, Map, Node, Scalar
from triggers.language.fields import MAX_NAME, Fields, is_duration, kind, nearest
from triggers.language.schema import Schema
from triggers.language.templates import Template, TemplateError, TemplateFailed, compile_template
from triggers.rules.versions import versions

CHANNELS: Final = ("push", "sms", "email", "in_app", "webhook", "benefit")
"""The channels that need no declaration; others are listed under `settings: {channels: [...]}`."""
MAX_STEPS: Final = 100
MAX_GRANT: Final = 4 * 1024
"""Largest grant in bytes of JSON."""
MAX_INTEGER: Final = 2**53
"""Beyond it, numbers of a grant would not be the same everywhere."""
_LATE: Final = Late(24 * 3_600_000, "drop")
JOURNEY: Final = ("entry", "steps", "exit", "re_entry", "late", "on_change")
_STEP: Final = ("wait", "send", "when", "name")
_SEND: Final = ("channel", "grant", "not_after")

USUAL: Final = ("text", "subject", "title", "body", "html", "url", "link", "image", "button", "template", "preheader", "sender")
"""What messages are usually made of; other keys are taken as well."""

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
    ) -> None:
        self.fields = fields
        self.compile = compile_
        self.schema = schema
        self.segments = segments
        self.late = late
        self.channels = (*CHANNELS, *channels)
        self.zone = zone

    def read(self, name: str, node: Node) -> Journey | None:
        parts = self.fields.keys(node, f'the journey "{name}"', JOURNEY, required=("entry", "steps"), later=later.JOURNEYS)
        if parts is None:
            return None
        entry = self._cause(parts["entry"], "entry") if "entry" in parts else None
        steps = self._steps(parts["steps"], entry) if "steps" in parts else None
        exits = self._exits(parts["exit"]) if "exit" in parts else ()
        re_entry = self._re_entry(parts["re_entry"]) if "re_entry" in parts else None
        late = read_late(self.fields, parts["late"], self.late) if "late" in parts else self.late
        on_change = self.fields.word(parts["on_change"], "on_change", ("finish", "exit")) if "on_change" in parts else "finish"
        if entry is None or not steps:
            return None
        journey = Journey(name, "", entry, steps, exits, re_entry, late, "exit" if on_change == "exit" else "finish")
        named = {cause.segment for cause in (entry, *exits) if isinstance(cause, OnSegment)}
        conditions = {name: segment.condition for name in named if (segment := self.segments.get(name))}
        drops_late_entries = "late" in parts and late.then == "drop"
        version, hash_ = versions(journey, conditions, drops_late_entries=drops_late_entries, zone=self.zone)
        return replace(journey, version=version, hash=hash_, drops_late_entries=drops_late_entries)

    # ---- entries and exits ------------------------------------------------------------------------------------------

    def _cause(self, node: Node, what: str) -> Cause | None:
        before = len(self.fields.problems)
        parts = self.fields.keys(node, what, ("event", "where", "enters", "leaves"), later=later.ENTRIES)
        if parts is None:
            return None
        kinds = [key for key in ("event", "enters", "leaves") if key in parts]
        if not kinds and len(self.fields.problems) > before:
            return None  # it has said why: a word that is not known stands in its place
        if len(kinds) != 1:
            found = " and ".join(kinds) if kinds else "neither event, enters nor leaves"
            self.fields.refuse(node, f"{what} has {found}", "one of {event: E}, {enters: S} and {leaves: S} belongs here")
            return None
        if kinds[0] == "event":
            return self._on_event(parts, what)
        if "where" in parts:
            self.fields.refuse(parts["where"], f"where beside {kinds[0]}", "where filters an event")
        segment = self.fields.text(parts[kinds[0]], f"{what}: {kinds[0]}")
        if segment is None:
            return None
        if segment not in self.segments:
            self.fields.refuse(parts[kinds[0]], f'unknown segment "{segment}"', nearest(segment, self.segments))
            return None
        return OnSegment(segment, "enters" if kinds[0] == "enters" else "leaves")

    def _on_event(self, parts: Mapping[str, Node], what: str) -> OnEvent | None:
        event = self.fields.event(parts["event"], f"{what}: event")
        if event is not None and self.schema.events is not None and event not in self.schema.events:
            self.fields.refuse(parts["event"], f'unknown event "{event}"', nearest(event, self.schema.events))
            return None
        where = self._condition(parts["where"], f"{what}: where", event or "") if "where" in parts else None
        return None if event is None else OnEvent(event, where)

    def _exits(self, node: Node) -> tuple[Cause, ...]:
        if not isinstance(node, List):
            found = self._cause(node, "exit")
            return () if found is None else (found,)
        if not node.items:
            self.fields.refuse(node, "exit is an empty list", "leave it out")
        causes = [self._cause(item, "exit") for item in node.items]
        return tuple(cause for cause in causes if cause is not None)

    def _re_entry(self, node: Node) -> int | None:
        if isinstance(node, Map):
            parts = self.fields.keys(node, "re_entry", ("after",), required=("after",))
            return self.fields.duration(parts["after"], "re_entry: after") if parts else None
        if isinstance(node, Scalar) and is_duration(node.text):
            self.fields.refuse(node, f're_entry cannot be "{node.text}"', f"re_entry: {{after: {node.text}}} is meant")
            return None
        word = self.fields.word(node, "re_entry", ("never", "always", "{after: 180d}"))
        return 0 if word == "always" else None

    # ---- steps ------------------------------------------------------------------------------------------------------

    def _steps(self, node: Node, entry: Cause | None) -> tuple[Step, ...] | None:
        items = self.fields.items(node, "steps")
        if items is None:
            return None
        if not 0 < len(items) <= MAX_STEPS:
            self.fields.refuse(node, f"{len(items)} steps", f"1 to {MAX_STEPS} steps belong here")
            return None
        names: dict[str, Node] = {}
        steps = [self._step(item, str(index), entry, names) for index, item in enumerate(items, 1)]
        return None if None in steps else tuple(step for step in steps if step is not None)

    def _step(self, node: Node, index: str, entry: Cause | None, names: dict[str, Node]) -> Step | None:
        before = len(self.fields.problems)
        parts = self.fields.keys(node, "a step", _STEP, later=later.STEPS)
        if parts is None or (len(self.fields.problems) > before and not {"wait", "send", "when"} & set(parts)):
            return None
        name = self._step_name(node, parts.get("name"), index, names)
        when = self._condition(parts["when"], "when", None) if "when" in parts else None
        if "wait" in parts and "send" in parts:
            self.fields.refuse(node, "a step that waits and sends", "make two steps of it: - wait: ... and - send: ...")
            return None
        if "wait" in parts:
            length = self.fields.duration(parts["wait"], "wait")
            return None if length is None or name is None else Wait(name, length, when)
        if "send" in parts:
            return self._send(parts["send"], name or index, when, entry)
        if "when" not in parts:
            self.fields.refuse(node, "a step that does nothing", "wait, send or when belongs here")
            return None
        return None if when is None or name is None else When(name, when)

    def _step_name(self, step: Node, node: Node | None, index: str, names: dict[str, Node]) -> str | None:
        name = index if node is None else self.fields.name(node, "a step")
        if name is not None and name in names:
            line, _ = names[name].source.place(names[name].start)
            self.fields.refuse(
                node or step,
                f'a second step named "{name}"',
                f"the first is on line {line}; steps without a name are named by their number",
            )
            return None
        if name is not None:
            names[name] = step
        return name

    def _condition(self, node: Node, what: str, event: str | None) -> Condition | None:
        if isinstance(node, Scalar):
            return self.compile(node, event)
        self.fields.refuse(node, f"{what} is {kind(node)}", "an expression belongs here")
        return None

    # ---- what is sent -----------------------------------------------------------------------------------------------

    def _send(self, node: Node, name: str, when: Condition | None, entry: Cause | None) -> Send | None:
        found = self.fields.mapping(node, "send")
        if found is None:
            return None
        parts = {key.text: value for key, value in found.entries}
        slips = self._slips(found)
        channel = None if "channel" in slips.values() else self._channel(node, parts.get("channel"))
        not_after = self.fields.duration(parts["not_after"], "not_after") if "not_after" in parts else None
        cut = self.fields.cut(found, [key for key, _ in found.entries if key.text not in (*_SEND, *_STEP, *JOURNEY, *USUAL)])
        rest = [(key, value) for key, value in found.entries if key.text not in (*_SEND, *slips, *cut)]
        if "grant" in parts:
            for key, _ in rest:
                self.fields.refuse(key, f'"{key.text}" beside grant', "a send is a message or a grant; make two steps of it")
            grant = self._grant(parts["grant"])
            return None if channel is None or grant is None else Send(name, channel, None, grant, not_after, when)
        if not rest and slips:
            return None
        if not rest:
            self.fields.refuse(node, "send has nothing to send", 'a message, as in text: "Welcome", or a grant belongs here')
            return None
        message = self._message(rest, entry)
        return None if channel is None or slips else Send(name, channel, message, None, not_after, when)

    def _slips(self, send: Map) -> dict[str, str]:
        """The keys that are no part of a message, although most names are: those of steps and journeys, and slips with what was meant."""
        slips: dict[str, str] = {}
        for key, _ in send.entries:
            if key.text in (*_STEP, *JOURNEY):
                slips[key.text] = key.text
                better = f"it stands beside send: {{send: ..., {key.text}: ...}}" if key.text in ("when", "name") else ""
                better = better or ("make a step of its own of it" if key.text in _STEP else "it belongs to the journey, beside its steps")
                self.fields.refuse(key, f'"{key.text}" inside send', better)
            elif key.text not in _SEND:
                close = difflib.get_close_matches(key.text[:MAX_NAME].casefold(), _SEND, n=1, cutoff=0.85)
                if close:
                    slips[key.text] = close[0]
                    self.fields.refuse(key, f'unknown key "{key.text}" in send', f'did you mean "{close[0]}"?')
        return slips

    def _channel(self, send: Node, node: Node | None) -> str | None:
        if node is None:
            self.fields.refuse(send, 'send has no "channel"', f"one of {', '.join(self.channels)}")
            return None
        channel = self.fields.name(node, "a channel")
        if channel is not None and channel not in self.channels:
            self.fields.refuse(
                node, f'unknown channel "{channel}"', f"{nearest(channel, self.channels)} Others are listed in settings: channels".strip()
            )
            return None
        return channel

    def _message(self, rest: list[tuple[Scalar, Node]], entry: Cause | None) -> dict[str, str]:
        message: dict[str, str] = {}
        for key, value in rest:
            self.fields.name(key, "a part of a message")
            if isinstance(value, Map) and value.source.text.startswith("{{", value.start):
                continue  # a text without quotes, which is said already
            if not isinstance(value, Scalar) or value.value is None:
                self.fields.refuse(value, f'"{key.text}" is {kind(value)}', "a text belongs here")
                continue
            message[key.text] = value.text
            try:
                template = compile_template(value.text)
            except TemplateError as error:
                for fault in error.faults:
                    self.fields.refuse(value, fault.message, fault.hint, fault.offset)
            else:
                self._names(value, template, entry)
                self._try(value, template)
        return message

    def _try(self, node: Scalar, template: Template) -> None:
        """Renders a template that looks at no data: it would always say the same."""
        if template.paths:
            return
        try:
            template.render()
        except TemplateFailed as failure:
            self.fields.refuse(node, f"a text that cannot be rendered: {failure}")

    def _names(self, node: Scalar, template: Template, entry: Cause | None) -> None:
        """Holds what a template looks at against the schema, and against what starts the run."""
        event = entry.event if isinstance(entry, OnEvent) else None
        for root, *path in sorted(template.paths):
            if root == "traits" and self._declares(path, self.schema.traits):
                if self.schema.trait(tuple(path)) is None:
                    self.fields.refuse(
                        node,
                        f'unknown trait "{".".join(path)}"',
                        nearest(".".join(path), self.schema.traits or ()),
                        node.text.find(path[0]),
                    )
            elif root == "properties" and isinstance(entry, OnSegment):
                self.fields.refuse(
                    node,
                    f'"properties.{".".join(path)}" in a journey that a segment starts',
                    "there is no event to have properties: show a trait, or enter by {event: E}",
                    node.text.find("properties"),
                )
            elif root == "properties" and event is not None and self.schema.property(event, tuple(path)) is None:
                known = self.schema.properties(event)
                if self._declares(path, dict.fromkeys(known)):
                    self.fields.refuse(
                        node, f'"{event}" has no property "{".".join(path)}"', nearest(".".join(path), known), node.text.find(path[0])
                    )

    def _declares(self, path: list[str], names: Mapping[str, object] | None) -> bool:
        """Whether the schema has a say: not for a part of the way to what it declares."""
        way = ".".join(path) + "."
        return names is not None and not any(name.startswith(way) for name in names)

    def _grant(self, node: Node) -> dict[str, object] | None:
        found = self.fields.mapping(node, "grant")
        if found is None:
            return None
        if not found.entries:
            self.fields.refuse(node, "an empty grant", "as in grant: {plan: member, days: 3}")
            return None
        before = len(self.fields.problems)
        grant = cast("dict[str, object]", self._json(found))
        if len(self.fields.problems) > before:
            return None
        if len(orjson.dumps(grant)) > MAX_GRANT:
            self.fields.refuse(node, "the grant is too big", f"at most {MAX_GRANT:,} bytes")
            return None
        return grant

    def _json(self, node: Node) -> object:
        if isinstance(node, Map):
            return {key.text: self._json(value) for key, value in node.entries}
        if isinstance(node, List):
            return [self._json(item) for item in node.items]
        value = node.value
        if isinstance(value, int | float) and not -MAX_INTEGER <= value <= MAX_INTEGER:
            self.fields.refuse(node, f"a number of this size: {node.text[:40]}", "put it in quotes")
        return value


def read_late(fields: Fields, node: Node, default: Late) -> Late:
    """`{after: 24h, then: drop}`; what is left out is the default's."""
    parts = fields.keys(node, "late", ("after", "then"))
    if not parts:
        if parts is not None:
            fields.refuse(node, "late says nothing", "as in late: {after: 24h, then: drop}")
        return default
    after = fields.duration(parts["after"], "late: after", zero=True) if "after" in parts else default.after
    then = fields.word(parts["then"], "late: then", ("drop", "send")) if "then" in parts else default.then
    return Late(default.after if after is None else after, "send" if then == "send" else "drop")
