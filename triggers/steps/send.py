"""`send: {channel: push, text: Welcome}`: asks for a message or a grant.

A message has keys of any names; their values are templates. A grant is JSON. Which deliverer takes it is the channel's business.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, cast

import orjson

from triggers.definitions.model import Condition
from triggers.language.documents import List, Map, Node, Scalar
from triggers.language.fields import MAX_NAME, NEEDS_2, kind, nearest
from triggers.language.templates import EVENT, Template, TemplateError, TemplateFailed, compile_template
from triggers.records.outbox import TooBig
from triggers.steps.kind import Moment, Reader, StepKind
from triggers.steps.program import Entry, Outcome, Program

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from triggers.steps.context import StepContext

CHANNELS: Final = ("push", "sms", "email", "in_app", "webhook", "benefit")
"""The channels that need no declaration; others are listed under `settings: {channels: [...]}`."""
MAX_GRANT: Final = 4 * 1024
"""Largest grant in bytes of JSON."""
MAX_INTEGER: Final = 2**53
"""Beyond it, numbers of a grant would not be the same everywhere."""
USUAL: Final = ("text", "subject", "title", "body", "html", "url", "link", "image", "button", "template", "preheader", "sender")
"""What messages are usually made of; other keys are taken as well."""
_SEND: Final = ("channel", "grant", "not_after")


@dataclass(frozen=True)
class Send(StepKind):
    """Asks for a message or a grant. The values of `message` are templates."""

    name: str
    channel: str
    message: Mapping[str, str] | None = None
    grant: Mapping[str, object] | None = None
    not_after: int | None = None
    """How long after its due moment the action is worth delivering, ms."""
    when: Condition | None = None

    does: ClassVar[str] = "sends"
    sends: ClassVar[bool] = True
    life: ClassVar[tuple[Moment, ...]] = (
        Moment("`send`, live", "at the next step", "sent"),
        Moment("`send`, the text fails or is too big", "at the next step", "failed"),
    )

    @classmethod
    def read(cls, node: Node, name: str, when: Condition | None, reader: Reader, extra: Mapping[str, Node]) -> Send | None:
        return _SendReader(reader).read(node, name, when)

    def wire(self) -> tuple[str, dict[str, object]]:
        optional = {"message": self.message, "grant": self.grant, "not_after": self.not_after, "when": self.when}
        return "Send", {"name": self.name, "channel": self.channel, **{key: value for key, value in optional.items() if value is not None}}

    def label(self) -> str:
        if self.grant is not None:
            return f"{self.channel}: grant {', '.join(f'{name} {value}' for name, value in self.grant.items())}"
        return f"{self.channel}: {' · '.join(self.texts())}"

    def compile(self, program: Program) -> None:
        program.add(_Sending(self))

    def texts(self) -> Iterable[str]:
        return (self.message or {}).values()

    def parts(self, what: str) -> Collection[str]:
        return ((self.message if what == "message" else self.grant) or {}).keys()


class _Sending(Entry):
    def __init__(self, step: Send) -> None:
        super().__init__(step)
        self.has_message = step.message is not None
        self.templates = {name: compile_template(text) for name, text in (step.message or {}).items()}
        self.channel = step.channel
        self.grant = step.grant
        self.not_after = step.not_after

    def carry_out(self, context: StepContext) -> Outcome:
        outcome = context.pass_gates(self, "send")
        if outcome is not None:
            return outcome
        try:
            message = context.render(self.templates) if self.has_message else None
            content = {"channel": self.channel, "message": message, "grant": self.grant}
            outcome = context.hand_over(self, content, self.not_after)
        except (TemplateFailed, TooBig) as failure:
            context.decide(self, "failed", str(failure))
        return self.next if outcome is None else outcome


class _SendReader:
    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.fields = reader.fields

    def read(self, node: Node, name: str, when: Condition | None) -> Send | None:
        found = self.fields.mapping(node, "send")
        if found is None:
            return None
        parts = {key.text: value for key, value in found.entries}
        slips = self._slips(found)
        channel = None if "channel" in slips.values() else self._channel(node, parts.get("channel"))
        not_after = self.fields.duration(parts["not_after"], "not_after") if "not_after" in parts else None
        known = {*_SEND, *self.reader.step_words, *self.reader.journey_words, *USUAL}
        cut = self.fields.cut(found, [key for key, _ in found.entries if key.text not in known])
        rest = [(key, value) for key, value in found.entries if key.text not in (*_SEND, *slips, *cut)]
        if "grant" in parts:
            for key, _ in rest:
                self.fields.refuse(key, f'"{key.text}" with grant', "a send is a message or a grant; make two steps of it")
            grant = self._grant(parts["grant"])
            return None if channel is None or grant is None else Send(name, channel, None, grant, not_after, when)
        if not rest and slips:
            return None
        if not rest:
            self.fields.refuse(node, "send has nothing to send", 'a message, as in text: "Welcome", or a grant belongs here')
            return None
        message = self._message(rest)
        return None if channel is None or slips else Send(name, channel, message, None, not_after, when)

    def _slips(self, send: Map) -> dict[str, str]:
        """Refuse keys that are no part of a message: those of steps and journeys, and misspelled ones. Return them with the right key."""
        slips: dict[str, str] = {}
        steps = self.reader.step_words
        for key, _ in send.entries:
            if key.text in steps or key.text in self.reader.journey_words:
                slips[key.text] = key.text
                better = f"it belongs next to send: {{send: ..., {key.text}: ...}}" if key.text in ("when", "name") else ""
                better = better or ("make a step of its own of it" if key.text in steps else "it belongs to the journey, next to its steps")
                self.fields.refuse(key, f'"{key.text}" inside send', better)
            elif key.text not in _SEND:
                close = difflib.get_close_matches(key.text[:MAX_NAME].casefold(), _SEND, n=1, cutoff=0.85)
                if close:
                    slips[key.text] = close[0]
                    self.fields.refuse(key, f'unknown key "{key.text}" in send', f'did you mean "{close[0]}"?')
        return slips

    def _channel(self, send: Node, node: Node | None) -> str | None:
        if node is None:
            self.fields.refuse(send, 'send has no "channel"', f"one of {', '.join(self.reader.channels)}")
            return None
        channel = self.fields.name(node, "a channel")
        if channel is not None and channel not in self.reader.channels:
            hint = f"{nearest(channel, self.reader.channels)} Others are listed in settings: channels"
            self.fields.refuse(node, f'unknown channel "{channel}"', hint.strip())
            return None
        return channel

    def _message(self, rest: list[tuple[Scalar, Node]]) -> dict[str, str]:
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
                self._names(value, template)
                self._try(value, template)
        return message

    def _try(self, node: Scalar, template: Template) -> None:
        """Render a template that reads no data: its text is always the same."""
        if template.paths:
            return
        try:
            template.render()
        except TemplateFailed as failure:
            self.fields.refuse(node, f"a text that cannot be rendered: {failure}")

    def _names(self, node: Scalar, template: Template) -> None:
        """Compare the data that a template reads with the schema, and with the entry of the run."""
        entries = self.reader.entries
        events = [event for entry in entries if (event := entry.event_name()) is not None]
        for root, *path in sorted(template.paths):
            if root == "traits" and self._declares(path, self.reader.schema.traits):
                if self.reader.schema.trait(tuple(path)) is None:
                    self.fields.refuse(
                        node,
                        f'unknown trait "{".".join(path)}"',
                        nearest(".".join(path), self.reader.schema.traits or ()),
                        node.text.find(path[0]),
                    )
            elif root == "values":
                self._value(node, path[0])
            elif root == EVENT:
                self._event(node, path)
            elif root == "properties" and entries and not events:
                self.fields.refuse(
                    node,
                    f'"properties.{".".join(path)}" in a journey that a segment starts',
                    "there is no event to have properties: show a trait, or enter by {event: E}",
                    node.text.find("properties"),
                )
            elif root == "properties" and events and all(self.reader.schema.property(event, tuple(path)) is None for event in events):
                known = [name for event in events for name in self.reader.schema.properties(event)]
                if self._declares(path, dict.fromkeys(known)):
                    named = " or ".join(f'"{event}"' for event in dict.fromkeys(events))
                    self.fields.refuse(
                        node, f'{named} has no property "{".".join(path)}"', nearest(".".join(path), known), node.text.find(path[0])
                    )

    def _value(self, node: Scalar, name: str) -> None:
        at = node.text.find("values")
        if self.fields.version(node) < 2:
            self.fields.refuse(node, "values in a text", NEEDS_2, at)
        elif name not in self.reader.values:
            hint = nearest(name, self.reader.values) or "values are named in the section values"
            self.fields.refuse(node, f'unknown value "{name}"', hint, at)

    def _event(self, node: Scalar, path: list[str]) -> None:
        """Compare what a text reads of the event that has ended a wait with the waits before."""
        if self.fields.version(node) == 1:
            self.fields.refuse(node, 'unknown variable "event"', NEEDS_2, node.text.find(EVENT))
            return
        events = [event for cause in self.reader.awaited if (event := cause.event_name()) is not None]
        shown = f"event.{'.'.join(path)}"
        if not events:
            hint = "wait: {event: E, timeout: 3d} belongs before it; of the entry it is properties." + ".".join(path)
            self.fields.refuse(node, f'"{shown}" where no step has waited for an event', hint, node.text.find(EVENT))
        elif all(self.reader.schema.property(event, tuple(path)) is None for event in events):
            known = [name for event in events for name in self.reader.schema.properties(event)]
            if self._declares(path, dict.fromkeys(known)):
                what = f'no event of the waits before has a property "{".".join(path)}"'
                self.fields.refuse(node, what, nearest(".".join(path), known), node.text.find(path[0]))

    def _declares(self, path: list[str], names: Mapping[str, object] | None) -> bool:
        """Return whether the schema covers this path. It does not cover a part of a declared path."""
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
