"""The context of one user at one logical time: what the parts of a decision share."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, Protocol

from triggers.base.model import MAX_REPORTED
from triggers.base.moments import Zone, find_zone
from triggers.conditions.compiler import View
from triggers.journeys.crossing import Crossing
from triggers.journeys.events import PinnedTier
from triggers.journeys.plan import JourneyPlan, Pinned, Plan, SegmentPlan
from triggers.measures.windows import new_window
from triggers.records.decisions import Kind
from triggers.records.outbox import Outbox
from triggers.state.position import Position, since_of_absent
from triggers.state.runs import Run
from triggers.state.sections.sends import SENDS
from triggers.state.traits import Merged, take_over
from triggers.state.user import User


class Plans(Protocol):
    """Compiled rule sets by hash."""

    def __call__(self, rule_set: str) -> Plan: ...


class LazyTraits:
    """The traits of the current user. They are read only when a condition asks for one, so this has only `get` of a mapping."""

    def __init__(self) -> None:
        self.user = User()

    def get(self, name: str) -> Any:  # noqa: ANN401 -- it is whatever JSON holds
        return self.user.traits.get(name)


class AllWindows:
    """A user's windows, and the absent ones that have not seen all events; see `UserContext.absent`."""

    def __init__(self) -> None:
        self.held: Any = {}
        self.absent: dict[str, Any] = {}

    def get(self, key: str) -> Any:  # noqa: ANN401 -- a `triggers.measures.shapes.Window`
        window = self.held.get(key)
        return self.absent.get(key) if window is None else window


