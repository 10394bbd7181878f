"""Reads `given`: the records of one scenario, each at its moment, repetitions written out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any, Final, Literal, cast

from triggers.base.moments import LAST, iso
from triggers.definitions.model import RuleSet
from triggers.language.documents import List, Map, Node, RuleErrors, Scalar
from triggers.language.fields import MAX_NAME, kind, nearest
from triggers.scenarios.fields import Names, ScenarioFields

Kind = Literal["event", "traits", "pause", "resume", "go-live", "apply", "suppress", "unsuppress", "erase", "enter"]
Fetch = Callable[[str, str], RuleSet]
"""Gives the rule set that a scenario file (the first) names by its path (the second). Raises `RuleErrors`, and `OSError`."""

ALLOWED: Final[Mapping[Kind, tuple[str, ...]]] = {
    "event": ("user", "properties", "context", "happened", "messageId", "every", "times"),
    "traits": ("user", "happened", "messageId", "every", "times"),
    "pause": (),
    "resume": (),
    "go-live": (),
    "apply": (),
    "suppress": ("channel", "reason", "messageId"),
    "unsuppress": ("channel", "messageId"),
    "erase": ("messageId",),
    "enter": ("user", "messageId"),
}
"""The keys that are allowed with `at`, by the key that says what a record is."""
_PATH: Final = "name a folder of rules or one rule file, from the folder of this file on, as in ../newer-rules"
_LATER: Final = {
    **dict.fromkeys(("identify", "set"), "the traits of a user are given by traits:, as in traits: {name: Ann}"),
    **dict.fromkeys(("track", "type", "name"), "an event is given by event:, as in event: Signed Up"),
    **dict.fromkeys(("wait", "after"), "time passes by at:, as in at: +3d"),
    **dict.fromkeys(("timestamp", "time", "date", "when"), "the moment is at:, as in at: 2026-01-31T09:00Z"),
    "journey": "pause: JOURNEY, resume: JOURNEY and enter: JOURNEY name a journey",
    **dict.fromkeys(("total", "amount", "price", "product", "category", "value"), "it belongs into properties:"),
}
"""Keys that people look for."""
MAX_RECORDS: Final = 100_000
"""Most records of one scenario, repetitions included."""


@dataclass(frozen=True, slots=True)
class Given:
    """One record. Moments are ms."""

    kind: Kind
    at: int
    line: int
    """Its line in the file."""
    user: str = ""
    name: str = ""
    """Of the event, of the journey that a command is about, or the path of the rules that it applies."""
    content: Mapping[str, Any] = field(default_factory=dict)
    """Properties or traits."""
    happened: int | None = None
    message_id: str | None = None
    rules: RuleSet | None = None
    channel: str | None = None
    reason: str | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    """Of an event."""


class GivenReader:
    """Reads one scenario's records in their order; each may count its moment from the one before, the first from `start`."""

    def __init__(self, fields: ScenarioFields, names: Names, start: int | None, fetch: Fetch | None = None) -> None:
        self.fields = fields
        self.names = names
        """What can be named; rules that are applied in mid-story add to it."""
        self._fetch = fetch
        self.lacks_rules = False
        """Rules that it applies cannot be had, so not all names are known."""
        self.records: list[Given] = []
        self._users: set[str] = set()
        self._users_are_known = True
        self._at = start
        self._faulty = False

    @property
    def users(self) -> set[str] | None:
        """The users that occur; None if a record does not name its user."""
        return self._users if self._users_are_known and self._users else None

    def read(self, node: Node) -> None:
        """Add one item of `given`, and its repetitions."""
        keys = dict.fromkeys(["at", *ALLOWED, *(key for allowed in ALLOWED.values() for key in allowed)])
        before = len(self.fields.problems)
        parts = self.fields.keys(node, "a record of given", keys, later=_LATER)
        if parts is None:
            self._users_are_known = False
            return
        kinds = [key for key in ALLOWED if key in parts]
        is_misspelt = len(self.fields.problems) > before
        at = self._moment(node, parts)
        if len(kinds) != 1:
            if kinds or not is_misspelt:
                found = " and ".join(kinds) if kinds else "no event, traits or command"
                hint = "make several records of it, one after the other" if kinds else f"one of {', '.join(ALLOWED)} belongs into it"
                self.fields.refuse(node, f"a record of given with {found}", hint)
            self._users_are_known = False
            return
        what = kinds[0]
        for key in parts:
            if key not in ("at", what, *ALLOWED[what]):
                self.fields.refuse(parts[key], f'"{key}" with {what}', self._instead(what, key, parts[key]))
        if what in ("event", "traits"):
            given = self._call(what, node, parts)
        elif what in ("suppress", "unsuppress", "erase", "enter"):
            given = self._user_command(what, node, parts)
        else:
            given = self._command(what, node, parts)
        times, every = self._repeats(parts)
        if given is not None and at is not None:
            self._repeat(replace(given, at=at), times, every, parts.get("times", node))

    def _instead(self, what: Kind, key: str, node: Node) -> str:
        """Say what is right instead of a key that a record of this kind does not have."""
        if key != "user":
            return "leave it out"
        if what not in ("suppress", "unsuppress", "erase"):
            return "a command is for all users"
        user = node.text if isinstance(node, Scalar) and node.text else "ann"
        self._users.add(user)
        return f"the command itself names the user, as in {what}: {user}"

    def until(self, node: Node) -> int | None:
        """Read the moment until which time passes after the records."""
        until = self.fields.moment(node, "until", self._before)
        last = max((record.at for record in self.records), default=0)
        if until is not None and until < last:
            self.fields.refuse(node, "until is before the last record", f"it comes at {iso(last)}")
        return until

    # ---- moments -----------------------------------------------------------------------------------------------------

    @property
    def _before(self) -> int | None:
        """What `+3d` counts from. Where a moment was refused, those that count from it are not refused as well."""
        return 0 if self._at is None and self._faulty else self._at

    def _moment(self, node: Node, parts: Mapping[str, Node]) -> int | None:
        if "at" in parts:
            self._at = self.fields.moment(parts["at"], "at", self._before)
        elif self._before is None:
            self.fields.refuse(node, 'the first record of given has no "at"', "as in at: 2026-01-31T09:00Z")
        self._faulty = self._faulty or self._at is None
        return self._at

    def _repeats(self, parts: Mapping[str, Node]) -> tuple[int, int]:
        """Read how many times a record comes, and at which interval."""
        every = (self.fields.duration(parts["every"], "every") if "every" in parts else 0) or 0
        if "times" not in parts:
            if "every" in parts:
                self.fields.refuse(parts["every"], "every without times", "as in times: 30")
            return 1, every
        times = parts["times"].value if isinstance(parts["times"], Scalar) else None
        if isinstance(times, int) and not isinstance(times, bool) and times > 0:
            return times, every
        self.fields.refuse(parts["times"], f"times is {kind(parts['times'])}", "a whole number above zero belongs here")
        return 1, every

    def _repeat(self, given: Given, times: int, every: int, node: Node) -> None:
        if len(self.records) + times > MAX_RECORDS:
            self.fields.refuse(node, f"{len(self.records) + times:,} records", f"at most {MAX_RECORDS:,} in one scenario")
        elif given.at + every * (times - 1) > LAST:
            self.fields.refuse(node, "records beyond the year 9999")
        else:
            self.records += [replace(given, at=given.at + every * index) for index in range(times)]
            self._at = self.records[-1].at

    # ---- records ----------------------------------------------------------------------------------------------------

    def _command(self, what: Kind, node: Node, parts: Mapping[str, Node]) -> Given | None:
        value = parts[what]
        line, _ = node.source.place(node.start)
        if what == "apply":
            return self._apply(value, line)
        if what != "go-live":
            journey = self.fields.known(value, "journey", self.names.journeys)
            return None if journey is None else Given(what, 0, line, name=journey)
        if self.fields.flag(value, what) is False:
            self.fields.refuse(value, "go-live is false", "leave it out, or begin with live: false")
        return Given(what, 0, line)

    def _user_command(self, what: Kind, node: Node, parts: Mapping[str, Node]) -> Given | None:
        """Read a command about one user: `suppress: ann`, `enter: JOURNEY` with `user: ann`."""
        if what == "enter":
            user = self._user(node, parts)
            name = self.fields.known(parts[what], "journey", self.names.journeys)
        else:
            user, name = self._user(node, {"user": parts[what]}), ""
        channel = self.fields.known(parts["channel"], "channel", self.names.channels) if "channel" in parts else None
        reason = self.fields.id(parts["reason"], "reason") if "reason" in parts else None
        id_ = self.fields.id(parts["messageId"], "messageId") if "messageId" in parts else None
        line, _ = node.source.place(node.start)
        if user is None or name is None:
            return None
        return Given(what, 0, line, user, name, message_id=id_, channel=channel, reason=reason)

    def _apply(self, node: Node, line: int) -> Given | None:
        """Read a second rule set; its names are valid from here on."""
        path = self.fields.id(node, "apply")
        if path is None:
            self.lacks_rules = True
            return None
        try:
            if self._fetch is None:
                raise OSError("no other rules can be read here")
            rules = self._fetch(node.source.file, path)
        except RuleErrors as wrong:
            more = f" and {len(wrong.problems) - 1} more" if len(wrong.problems) > 1 else ""
            what, remedy = f"are wrong: {wrong.problems[0]}{more}", ""
        except (OSError, ValueError) as error:  # the second of a path or a text with impossible bytes
            what, remedy = f"cannot be read: {getattr(error, 'strerror', None) or error}", _PATH
        else:
            self.names = self.names.with_rules(rules)
            return Given("apply", 0, line, name=path, rules=rules)
        self.lacks_rules = True
        self.fields.refuse(node, f'the rules "{path[:MAX_NAME]}" {what}', remedy)
        return None

    def _call(self, what: Kind, node: Node, parts: Mapping[str, Node]) -> Given | None:
        user = self._user(node, parts)
        name = self._event(parts[what]) if what == "event" else ""
        document = parts.get("properties" if what == "event" else what)
        content = {} if document is None else self._document(document, "properties" if what == "event" else what)
        context = self._document(parts["context"], "context") if "context" in parts else {}
        happened = self.fields.moment(parts["happened"], "happened") if "happened" in parts else None
        message_id = self.fields.id(parts["messageId"], "messageId") if "messageId" in parts else None
        line, _ = node.source.place(node.start)
        return None if user is None or name is None else Given(what, 0, line, user, name, content, happened, message_id, context=context)

    def _user(self, node: Node, parts: Mapping[str, Node]) -> str | None:
        if "user" not in parts:
            hint = "as in {user: ann, enter: JOURNEY}" if "enter" in parts else "as in user: ann"
            self.fields.refuse(node, 'a record of given has no "user"', hint)
        user = self.fields.id(parts["user"], "user") if "user" in parts else None
        if user is None:
            self._users_are_known = False
        else:
            self._users.add(user)
        return user

    def _event(self, node: Node) -> str | None:
        name, declared = self.fields.event(node, "event"), self.names.events
        if name is not None and declared is not None and name not in declared:
            self.fields.refuse(node, f'unknown event "{name}"', nearest(name, declared))
        return name

    def _document(self, node: Node, what: str) -> dict[str, Any]:
        found = self.fields.mapping(node, what)
        return {} if found is None else cast("dict[str, Any]", self._json(found))

    def _json(self, node: Node) -> object:
        if isinstance(node, Map):
            return {key.text: self._json(value) for key, value in node.entries}
        if isinstance(node, List):
            return [self._json(item) for item in node.items]
        value = node.value
        if isinstance(value, int | float) and not (isfinite(value) if isinstance(value, float) else -(2**63) <= value < 2**63):
            self.fields.refuse(node, f"a number of this size: {node.text[:40]}", "put it in quotes")
        return value
