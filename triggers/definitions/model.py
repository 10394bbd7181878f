"""A checked rule set: what the rule files mean, with no trace of YAML or of the expressions' text.

Conditions are trees of frozen dataclasses. Numbers are scaled integers (`triggers.base.numbers`): 2.5 is 2_500_000.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

from triggers.base.canonical import Wire, digest, optional

if TYPE_CHECKING:
    from triggers.definitions.policies import Policies
    from triggers.definitions.tiers import Tier

# ---- operands -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Number:
    """A literal number, scaled by 10**6."""

    scaled: int

    def wire(self) -> Wire:
        return "Number", {"scaled": self.scaled}


@dataclass(frozen=True, slots=True)
class Text:
    """A literal string."""

    value: str

    def wire(self) -> Wire:
        return "Text", {"value": self.value}


@dataclass(frozen=True, slots=True)
class Flag:
    """A literal `True` or `False`."""

    value: bool

    def wire(self) -> Wire:
        return "Flag", {"value": self.value}


@dataclass(frozen=True, slots=True)
class Moment:
    """A literal moment: an ISO date or date-time that is compared with `first(...)` or `last(...)`.

    A date is midnight in the rule set's zone; a date-time is UTC where it names no zone.
    """

    ms: int
    zone: str = "UTC"
    """Of a date: it belongs to the definition, so that the same date in another zone is another condition."""

    def wire(self) -> Wire:
        return "Moment", {"ms": self.ms} | optional(zone=(self.zone, "UTC"))


@dataclass(frozen=True, slots=True)
class Trait:
    """`traits.country`, `traits.address.city`."""

    path: tuple[str, ...]

    def wire(self) -> Wire:
        return "Trait", {"path": self.path}


@dataclass(frozen=True, slots=True)
class Property:
    """A bare name in `where=`: a property of the event under the window."""

    path: tuple[str, ...]

    def wire(self) -> Wire:
        return "Property", {"path": self.path}


LOCAL: Final = "\0local"
CONTEXT: Final = "\0context"
"""The names under which circumstances are among the properties of an event."""


@dataclass(frozen=True, slots=True)
class Circumstance(Property):
    """`local.hour`, or in `where=` also `context.campaign.name`: no property of the event, but its local time or its context."""

    def wire(self) -> Wire:
        return "Circumstance", {"path": self.path}


MOST_SENT_DAYS: Final = 31
"""Most days that `sent` looks back on; the send log is kept longer."""


@dataclass(frozen=True, slots=True)
class Sent:
    """`sent(days=7, channel="push", journey="cart")`: how many messages went out to the user on the local days up to today."""

    days: int
    channel: str | None = None
    """None: all but `webhook` and `benefit`."""
    journey: str | None = None

    def wire(self) -> Wire:
        return "Sent", {"days": self.days} | optional(channel=(self.channel, None), journey=(self.journey, None))


Unit = Literal["minute", "hour", "day"]


@dataclass(frozen=True)
class Measure:
    """What is measured over a user's events: `sum("app_used.minutes", days=7, where=...)`.

    `length` is the number of units, or None for all time. Inside `every_day` the unit is `day`, `length` is N and `daily` is true:
    the measure is then taken of one day at a time. `silent(E, ...)` is `Not(Did(Measure("did", E, ...)))`.
    """

    kind: str
    """The name of a kind of `triggers.measures`."""
    event: str
    path: tuple[str, ...] = ()
    unit: Unit | None = None
    length: int | None = None
    where: Condition | None = None
    daily: bool = False
    non_negative: bool = False
    """The schema declares that the summed property is never below zero."""
    whole: bool = False
    """`settings: {before_rules: nothing}`: what happened before the window was kept counts as nothing. No part of the window's key."""
    n: int = 0
    """Of a kind that gives a list: how many of it."""

    @cached_property
    def key(self) -> str:
        """The name of the window in a user's state: 12 hex characters of a hash. Measures that can share a window have the same key."""
        return digest(WINDOW_PARTS[self.kind](self), 12)

    def wire(self) -> Wire:
        return "Measure", {"kind": self.kind, "event": self.event} | optional(
            path=(self.path, ()),
            unit=(self.unit, None),
            length=(self.length, None),
            where=(self.where, None),
            daily=(self.daily, False),
            non_negative=(self.non_negative, False),
            whole=(self.whole, False),
            n=(self.n, 0),
        )


