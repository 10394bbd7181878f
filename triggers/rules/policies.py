"""Parse the policies of rule files.

policies:
  consent:
    sms: {channels: [sms], if: traits.sms_opt_in}
    email: {channels: [email], if: not traits.unsubscribed, unknown: allow}
  quiet_hours:
    night: {from: "22:00", to: "08:00", channels: [push, sms], on: [friday, saturday], then: hold, spread: 30m}
  caps:
    one-push: {most: 1, per: day, channels: [push], then: hold}
    weekly: {most: 5, per: week, reserved: {places: 1, priority: 80}}
  control: {percent: 5, goal: {event: Order Completed, value: total}}
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import Final, Literal, TypeVar, cast

from triggers.base.model import DAY, HOUR, MINUTE
from triggers.causes.cause import CauseKind
from triggers.conditions.sends import NAMED_ONLY
from triggers.definitions.model import MAX_PRIORITY, Condition
from triggers.definitions.policies import (
    LONGEST_CAP,
    MARKETING,
    MOST_OF_A_CAP,
    PARTS_OF_CALENDAR,
    TRANSACTIONAL,
    WEEKDAYS,
    Cap,
    Consent,
    Control,
    Policies,
    QuietHours,
    Reserved,
    Scope,
)
from triggers.language import later
from triggers.language.documents import List, Map, Node, Scalar
from triggers.language.fields import NEEDS_2, Fields, is_nothing, kind, nearest, without_quotes
from triggers.language.times import written_time
from triggers.rules.goals import read_control_goal
from triggers.rules.shares import read_share
from triggers.steps.send import CHANNELS

POLICIES: Final = ("consent", "quiet_hours", "caps", "control")
MAX_POLICIES: Final = 100
"""Most policies of one kind."""

Named = TypeVar("Named")


class PolicyReader:
    """Reads the sections `policies` of all files."""

    def __init__(
        self,
        fields: Fields,
        compile_: Callable[[Scalar, str | None], Condition | None],
        channels: Sequence[str],
        categories: Sequence[str],
        journeys: Collection[str] = (),
        read_cause: Callable[[Node, str], CauseKind | None] = lambda _, __: None,
    ) -> None:
        self.fields = fields
        self._compile = compile_
        self._read_cause = read_cause
        self._channels = (*CHANNELS, *channels)
        self._usual = tuple(channel for channel in self._channels if channel not in NAMED_ONLY)
        self._journeys = sorted(journeys)
        self._categories = (MARKETING, TRANSACTIONAL, *categories)

    def read(self, sections: Sequence[Node]) -> Policies | None:
        """Return the policies; None if no file has any."""
        nodes: dict[str, list[Node]] = {name: [] for name in POLICIES}
        for section in sections:
            if self.fields.version(section) < 2:
                self.fields.refuse(section, "policies in a file of version 1", NEEDS_2)
            for name, node in (self.fields.keys(section, "policies", POLICIES, later=later.POLICIES) or {}).items():
                nodes[name].append(node)
        if not sections:
            return None
        return Policies(
            self._all(nodes["consent"], "consent", self._consent),
            self._all(nodes["quiet_hours"], "quiet_hours", self._quiet_hours),
            self._all(nodes["caps"], "caps", self._cap),
            self._control(nodes["control"]),
        )

    def _all(self, nodes: Sequence[Node], section: str, read: Callable[[str, Node], Named | None]) -> tuple[Named, ...]:
        """Read the policies of one kind, by name. Refuse a name that is given twice."""
        found: dict[str, tuple[Scalar, Named | None]] = {}
        for node in nodes:
            if self._lacks_names(node, section):
                continue
            mapping = self.fields.mapping(node, section)
            for key, value in mapping.entries if mapping else ():
                name = self.fields.name(key, f"a policy of {section}")
                if name is None:
                    continue
                if name in found:
                    first = found[name][0]
                    line, _ = first.source.place(first.start)
                    self.fields.refuse(key, f'a second policy of {section} named "{name}"', f"the first is at {first.source.file}:{line}")
                    continue
                found[name] = key, read(name, value)
                if len(found) == MAX_POLICIES + 1:
                    self.fields.refuse(key, f"more than {MAX_POLICIES} policies of {section}", "make fewer, with more channels each")
        return tuple(policy for _, (_, policy) in sorted(found.items()) if policy is not None)

    def _lacks_names(self, node: Node, section: str) -> bool:
        """Refuse policies without names: one that is written directly, or a list. Return whether it is so."""
        words = (*_WORDS[section], "channels", "categories")
        is_one = isinstance(node, Map) and bool(node.entries) and all(key.text in words for key, _ in node.entries)
        if is_one or isinstance(node, List) or (isinstance(node, Scalar) and not is_nothing(node)):
            self.fields.refuse(node, f"{section} without a name", f"each policy has a name, as in {section}: {{{EXAMPLES[section]}}}")
            return True
        return False

    def _control(self, nodes: Sequence[Node]) -> Control | None:
        for node in nodes[1:]:
            line, _ = nodes[0].source.place(nodes[0].start)
            self.fields.refuse(node, "a second control", f"the first is at {nodes[0].source.file}:{line}; a rule set has one control group")
        example = "as in control: {percent: 5}"
        parts = self.fields.keys(nodes[0], "control", ("percent", "goal"), required=("percent",), example=example) if nodes else None
        if parts is None:
            return None
        part = read_share(self.fields, parts["percent"], "percent", "") if "percent" in parts else None
        goal = read_control_goal(self.fields, parts["goal"], self._read_cause) if "goal" in parts else None
        if part is None:
            return None
        return Control(part) if goal is None else Control(part, *goal)

    # ---- kinds -------------------------------------------------------------------------------------------------------

    def _consent(self, name: str, node: Node) -> Consent | None:
        parts = self.fields.keys(
            node,
            f'the consent "{name}"',
            ("channels", "categories", "if", "unknown"),
            required=("if",),
            later=later.CONSENT,
            example=f"as in {EXAMPLES['consent']}",
        )
        if parts is None:
            return None
        scope = self._scope(parts)
        condition = self._condition(parts["if"]) if "if" in parts else None
        unknown = self.fields.word(parts["unknown"], "unknown", ("block", "allow")) if "unknown" in parts else "block"
        if condition is None or unknown is None:
            return None
        return Consent(name, condition, scope, cast('Literal["block", "allow"]', unknown))

    def _quiet_hours(self, name: str, node: Node) -> QuietHours | None:
        what = f'the quiet hours "{name}"'
        words = ("from", "to", "on", "channels", "categories", "then", "spread")
        parts = self.fields.keys(node, what, words, ("from", "to"), later.QUIET_HOURS, f"as in {EXAMPLES['quiet_hours']}")
        if parts is None or not {"from", "to"} <= parts.keys():
            return None
        begin, end = self._time(parts["from"], "from"), self._time(parts["to"], "to")
        days = frozenset(WEEKDAYS.index(day) for day in self._words(parts["on"], "on", WEEKDAYS)) if "on" in parts else None
        then = self.fields.word(parts["then"], "then", ("hold", "drop")) if "then" in parts else "hold"
        spread = self.fields.duration(parts["spread"], "spread", zero=True) if "spread" in parts else 0
        scope = self._scope(parts, without=TRANSACTIONAL)
        if begin is None or end is None or spread is None:
            return None
        if begin == end:
            self.fields.refuse(
                parts["to"],
                "to is the same as from",
                'for a whole day make two policies, as in {from: "00:00", to: "12:00"} and {from: "12:00", to: "00:00"}',
            )
        if spread >= DAY:
            self.fields.refuse(parts["spread"], "spread is not below 24h", "as in spread: 30m")
        if spread and then == "drop":
            self.fields.refuse(parts["spread"], "spread with then: drop", "only what is held goes out later")
        return QuietHours(name, begin, end, scope, days, "drop" if then == "drop" else "hold", spread)

    def _cap(self, name: str, node: Node) -> Cap | None:
        words = ("most", "per", "channels", "categories", "journeys", "then", "reserved")
        parts = self.fields.keys(node, f'the cap "{name}"', words, ("most", "per"), later.CAPS, f"as in {EXAMPLES['caps']}")
        if parts is None or not {"most", "per"} <= parts.keys():
            return None
        most, per = self._most(parts["most"]), self._per(parts["per"])
        then = self.fields.word(parts["then"], "then", ("drop", "hold")) if "then" in parts else "drop"
        journeys = self._words(parts["journeys"], "journeys", self._journeys) if "journeys" in parts else None
        scope = self._scope(parts, without=TRANSACTIONAL)
        if most is None or per is None:
            return None
        reserved = self._reserved(parts["reserved"], most) if "reserved" in parts else None
        length, text = per
        return Cap(name, most, length, text, scope, journeys, "hold" if then == "hold" else "drop", reserved)

    def _most(self, node: Node) -> int | None:
        return self._whole(node, "most", MOST_OF_A_CAP)

    def _reserved(self, node: Node, most: int) -> Reserved | None:
        """Read `{places: 1, priority: 80}`."""
        keys = ("places", "priority")
        parts = self.fields.keys(node, "reserved", keys, required=keys, example="as in reserved: {places: 1, priority: 80}")
        if parts is None or len(parts) < len(keys):
            return None
        if most == 1:
            self.fields.refuse(node, "reserved places of a cap of one message", "all others could never go out; make most larger")
            return None
        places = self._whole(parts["places"], "reserved: places", most - 1)
        priority = self._whole(parts["priority"], "reserved: priority", MAX_PRIORITY)
        return None if places is None or priority is None else Reserved(places, priority)

    def _whole(self, node: Node, what: str, most: int) -> int | None:
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most:
            return value
        shown = node.text[:40] if isinstance(node, Scalar) and node.text else kind(node)
        self.fields.refuse(node, f"{what} is {shown}", f"a whole number from 1 to {most} belongs here{without_quotes(node)}")
        return None

    def _per(self, node: Node) -> tuple[int | None, str] | None:
        """Read a part of the calendar, or a length; with its text."""
        if isinstance(node, Scalar) and node.text in PARTS_OF_CALENDAR:
            return None, node.text
        length = self.fields.duration(node, "per")
        if length is not None and length > LONGEST_CAP:
            self.fields.refuse(node, "per is longer than 31d", "day, week, month, or a length of at most 31d, belongs here")
        return None if length is None or not isinstance(node, Scalar) else (length, node.text)

    # ---- parts -------------------------------------------------------------------------------------------------------

    def _condition(self, node: Node) -> Condition | None:
        if isinstance(node, Scalar):
            return self._compile(node, None)
        self.fields.refuse(node, f"if is {kind(node)}", "an expression belongs here")
        return None

    def _time(self, node: Node, what: str) -> int | None:
        """Read a local time of day, in ms."""
        found = _TIME.fullmatch(node.text) if isinstance(node, Scalar) else None
        if found is None:
            shown = f'"{node.text[:64]}"' if isinstance(node, Scalar) and node.text else kind(node)
            meant = written_time(node.text) if isinstance(node, Scalar) else ""
            hint = f'"{meant}" is meant' if meant else 'from "00:00" to "23:59", as in "08:30"'
            self.fields.refuse(node, f"{what} is {shown}, which is no time of day", hint)
            return None
        return int(found[1]) * HOUR + int(found[2]) * MINUTE

    def _scope(self, parts: dict[str, Node], without: str = "") -> Scope:
        """Read channels and categories. `without`: a category that this kind of policy never binds."""
        channels = self._words(parts["channels"], "channels", self._channels) if "channels" in parts else self._usual
        known = [category for category in self._categories if category != without]
        categories = self._words(parts["categories"], "categories", known) if "categories" in parts else None
        return Scope(channels, categories)

    def _words(self, node: Node, what: str, known: Collection[str]) -> tuple[str, ...]:
        """Read a list of some of these words."""
        if not isinstance(node, List):
            one = node.text if isinstance(node, Scalar) and node.text in known else next(iter(known), "a-journey")
            self.fields.refuse(node, f"{what} is {kind(node)}", f"a list belongs here, as in {what}: [{one}]")
            return ()
        if not node.items:
            self.fields.refuse(node, f"{what} is an empty list", "leave it out, or name some")
        found: dict[str, None] = {}
        for item in node.items:
            if isinstance(item, Scalar) and item.text in known:
                found[item.text] = None
            else:
                shown = f'"{item.text[:64]}"' if isinstance(item, Scalar) else kind(item)
                text = item.text if isinstance(item, Scalar) else ""
                hint = later.DAYS.get(text.casefold(), "") if what == "on" else ""
                if text == TRANSACTIONAL:  # the word is right, but not here
                    hint = "caps and quiet hours never keep transactional messages back"
                self.fields.refuse(item, f"unknown {_ONE[what]} {shown}", hint or nearest(text, known))
        return tuple(sorted(found))


EXAMPLES: Final = {
    "consent": "sms: {channels: [sms], if: traits.sms_opt_in}",
    "quiet_hours": 'night: {from: "22:00", to: "08:00"}',
    "caps": "weekly: {most: 5, per: 7d}",
}
_WORDS: Final = {
    "consent": ("if", "unknown"),
    "quiet_hours": ("from", "to", "on", "then", "spread"),
    "caps": ("most", "per", "journeys", "then", "reserved"),
}
_ONE: Final = {"channels": "channel", "categories": "category", "on": "weekday", "journeys": "journey"}
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