class UserContext:
    """One user at one logical time. A partition creates one context and moves it from user to user."""

    __slots__ = (
        "_absent",
        "_crossings",
        "_newest",
        "_traits",
        "_windows",
        "changed_traits",
        "entries",
        "is_foreign",
        "mark",
        "moves",
        "now",
        "offset",
        "outbox",
        "plan",
        "plans",
        "position",
        "user",
        "user_id",
        "view",
        "zone_before",
    )

    def __init__(self, position: Position, outbox: Outbox, plan: Plan, plans: Plans) -> None:
        self.position = position
        self.outbox = outbox
        self.plan = plan
        """Of the active rule set."""
        self.plans = plans
        self.view = View()
        self.user_id = ""
        self.user = User()
        self.now = 0
        self.offset: int | None = None
        """That of the record that is being folded; None: only time decides, or a command."""
        self.changed_traits: dict[str, Any] | None = None
        """What a run has set, and what the engine has not decided about yet; None: no run has."""
        self.moves = 0
        """The number of steps that the user has taken at this record or moment."""
        self.entries: set[tuple[str, str]] = set()
        """What has entered since the user was taken up: journey, and the end of the run's id."""
        self.is_foreign: Callable[[str], bool] | None = None
        """Whether a user's key belongs to another partition, where such users are accepted."""
        self.mark = ""
        """The end of the id of a run that time enters. At a moment of a record that was just read, it names the record: an erase could make
        a moment come twice for a user, while the clock is still."""
        self.zone_before: Zone | None = None
        """What the user's own trait named before it has changed at this record; None: nothing that is known."""
        self._crossings: dict[str, Crossing] = {}
        """By the hash of the rule set that users come from."""
        self._traits: Final = LazyTraits()
        self._windows: Final = AllWindows()
        self._absent: dict[int, dict[str, Any]] = {}
        self._newest = 0
        conditions: Any = self._traits
        self.view.traits = conditions
        self.view.sends = self._sends
        self.use_plan(plan)

    def _sends(self) -> tuple[bytes, bool]:
        """Return the user's send log, and whether messages are dry now."""
        return self.user.value(SENDS), not self.position.live

    def use_plan(self, plan: Plan) -> None:
        """Activate another rule set."""
        self.plan = plan
        self._absent = {}
        self._crossings = {}
        self._newest = max((number for number, _ in self.position.windows.values()), default=0)

    def absent(self, first: int) -> dict[str, Any]:
        """Return empty windows for those that a state leaves out and that have not seen all events of the user.

        `first` is the number of the user's first rule set. All such users share the windows; do not change them.
        """
        absent = self._absent.get(first)
        if absent is None:
            absent = self._absent[first] = {}
            for key, measure in self.plan.measures.items():
                since = since_of_absent(self.position.windows, key, first)
                if since:
                    absent[key] = new_window(measure, since)
        return absent

    def since(self, key: str) -> int:
        """Return the moment from which a window that the state leaves out has seen all events; 0: all events of the user."""
        first = self.user.first
        return since_of_absent(self.position.windows, key, first) if first < self._newest else 0

    def begin(self, user_id: str, user: User, now: int) -> None:
        """Move to a user at a logical time."""
        self.user_id = user_id
        self.user = user
        self.offset, self.mark = None, ""
        if self.entries:
            self.entries.clear()
        self._traits.user = user
        view = self.view
        windows = user.held_windows
        if windows is None:
            windows = user.windows
        if user.first < self._newest:
            self._windows.held, self._windows.absent = windows, self.absent(user.first)
            windows = self._windows
        view.windows = windows
        traits = user.held_traits
        if ("traits" in user.sections and user.may_have_trait("timezone")) if traits is None else "timezone" in traits.values:
            self.set_zone()
        else:
            view.zone = self.plan.zone
        self.now = view.now = now
        view.today = view.zone.day(now)

    def set_zone(self) -> None:
        """Take the user's time zone from the trait `timezone`, or the rule set's zone if the trait is missing or unknown."""
        found = find_zone(self.user.traits.get("timezone"))
        self.view.zone = self.plan.zone if found is None else found

    def take_over(self, user: User, merged: Merged) -> None:
        """Set a user's traits to a result of `merge`, and note the time zone that the user leaves by it."""
        if "timezone" in merged.changed:
            self.zone_before = find_zone(user.traits.get("timezone"))
        take_over(user, merged)

    def note_zone(self) -> None:
        """Report that the user's time zone is unknown, once for each name."""
        name = self.user.traits.get("timezone")
        if name is None or find_zone(name) is not None:
            return
        shown = str(name)[:64]
        reported, what = self.user.refused, f"\0{shown}"
        if what in reported:
            return
        for other in [other for other in reported if other[0] == "\0"]:
            del reported[other]
        reported[what] = self.view.today, 0
        self.outbox.counts["unknown zone", ""] += 1
        self.outbox.decision(
            "met",
            "unknown time zone",
            user=self.user_id,
            at=self.now,
            offset=self.user.offset,
            rule_set=self.position.rule_set,
            values={"timezone": shown},
        )

    def at(self, now: int) -> None:
        """Move to another logical time."""
        self.now = now
        view = self.view
        view.now = now
        view.today = view.zone.day(now)

    # ---- rules that this user is under -------------------------------------------------------------------------------

    def journey_of(self, run: Run) -> JourneyPlan:
        """Return the version of the journey that a run is pinned to."""
        plan = self.plan if run.rule_set == self.plan.hash else self.plans(run.rule_set)
        return plan.journeys[run.journey]

    def pinned(self) -> list[JourneyPlan]:
        """List the journeys of older rule sets that the user has runs in."""
        return self.pinned_to(self.user.runs)

    def pinned_to(self, runs: list[Run]) -> list[JourneyPlan]:
        """List the journeys of these runs that belong to older rule sets, each version once."""
        current = self.plan.hash
        found = [self.plans(run.rule_set).journeys[run.journey] for run in runs if run.rule_set != current]
        return found if len(found) < 2 else list(dict.fromkeys(found))

    def matched_for(self, runs: list[Run]) -> Sequence[Pinned]:
        """List what an event is looked up for in addition to the active rules, for a user with these runs."""
        found: list[Pinned] = [*self.pinned_to(runs)]
        return found + list(self.pinned_tiers(runs).values()) if found else found

    def pinned_tiers(self, runs: list[Run]) -> dict[str, PinnedTier]:
        """Return the tiers that only runs of older rule sets need, by name. Of several definitions, that of the newest run counts."""
        current, known = self.plan.hash, self.plan.tiers.by_name
        found: dict[str, PinnedTier] = {}
        for run in runs:
            if run.rule_set != current:
                plan = self.plans(run.rule_set)
                for name in plan.journeys[run.journey].tiers:
                    if name not in known:
                        found[name] = plan.pinned_tier(name)
        return dict(sorted(found.items())) if len(found) > 1 else found

    def watched(self) -> dict[str, SegmentPlan]:
        """Return the segments that only pinned runs watch, by key: the active rules do not know them."""
        known = self.plan.by_key
        extra: dict[str, SegmentPlan] = {}
        for journey in self.pinned():
            for segment in journey.watches:
                if segment.key not in known:
                    extra[segment.key] = segment
        return extra

    def segments(self) -> list[SegmentPlan]:
        """List all segments that are kept for this user: the active ones by name, then those that pinned runs watch."""
        extra = self.watched()
        return [*self.plan.segments, *extra.values()] if extra else self.plan.segments

    def segments_of(self, keys: Collection[str]) -> list[SegmentPlan]:
        """List the segments of this user that have these keys, in the order of `segments`."""
        found = self.plan.in_order(keys)
        if len(found) < len(keys):
            found += [segment for key, segment in self.watched().items() if key in keys]
        return found

    def reading(self, traits: Mapping[str, Any]) -> list[SegmentPlan]:
        """List the segments of this user whose condition reads one of these traits, in the order of `segments`."""
        by_trait = self.plan.by_trait
        keys = {segment.key: None for trait in traits if trait in by_trait for segment in by_trait[trait]}
        found = self.plan.in_order(keys)
        if self.user.runs:
            found += [segment for segment in self.watched().values() if not segment.traits.isdisjoint(traits)]
        return found

    def crossing(self, previous: Plan) -> Crossing:
        """Return what is new under the active rules for a user who comes from `previous`."""
        crossing = self._crossings.get(previous.hash)
        if crossing is None or crossing.previous is not previous:
            crossing = self._crossings[previous.hash] = Crossing(previous, self.plan)
        return crossing

    # ---- once a day ---------------------------------------------------------------------------------------------------

    def report_once(self, what: str) -> int:
        """Ask whether to report something that is reported once a local day: how often it was left out before, or -1 for no.

        The day only moves forward, also where the user's time zone moves back.
        """
        reported = self.user.refused
        day, unreported = reported.get(what, (-1, 0))
        if self.view.today > day:
            reported[what] = self.view.today, 0
            if len(reported) > MAX_REPORTED:
                del reported[min(reported, key=lambda one: (reported[one], one))]
            return unreported
        reported[what] = day, unreported + 1
        return -1

    # ---- decisions without a run -------------------------------------------------------------------------------------

    def say(
        self, plan: JourneyPlan, kind: Kind, reason: str, values: dict[str, Any], moment: int | None = None, key: str | None = None
    ) -> None:
        """Record a decision about a journey in which the user has no run."""
        self.outbox.decision(
            kind,
            reason,
            user=self.user_id,
            at=self.now,
            offset=self.user.offset,
            rule_set=self.plan.hash,
            journey=plan.journey.name,
            version=plan.journey.version,
            due=moment,
            values=values,
            key=key,
        )