WINDOW_PARTS: Final[dict[str, Callable[[Measure], tuple[object, ...]]]] = {}
"""What the key of a window is the hash of, by kind of measure. Each kind enters its own (`triggers.measures`): this module knows none."""


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`left op right`. `/` is allowed only at the top of one side of a comparison, which is then made without dividing."""

    op: Literal["+", "-", "*", "/"]
    left: Operand
    right: Operand

    def wire(self) -> Wire:
        return "Arithmetic", {"op": self.op, "left": self.left, "right": self.right}


Operand = Number | Text | Flag | Moment | Trait | Property | Measure | Sent | Arithmetic

# ---- conditions -----------------------------------------------------------------------------------------------------

Comparison = Literal["==", "!=", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Compare:
    op: Comparison
    left: Operand
    right: Operand

    def wire(self) -> Wire:
        return "Compare", {"op": self.op, "left": self.left, "right": self.right}


@dataclass(frozen=True, slots=True)
class In:
    """`traits.country in ["CN", "TW"]`; `not in` is `Not(In(...))`."""

    item: Operand
    options: tuple[Number | Text | Flag, ...]

    def wire(self) -> Wire:
        return "In", {"item": self.item, "options": self.options}


KNOWN_HOURS: Final = 24
"""How long a message id is known where no rule file says so."""
MAX_LISTED: Final = 200
"""Most items of a list that a condition looks at."""


@dataclass(frozen=True, slots=True)
class Contains:
    """`"vip" in traits.tags`: one of the items of a list is this value. False for what is no list."""

    item: Number | Text | Flag
    path: Trait | Property

    def wire(self) -> Wire:
        return "Contains", {"item": self.item, "path": self.path}


@dataclass(frozen=True, slots=True)
class OfList:
    """`any(products.category == "book")` in `where=`: the condition holds for one item, or for all items, of a list of the event.

    The list is the first one on `path`, which all properties of the condition begin with. What is no list, and an empty one, gives false.
    """

    quantifier: Literal["any", "all"]
    path: tuple[str, ...]
    condition: Condition

    def wire(self) -> Wire:
        return "OfList", {"quantifier": self.quantifier, "path": self.path, "condition": self.condition}


@dataclass(frozen=True, slots=True)
class Did:
    """`did(E, ...)`: true when there is such an event."""

    measure: Measure

    def wire(self) -> Wire:
        return "Did", {"measure": self.measure}


@dataclass(frozen=True, slots=True)
class EveryDay:
    """`every_day(N, condition)`: the condition holds on each of the N complete local days before today."""

    days: int
    condition: Condition

    def wire(self) -> Wire:
        return "EveryDay", {"days": self.days, "condition": self.condition}


@dataclass(frozen=True, slots=True)
class And:
    items: tuple[Condition, ...]

    def wire(self) -> Wire:
        return "And", {"items": self.items}


@dataclass(frozen=True, slots=True)
class Or:
    items: tuple[Condition, ...]

    def wire(self) -> Wire:
        return "Or", {"items": self.items}


@dataclass(frozen=True, slots=True)
class Not:
    item: Condition

    def wire(self) -> Wire:
        return "Not", {"item": self.item}


Condition = Compare | In | Contains | OfList | Did | EveryDay | And | Or | Not | Flag

# ---- documents ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Segment:
    """Users who satisfy a condition now."""

    name: str
    condition: Condition
    text: str
    """The condition as written."""

    @cached_property
    def key(self) -> str:
        """Names the segment's definition in a user's state: 12 hex characters.

        It covers that a summed property is declared non-negative: a user who is inside only because of that has never entered.
        """
        return digest(self.condition, 12)


class Cause:
    """What lets a run begin or end. The kinds are in `triggers.causes`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Late:
    """What becomes of a moment that had passed by more than `after` ms when it was armed: `drop` or `send`."""

    after: int
    then: Literal["drop", "send"]

    def drops(self, moment: int, now: int) -> bool:
        """Return whether it is too late now for an action of this moment."""
        return self.then == "drop" and now - moment > self.after

    def wire(self) -> Wire:
        return "Late", {"after": self.after, "then": self.then}


@dataclass(frozen=True, slots=True)
class Goal:
    """What a journey is for: a cause that converts a run for `within` ms after its entry."""

    cause: Cause
    within: int
    value: tuple[str, ...] = ()
    """The property of the event that says what the conversion is worth."""

    def wire(self) -> Wire:
        return "Goal", {"cause": self.cause, "within": self.within} | optional(value=(self.value, ()))


