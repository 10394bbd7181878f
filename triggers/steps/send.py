"""`send: {channel: push, text: Welcome}`: asks for a message or a grant.

A message has keys of any names; their values are templates, or a template for each language (`triggers.steps.languages`). A grant is JSON.
Which deliverer takes it is the channel's business.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Final, cast

import orjson

from triggers.conditions.compiler import Compiled, compile_condition
from triggers.definitions.model import Condition
from triggers.definitions.words import words_of
from triggers.language.documents import List, Map, Node, Scalar
from triggers.language.fields import MAX_NAME, NEEDS_2, kind, nearest
from triggers.language.shapes import DURATION, EXPRESSION, TEXT, Shape, either, mapping, named, whole
from triggers.language.templates import EVENT, Template, TemplateError, TemplateFailed, compile_template
from triggers.records.outbox import TooBig
from triggers.steps.kind import Moment, Reader, StepKind
from triggers.steps.languages import DEFAULT, NAME, chosen, language_of, normal, texts_of
from triggers.steps.program import Entry, Outcome, Program

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

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
_SEND_2: Final = (*_SEND, "budget")
_SKIP: Final = "skip_unless"
_WRAPS: Final = ("message", "content", "payload")
"""Keys that people put around the parts of a message."""


@dataclass(frozen=True)
class Send(StepKind):
    """Asks for a message or a grant. The values of `message` are templates."""

    name: str
    channel: str
    message: Mapping[str, str | Mapping[str, str]] | None = None
    grant: Mapping[str, object] | None = None
    not_after: int | None = None
    """How long after its due moment the action is worth delivering, ms."""
    when: Condition | None = None
    skip_unless: Condition | None = None
    """Where it is not true, this message alone is skipped."""
    budget: Mapping[str, object] | None = None
    """How many of them may go out to all users, under a name. The deliverer counts: nothing in the engine is shared between users."""

    does: ClassVar[str] = "sends"
    sends: ClassVar[bool] = True
    also: ClassVar[tuple[str, ...]] = (_SKIP,)
    life: ClassVar[tuple[Moment, ...]] = (
        Moment("`send`, live", "at the next step", "sent"),
        Moment("`send`, its `skip_unless` false or unknown", "at the next step", "skipped"),
        Moment("`send`, the text fails or is too big", "at the next step", "failed"),
    )

    @classmethod
    def keys(cls) -> Mapping[str, Shape]:
        budget = mapping({"name": TEXT, "most": whole(1, MAX_INTEGER)}, ["name", "most"])
        own = {"channel": TEXT, "grant": {"type": "object"}, "not_after": DURATION, "budget": budget}
        message = either(TEXT, named(TEXT))
        return {"": mapping(own, ["channel"]) | {"additionalProperties": message}, _SKIP: EXPRESSION}

    @classmethod
    def read(cls, node: Node, name: str, when: Condition | None, reader: Reader, extra: Mapping[str, Node]) -> Send | None:
        skip_unless = None
        if _SKIP in extra and reader.fields.version(node) < 2:
            reader.fields.refuse(extra[_SKIP], "skip_unless in a file of version 1", NEEDS_2)
        elif _SKIP in extra:
            skip_unless = reader.condition(extra[_SKIP], _SKIP, None)
        send = _SendReader(reader, node).read(node, name, when)
        return None if send is None else replace(send, skip_unless=skip_unless)

    def wire(self) -> tuple[str, dict[str, object]]:
        optional = {"message": self.message, "grant": self.grant, "not_after": self.not_after, "when": self.when}
        optional |= {"skip_unless": self.skip_unless, "budget": self.budget}
        return "Send", {"name": self.name, "channel": self.channel, **{key: value for key, value in optional.items() if value is not None}}

    def label(self) -> str:
        more = "" if self.skip_unless is None else f", only if {words_of(self.skip_unless)}"
        if self.grant is not None:
            budget = "" if self.budget is None else f", {self.budget['most']} at most"
            return f"{self.channel}: grant {', '.join(f'{name} {value}' for name, value in self.grant.items())}{budget}{more}"
        texts = [part if isinstance(part, str) else part[DEFAULT] for part in (self.message or {}).values()]
        return f"{self.channel}: {' · '.join(texts)}{more}"

    def compile(self, program: Program) -> None:
        program.add(_Sending(self))

    def texts(self) -> Iterable[str]:
        return texts_of(self.message or {})

    def parts(self, what: str) -> Collection[str]:
        return ((self.message if what == "message" else self.grant) or {}).keys()


class _Sending(Entry):
    def __init__(self, step: Send) -> None:
        super().__init__(step)
        self.has_message = step.message is not None
        self.languages: dict[str, dict[str, Template]] = {}
        """The parts of the message that are in several languages."""
        templates: dict[str, Template] = {}
        for name, text in (step.message or {}).items():
            if isinstance(text, str):
                templates[name] = compile_template(text)
            else:
                self.languages[name] = {normal(language): compile_template(one) for language, one in text.items()}
                templates |= {f"{name}\0{language}": template for language, template in self.languages[name].items()}
        self.templates = templates
        self.parts = tuple(step.message or ())
        self.channel = step.channel
        self.grant = step.grant
        self.not_after = step.not_after
        self.skip_unless: Compiled | None = None if step.skip_unless is None else compile_condition(step.skip_unless)
        self.budget = {} if step.budget is None else {"budget": step.budget}

    @property
    def conditions(self) -> Sequence[Compiled]:
        return [*super().conditions, *([] if self.skip_unless is None else [self.skip_unless])]

    def carry_out(self, context: StepContext) -> Outcome:
        if self.skip_unless is not None and (value := self.skip_unless.value(context.view)) is not True:
            reason = f"{_SKIP}: unknown" if value is None else f"{_SKIP}: false"
            context.decide(self, "skipped", reason, self.skip_unless.explain(context.view))
            return self.next
        outcome = context.pass_gates(self, "send")
        if outcome is not None:
            return outcome
        try:
            message = context.render(self._in_language(context)) if self.has_message else None
            content = {"channel": self.channel, "message": message, "grant": self.grant, **self.budget}
            outcome = context.hand_over(self, content, self.not_after)
        except (TemplateFailed, TooBig) as failure:
            context.decide(self, "failed", str(failure))
        return self.next if outcome is None else outcome

    def _in_language(self, context: StepContext) -> Mapping[str, Template]:
        """Return the texts for this user."""
        if not self.languages:
            return self.templates
        language = language_of(context.view.traits)
        return {name: chosen(self.languages[name], language) if name in self.languages else self.templates[name] for name in self.parts}


def read_text(reader: Reader, node: Scalar) -> str:
    """Read a template for another kind of step. Compare what it names with the schema and the journey."""
    return _SendReader(reader, node).text(node)


def read_json(reader: Reader, node: Node) -> object:
    """Read a JSON value for another kind of step."""
    return _SendReader(reader, node).json(node)


class _SendReader:
    def __init__(self, reader: Reader, node: Node) -> None:
        self.reader = reader
        self.fields = reader.fields
        self.words = _SEND if reader.fields.version(node) < 2 else _SEND_2

    def read(self, node: Node, name: str, when: Condition | None) -> Send | None:
        if isinstance(node, Scalar) and node.value is not None:
            self.fields.refuse(node, f"send is {kind(node)}", 'as in send: {channel: push, text: "Welcome"}')
            return None
        if isinstance(node, List):
            hint = 'a send is for one channel: make a step of each, as in - send: {channel: push, text: "Hi"}'
            self.fields.refuse(node, "send is a list", hint)
            return None
        found = self.fields.mapping(node, "send")
        if found is None:
            return None
        parts = {key.text: value for key, value in found.entries}
        slips = self._slips(found)
        channel = None if "channel" in slips.values() else self._channel(node, parts.get("channel"))
        not_after = self.fields.duration(parts["not_after"], "not_after") if "not_after" in parts else None
        budget = self._budget(parts["budget"]) if "budget" in parts and "budget" in self.words else None
        known = {*self.words, *self.reader.step_words, *self.reader.journey_words, *USUAL}
        cut = self.fields.cut(found, [key for key, _ in found.entries if key.text not in known])
        rest = [(key, value) for key, value in found.entries if key.text not in (*self.words, *slips, *cut)]
        if "grant" in parts:
            for key, _ in rest:
                self.fields.refuse(key, f'"{key.text}" with grant', "a send is a message or a grant; make two steps of it")
            grant = self._grant(parts["grant"])
            return None if channel is None or grant is None else Send(name, channel, None, grant, not_after, when, budget=budget)
        if not rest and slips:
            return None
        if not rest:
            self.fields.refuse(node, "send has nothing to send", 'a message, as in text: "Welcome", or a grant belongs here')
            return None
        message = self._message(rest)
        return None if channel is None or slips else Send(name, channel, message, None, not_after, when, budget=budget)

    def _slips(self, send: Map) -> dict[str, str]:
        """Refuse keys that are no part of a message: those of steps and journeys, and misspelled ones. Return them with the right key."""
        slips: dict[str, str] = {}
        steps = self.reader.step_words
        for key, _ in send.entries:
            if key.text in steps or key.text in self.reader.journey_words:
                slips[key.text] = key.text
                better = f"it belongs next to send: {{send: ..., {key.text}: ...}}" if key.text in ("when", "name", _SKIP) else ""
                better = better or ("make a step of its own of it" if key.text in steps else "it belongs to the journey, next to its steps")
                self.fields.refuse(key, f'"{key.text}" inside send', better)
            elif key.text not in self.words:
                close = difflib.get_close_matches(key.text[:MAX_NAME].casefold(), self.words, n=1, cutoff=0.85)
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

    def _message(self, rest: list[tuple[Scalar, Node]]) -> dict[str, str | Mapping[str, str]]:
        message: dict[str, str | Mapping[str, str]] = {}
        for key, value in rest:
            self.fields.name(key, "a part of a message")
            if isinstance(value, Map) and value.source.text.startswith("{{", value.start):
                continue  # a text without quotes, which is said already
            if isinstance(value, Map) and key.text in _WRAPS:
                self.fields.refuse(key, f'"{key.text}" around a message', "its parts are next to channel:, as in text: Welcome")
            elif isinstance(value, Map) and self.fields.version(value) > 1:
                message[key.text] = self._languages(key, value)
            elif not isinstance(value, Scalar) or value.value is None:
                hint = NEEDS_2 if isinstance(value, Map) else "a text belongs here"
                self.fields.refuse(value, f'"{key.text}" is {kind(value)}', hint)
            else:
                message[key.text] = self.text(value)
        return message

    def _languages(self, part: Scalar, node: Map) -> dict[str, str]:
        """Read a text for each language."""
        texts: dict[str, str] = {}
        names: dict[str, str] = {}
        for key, value in node.entries:
            if key.text != DEFAULT and (not NAME.fullmatch(key.text) or normal(key.text) == DEFAULT):
                self.fields.refuse(key, f'"{key.text[:MAX_NAME]}" is no language', f'as in {part.text}: {{default: "Hello", de: "Hallo"}}')
            elif (first := names.setdefault(normal(key.text), key.text)) != key.text:
                self.fields.refuse(key, f'"{key.text}" is the same language as "{first}"', "give each language one text")
            elif not isinstance(value, Scalar) or value.value is None:
                self.fields.refuse(value, f'"{key.text}" is {kind(value)}', "a text belongs here")
            else:
                texts[key.text] = self.text(value)
        if all(key.text != DEFAULT for key, _ in node.entries):
            hint = "a text under default: is for users of all other languages"
            self.fields.refuse(node, f'"{part.text}" has no "{DEFAULT}"', hint)
        traits = ("language", "locale")
        if self.reader.schema.traits is not None and all(self.reader.schema.trait((name,)) is None for name in traits):
            hint = "declare one of them in the schema: without it every user gets the text under default:"
            self.fields.refuse(node, 'the schema has no trait "language" and no trait "locale"', hint)
        return texts

    def text(self, node: Scalar) -> str:
        try:
            template = compile_template(node.text)
        except TemplateError as error:
            for fault in error.faults:
                self.fields.refuse(node, fault.message, fault.hint, fault.offset)
        else:
            self._names(node, template)
            self._try(node, template)
        return node.text

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
        grant = cast("dict[str, object]", self.json(found))
        if len(self.fields.problems) > before:
            return None
        if len(orjson.dumps(grant)) > MAX_GRANT:
            self.fields.refuse(node, "the grant is too big", f"at most {MAX_GRANT:,} bytes")
            return None
        return grant

    def _budget(self, node: Node) -> dict[str, object] | None:
        """Read `{name: back, most: 10000}`."""
        example = "as in budget: {name: spring, most: 10000}"
        parts = self.fields.keys(node, "budget", ("name", "most"), required=("name", "most"), example=example)
        if parts is None or len(parts) < len(("name", "most")):
            return None
        name, most = self.fields.name(parts["name"], "a budget"), parts["most"]
        value = most.value if isinstance(most, Scalar) else None
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= MAX_INTEGER:
            shown = most.text[:40] if isinstance(most, Scalar) and most.text else kind(most)
            self.fields.refuse(most, f"budget: most is {shown}", f"a whole number above 0 belongs here, {example}")
            return None
        return None if name is None else {"name": name, "most": value}

    def json(self, node: Node) -> object:
        if isinstance(node, Map):
            return {key.text: self.json(value) for key, value in node.entries}
        if isinstance(node, List):
            return [self.json(item) for item in node.items]
        value = node.value
        if isinstance(value, int | float) and not -MAX_INTEGER <= value <= MAX_INTEGER:
            self.fields.refuse(node, f"a number of this size: {node.text[:40]}", "put it in quotes")
        return value