_LEFT_OUT: Final = Late(24 * 3_600_000, "drop")
"""The policy that the wire form of a journey leaves out, whatever the language's default is."""


MAX_PRIORITY: Final = 100
USUAL_PRIORITY: Final = 50
"""The priority that the wire form of a journey leaves out."""


class Step:
    """What a run does, or waits for. The kinds are in `triggers.steps`."""

    __slots__ = ()

    name: str
    when: Condition | None
    """The step is carried out only where it is true now; else the run ends."""


@dataclass(frozen=True)
class Journey:
    """A programme with an entry, steps and exits."""

    name: str
    version: str
    """8 hex characters of the hash of its definition."""
    entry: Cause
    steps: tuple[Step, ...]
    exits: tuple[Cause, ...] = ()
    re_entry: int | None = None
    """Shortest time from one entry to the next, ms; 0: always; None: never."""
    late: Late = Late(24 * 3_600_000, "drop")
    on_change: Literal["finish", "exit"] = "finish"
    category: str = "marketing"
    """Which policies bind its messages (`triggers.definitions.policies`)."""
    values: Mapping[str, Operand] = field(default_factory=dict)
    """The named values that its texts show."""
    hold_at_most: int = 24 * 3_600_000
    """How long after its moment a policy may hold a message, ms."""
    goal: Goal | None = None
    drops_late_entries: bool = False
    """The journey itself names `late` with `then: drop`: it holds for sends before the first wait too. No part of the version."""
    more_entries: tuple[Cause, ...] = ()
    """Of a list of entries all but the first."""
    while_running: Literal["refuse", "restart"] = "refuse"
    """What becomes of a run when what enters the journey comes again."""
    priority: int = USUAL_PRIORITY
    """Of runs that can continue at one moment, those of the highest priority continue first."""
    spread: int = 0
    """Entries by the clock come up to so much later, ms: each user always by the same length."""
    opens: int | None = None
    """The first date on which a user can enter: the day's number; None: no limit."""
    closes: int | None = None
    """The last one."""
    holdout: int = 0
    """From so many of 10,000 users everything is withheld."""
    exit_is_goal: bool = False
    """The one exit is the cause of the goal, and ends a run only where it converts it."""
    hash: str = field(default="", compare=False)
    """64 hex characters of the hash of everything that decides (`triggers.rules.versions`); empty where it is not known."""

    def wire(self) -> Wire:
        """Give the form whose hash is the version. So the version itself is an empty text in it."""
        return "Journey", {"name": self.name, "version": "", "entry": self.entry, "steps": self.steps} | optional(
            exits=(self.exits, ()),
            re_entry=(self.re_entry, None),
            late=(self.late, _LEFT_OUT),
            on_change=(self.on_change, "finish"),
            category=(self.category, "marketing"),
            more_entries=(self.more_entries, ()),
            while_running=(self.while_running, "refuse"),
            priority=(self.priority, USUAL_PRIORITY),
            values=(self.values, {}),
            hold_at_most=(self.hold_at_most, 24 * 3_600_000),
            goal=(self.goal, None),
            spread=(self.spread, 0),
            opens=(self.opens, None),
            closes=(self.closes, None),
            holdout=(self.holdout, 0),
            exit_is_goal=(self.exit_is_goal, False),
        )

    @property
    def entries(self) -> tuple[Cause, ...]:
        """What starts a run. If several happen at once, the first of them counts."""
        return (self.entry, *self.more_entries)


@dataclass(frozen=True)
class RuleSet:
    """All rule files of one folder, named by their content hash."""

    hash: str
    """64 hex characters: SHA-256 of the canonical JSON of {file name: text}."""
    files: Mapping[str, str]
    segments: Mapping[str, Segment] = field(default_factory=dict)
    """By name, in the order of names."""
    journeys: Mapping[str, Journey] = field(default_factory=dict)
    """By name, in the order of names."""
    time_zone: str = "UTC"
    """For users without a trait `timezone`."""
    placeholder_ids: bool = False
    """Whether ids such as `undefined` and `null` are users."""
    known_hours: int = KNOWN_HOURS
    """How long a message id is known, to the end of its hour."""
    policies: Policies | None = None
    """None: no file has a section `policies`."""
    tiers: Mapping[str, Tier] = field(default_factory=dict)
    """By name, in the order of names."""
