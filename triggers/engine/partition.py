"""The fold of one partition: the log goes in, decisions come out, and time is what the log says it is.

Order at one record: the clock; the user's own due timers; is it a duplicate; traits and windows; exits; segments; entries and their steps;
timers that are due now. Users are independent, so other users' due timers may be drained afterwards in slices (`drain`). A command is a
barrier: what was due before it is drained first, and it takes its place in the log only then (PROTOCOL law 11).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from hmac import compare_digest
from typing import Any, Final, NamedTuple, cast

from msgspec.structs import replace
from xxhash import xxh3_64_digest

from triggers.base.model import HOUR, SIGNATURE_HEADER, SLICE_BYTES, Headers, Out, Place, Record
from triggers.base.moments import LAST
from triggers.causes.cause import NO_PROPERTIES
from triggers.engine.turn import apply_event, fire, meet, release_held
from triggers.journeys.context import Visit
from triggers.journeys.plan import NO_EVENT, NO_JOURNEYS, NOTHING, Library, Match, Plan
from triggers.records.decisions import Kind
from triggers.records.events import (
    NeedsNewer,
    Unreadable,
    check_user_id,
    control_kind,
    event_time,
    read_control,
    read_event,
    signature,
    when_received,
)
from triggers.records.messages import Command, Terms
from triggers.records.outbox import Outbox
from triggers.state.due import STALE
from triggers.state.duplicates import is_duplicate, remember
from triggers.state.old import go_over
from triggers.state.position import POSITION_KEY, Meeting, Position
from triggers.state.table import Table
from triggers.state.traits import Merged, merge, take_over
from triggers.state.user import User, encode

KIND: Final = "plain" if __file__.endswith(".py") else "compiled"
"""How this engine runs: its sources as they are, or as machine code that was made of them. They decide the same."""
USERS: Final = 256
"""Most timers or users that are drained at one go before a command."""
NAMES: Final = 200
"""Different names of events that no rule knows which are counted between two looks."""
OTHER: Final = "other"
"""Stands for the names beyond these."""
_NOBODY: Final = User()
"""Of whom nothing is known yet. Nobody may change it."""
_out: Final = cast("Callable[[type[Out], tuple[bytes, bytes, Headers]], Out]", tuple.__new__)
"""Makes an `Out` at a third of what calling it costs: there is one for each user that has changed."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the fold must be told beside the log. A replay that is to decide the same gives the same."""

    belongs: Callable[[bytes], bool] | None = None
    """Whether a key belongs to this partition; None: not asked."""
    accept_foreign_keys: bool = False
    """Count keys of other partitions instead of refusing them."""
    command_key: bytes | None = None
    """Commands must carry an HMAC under this key."""
    overrides: frozenset[int] = frozenset()
    """Offsets of records whose timestamps do not move the clock (PROTOCOL law 17)."""
    taken_back: frozenset[int] = frozenset()
    """Offsets of upgrades that a rebase from a copy has taken back. An override alone does not stop an upgrade."""


class Output(NamedTuple):
    """What one checkpoint writes, all or nothing."""

    changelog: list[Out]
    """Changed users, then the position."""
    actions: list[Out]
    decisions: list[Out]
    dead_letters: list[Out]
    offset: int
    """Where the position stands after it."""
    users: list[tuple[str, bytes]]


class Partition:
    """Folds one partition's log. Not thread-safe; one caller."""

    def __init__(
        self, place: Place, table: Table, library: Library, position: Position | None = None, options: Options | None = None
    ) -> None:
        self.place = place
        self.table = table
        self.library = library
        self.position = Position() if position is None else position
        self.position.users = len(table.store)
        self.options = Options() if options is None else options
        self.blocked: str | None = None
        """Hash of the rule set that must be added to the library before the fold can go on."""
        self.newer: str | None = None
        """What only a newer release can read: the fold stops before it, until an override of its offset makes it a dead letter."""
        self.duplicates = 0
        self.foreign_keys = 0
        self.unreadable_times = 0
        self.events = 0
        self._names: dict[str, int] = {}
        self._strangers = 0
        self._outbox = Outbox(place)
        self._saved = (self.position.offset, self.position.meeting)
        plan = self._plan()
        if self.position.kept != self.position.applied:  # saved by a release that kept no count of them, or by a rebase
            self._keep_windows(plan)
        self._visit = Visit(self.position, self._outbox, plan, library.plan)
        self._mark_foreign()

    def _mark_foreign(self) -> None:
        belongs = self.options.belongs
        if self.options.accept_foreign_keys and belongs is not None:
            self._visit.is_foreign = lambda user_id: not belongs(user_id.encode())
        else:
            self._visit.is_foreign = None

    def go_over(self, terms: Terms) -> None:
        """Goes on behind an upgrade as the next release does: for replays. A worker opens the partition anew instead."""
        go_over(self.position, terms)
        self.options = changed(self.options, accept_foreign_keys=terms.foreign_keys)
        self._mark_foreign()

    def _plan(self) -> Plan:
        rule_set = self.position.rule_set
        return NOTHING if rule_set is None else self.library.plan(rule_set)

    # ---- folding -----------------------------------------------------------------------------------------------------

    def advance(self, records: Sequence[Record], start: int = 0, limit: int = 10_000) -> int:
        """Folds records from index `start` on, at most about `limit`, and returns the index of the next one to fold.

        Records at or below the position are repetitions and skipped. It stops early before a command while there is something to drain
        first (call it again), while its rule set is missing (see `blocked`), and before what a newer release has written (see `newer`).
        Behind an upgrade to other terms it folds nothing more (see `position.handed_to`).
        """
        position, outbox, table, overrides = self.position, self._outbox, self.table, self.options.overrides
        full = self.pending + SLICE_BYTES
        self._forget_stop()
        if self._is_handed_over():
            return start
        at = start
        for at in range(start, min(len(records), start + limit)):
            record = records[at]
            offset = record.offset
            if offset <= position.offset:
                continue
            timestamp, clock = record.timestamp, position.clock
            before = clock
            if clock < timestamp <= LAST and offset not in overrides:
                position.clock = clock = timestamp
            if not 0 <= timestamp <= LAST:
                outbox.dead_letter(record, "bad record timestamp: outside of the years 1970 to 9999")
            elif not record.headers or (kind := control_kind(record.headers)) is None:
                self._event(record, clock)
            elif kind != b"tick" or record.key or record.value:
                if not self._control(record, kind, limit):
                    if self.newer is not None:
                        position.clock = before  # an override that comes later keeps the record from moving it
                    return at
                if self._is_handed_over():
                    position.offset = offset
                    return at + 1
            position.offset = offset
            if outbox.size + table.size > full:
                break
        else:
            return min(len(records), start + limit)
        return at + 1

    def _forget_stop(self) -> None:
        """The fold goes on: also where what it stood before is skipped."""
        # In a method of its own: after an assignment in `advance` the compiler would take `newer` for None there.
        self.blocked = self.newer = None

    def reach(self, offset: int) -> None:
        """The log holds no further records up to this offset (control records of transactions, compaction).

        A position that was handed over stays at the upgrade: that it is there tells the next release to go on.
        """
        if offset > self.position.offset and self.position.handed_to is None:
            self.position.offset = offset

    def _event(self, record: Record, clock: int) -> None:
        """Folds one event; what cannot be read is a dead letter and changes nothing but the clock."""
        self.events += 1
        table, visit = self.table, self._visit
        try:
            kind, user_id, name, message_id, times, properties, traits = read_event(record)
            user = table.get(user_id)
            if user is None:
                self._admit(user_id, record)
            elif user.due <= clock or self.position.meeting is not None:
                visit.begin(user_id, user, clock)
                self._bring_up_to_date(visit)
            arrived = min(record.timestamp, clock)
            happened = event_time(times, arrived)
            readable = happened >= 0
            if not readable:
                happened = when_received(times, arrived)
            digest = xxh3_64_digest(message_id.encode()) if message_id else b""
            hour = clock // HOUR
            since = hour - visit.plan.rules.known_hours
            if digest and user is not None:
                seen, unread = user.held_seen, user.held_unread
                if seen is None or unread is None:
                    seen, unread = user.seen, user.unread
                if (seen.find(digest) >= 0 or unread.find(digest) >= 0) and is_duplicate(user, digest, since):
                    self.duplicates += 1  # to call costs more than to look
                    return
            match, merged = NO_EVENT, None
            if traits:
                merged = self._merge(kind, _NOBODY if user is None else user, traits, happened)
            if name is not None:
                match = self._match(name, properties, user)
        except Unreadable as reason:
            self._outbox.dead_letter(record, str(reason))
            return
        if name is not None:
            names = self._names
            count = names.get(name)
            if count is None:
                self._count_first(name)
            else:
                names[name] = count + 1
        if not readable:
            self.unreadable_times += 1
        new = user is None
        if user is None:
            user = table.add(user_id, self.position.applied)
            self.position.users += 1
        user.offset = record.offset
        user.met = self.position.applied
        if digest:
            remember(user, digest, hour, since, read=match is not NO_EVENT or kind == "identify")
        changed = None if merged is None else merged.changed
        if merged is not None:
            take_over(user, merged)
        if match is NO_EVENT and not new and not changed:
            table.note(user_id, user)
            return
        visit.begin(user_id, user, clock)
        if changed:
            table.size += len(record.value or b"")
        if match.entries:  # a run keeps properties of its entry
            table.size += len(record.value or b"")
        if apply_event(visit, match, happened, changed, new):
            user.reckon_due()
            if user.due <= clock:
                fire(visit, clock)
        table.touch(user_id, user)

    def _count_first(self, name: str) -> None:
        """Begins to count events of a name; of those that no rule knows, only so many."""
        if not self.knows(name):
            if self._strangers >= NAMES:
                name = OTHER
            else:
                self._strangers += 1
        self._names[name] = self._names.get(name, 0) + 1

    def knows(self, name: str) -> bool:
        """Whether the rules in force speak of events of this name."""
        return name in self._visit.plan.by_event

    def take_names(self) -> dict[str, int]:
        """How many events of each name were folded since the last call, duplicates and dead letters left out."""
        names, self._names, self._strangers = self._names, {}, 0
        return names

    def _admit(self, user_id: str, record: Record) -> None:
        """Looks closely at an id that is new here. Raises `Unreadable`."""
        check_user_id(user_id, placeholders=self._visit.plan.rules.placeholder_ids)
        belongs = self.options.belongs
        if belongs is not None and not belongs(record.key or b""):
            if not self.options.accept_foreign_keys:
                raise Unreadable("the key does not belong to this partition: its producer uses another partitioner than murmur2")
            self.foreign_keys += 1

    def _merge(self, kind: str, user: User, traits: dict[str, Any], happened: int) -> Merged | None:
        """What a call makes of the user's traits. Raises `Unreadable` where an `identify` would make them too big.

        Of another call only what its context says is left out then: it is an event first.
        """
        try:
            return merge(user, traits, happened, self.position.clock)
        except Unreadable:
            if kind == "identify":
                raise
            self._outbox.counts["traits left out", ""] += 1
            return None

    def _match(self, name: str, properties: dict[str, Any] | None, user: User | None) -> Match:
        """What an event means to the rules. Raises `Unreadable` before anything has changed."""
        pinned = NO_JOURNEYS
        if user is not None:
            runs = user.held_runs
            if runs is None and "runs" in user.sections:
                runs = user.runs
            if runs:
                pinned = self._visit.pinned_to(runs)
        return self._visit.plan.match(name, NO_PROPERTIES if properties is None else properties, pinned)

    def _bring_up_to_date(self, visit: Visit, limit: int | None = None) -> int:
        """What comes before a user's record: meeting the rules, then their own due timers.

        Returns how many moments it was; at most `limit`, and then the user stays due.
        """
        user, position = visit.user, self.position
        moments = 1
        if position.meeting is not None and self._meet_one(visit):
            self.table.touch(visit.user_id, user)
        if user.due <= position.clock:
            moments += fire(visit, position.clock, limit)
            user.met = position.applied
            self.table.touch(visit.user_id, user)
        return moments

    # ---- rule sets ---------------------------------------------------------------------------------------------------

    def needs(self) -> set[str]:
        """The rule sets that the fold can ask for: in force, waited for, about to be left, and those that runs are pinned to."""
        meeting = self.position.meeting
        known = {self.position.rule_set, self.blocked, None if meeting is None else meeting.previous}
        return self.table.needs() | {rule_set for rule_set in known if rule_set is not None}

    def _keep_windows(self, plan: Plan) -> None:
        """The position says from now on since when the windows of this plan are kept."""
        position = self.position
        meeting = position.meeting
        if meeting is None:
            position.keep_windows(plan.measures, None, 0)
        else:
            previous = NOTHING if meeting.previous is None else self.library.plan(meeting.previous)
            position.keep_windows(plan.measures, previous.measures, meeting.at)

    # ---- draining ----------------------------------------------------------------------------------------------------

    def next_due(self) -> int:
        """The earliest moment at which any user has a timer, ms."""
        return self.table.next_due()

    def drain(self, limit: int = 1_000) -> int:
        """Fires the timers that the clock has passed, then lets users meet the rules; at most `limit` users.

        Returns how many it was; 0: nothing is left.
        """
        visit, table, clock = self._visit, self.table, self.position.clock
        done = 0
        full = self.pending + SLICE_BYTES
        moved = table.moved
        while done < limit and self.pending <= full:
            found = table.pop_due(clock)
            if found is None:
                if table.next_due() <= clock:  # more entries of the due index have to be put back first
                    return done + 1
                break
            if table.moved - moved >= STALE:
                limit = done + 1  # enough for one call
            user_id, user = found
            visit.begin(user_id, user, clock)
            done += self._bring_up_to_date(visit, limit - done)
            table.touch(user_id, user)
        if done < limit and self.position.meeting is not None and self.pending <= full:
            done += self._drain_meeting(limit - done)
        return done

    def _drain_meeting(self, limit: int) -> int:
        meeting = self.position.meeting
        if meeting is None:
            return 0
        visit, table = self._visit, self.table
        some, more = table.unmet(meeting.after, limit, self.position.applied if meeting.kind == "apply" else None)
        for user_id in some:
            user = table.peek(user_id)
            if user is not None:
                visit.begin(user_id, user, meeting.at)
                if self._meet_one(visit):
                    table.touch(user_id, user)
        if not more:
            self.position.meeting, self.position.left = None, {}
            table.end_meeting()
        elif some:
            self.position.meeting = replace(meeting, after=some[-1])
        return max(len(some), 1)

    def _meet_one(self, visit: Visit) -> bool:
        """Brings one user to the command that is being met, at the logical time of the command; whether that has changed the user.

        It is the bytes that tell, and what has come out. A user whom a rule set does not change is not written, not even that they have met
        it: were they brought to it again, the same would come of it. What their state says they have met is then an older one.
        """
        meeting, position, user, outbox = self.position.meeting, self.position, visit.user, self._outbox
        if meeting is None:
            return False
        if meeting.kind == "apply":
            if user.met == position.applied:
                return False
            before, said = self.table.encoded(visit.user_id, user), outbox.size
            visit.at(meeting.at)
            meet(visit, NOTHING if meeting.previous is None else self.library.plan(meeting.previous))
            if outbox.size == said and encode(user) == before:
                return False
            user.met = position.applied
            return True
        held = [run for run in user.runs if run.held and run.journey == meeting.journey]
        if held:
            visit.at(meeting.at)
            release_held(visit, held)
        return bool(held)

    # ---- commands ----------------------------------------------------------------------------------------------------

    def _control(self, record: Record, kind: bytes, limit: int) -> bool:
        """Takes a control record that is no tick, or has a key or a value as users' records do; false: not yet."""
        try:
            if not record.key and kind != b"tick":
                self._check_signature(record)
            command = read_control(record, kind)
        except Unreadable as unreadable:
            self._outbox.dead_letter(record, str(unreadable))
            return True
        except NeedsNewer as newer:
            if record.offset not in self.options.overrides:
                self.newer = str(newer)
                return False
            self._outbox.dead_letter(record, f"passed by an override: {newer}")
            return True
        if command.kind == "upgrade" and record.offset in self.options.taken_back:
            self._outbox.dead_letter(record, "passed by an override: an upgrade that was taken back")
            return True
        return self._command(record, command, limit)

    def _is_handed_over(self) -> bool:
        # In a method of its own, as `_forget_stop` is.
        return self.position.handed_to is not None

    def _command(self, record: Record, command: Command, limit: int) -> bool:
        """Carries out a command; false: not yet, there is something to drain or to fetch first."""
        position = self.position
        most = min(limit, USERS)
        if self.drain(most) >= most or position.meeting is not None or self.next_due() <= position.clock:
            return False
        if command.previous != position.last_command or command.seq <= command.previous:
            reason = f"command {command.seq} follows {command.previous}, but the last one here was {position.last_command}"
            self._audit("refused", reason, record, command)
            return True
        if command.kind == "apply" and command.rule_set is not None and self.library.get(command.rule_set) is None:
            self.blocked = command.rule_set
            return False
        problem = self._carry_out(command)
        position.last_command = command.seq
        self._audit("refused" if problem else "met", problem or f"command {command.kind}", record, command)
        return True

    def _carry_out(self, command: Command) -> str | None:
        """Switches; returns the reason where there is nothing to switch."""
        position, clock = self.position, self.position.clock
        if command.kind == "go-live":
            position.live = True
        elif command.kind == "upgrade":
            if command.terms is None:
                return "no terms are named"
            if command.seq <= position.upgraded:
                return None
            if command.terms == position.terms:
                position.upgraded = command.seq
            else:
                position.handed_to = command.terms
        elif command.kind == "apply":
            if command.rule_set is None:
                return "no rule set is named"
            plan = self.library.plan(command.rule_set)
            previous, position.rule_set = position.rule_set, command.rule_set
            position.applied += 1
            position.meeting = Meeting(kind="apply", at=clock, previous=previous)
            self._keep_windows(plan)
            self._visit.turn_to(plan)
        elif command.journey is None:
            return "no journey is named"
        elif command.kind == "pause":  # also of one that is gone from the rules: its runs may be under way
            position.paused = sorted({*position.paused, command.journey})
        elif command.journey not in position.paused:
            return "the journey is not paused"
        else:
            position.paused = [name for name in position.paused if name != command.journey]
            position.meeting = Meeting(kind="resume", at=clock, journey=command.journey)
        return None

    def _check_signature(self, record: Record) -> None:
        key = self.options.command_key
        if key is None:
            return
        right = signature(key, self.place.topic, record.value or b"")
        for name, value in record.headers:
            if name == SIGNATURE_HEADER and value and compare_digest(value, right):
                return
        raise Unreadable("a command without a right signature")

    def _audit(self, kind: Kind, reason: str, record: Record, command: Command) -> None:
        values: dict[str, Any] = {"command": command.kind, "seq": command.seq, "rule_set": command.rule_set}
        self._outbox.decision(
            kind,
            reason,
            user=None,
            at=self.position.clock,
            offset=record.offset,
            rule_set=self.position.rule_set,
            journey=command.journey,
            values=values,
        )

    # ---- checkpoints -------------------------------------------------------------------------------------------------

    @property
    def pending(self) -> int:
        """Rough size in bytes of what the next checkpoint writes."""
        return self._outbox.size + self.table.size

    @property
    def changed(self) -> bool:
        """Whether the next checkpoint would say anything new."""
        position = self.position
        return self.table.changes > 0 or self._outbox.size > 0 or self._saved != (position.offset, position.meeting)

    def take(self) -> Output:
        """What the next checkpoint writes. Call `saved` with it after the commit; there is one at a time."""
        users = self.table.take()
        outbox = self._outbox
        changelog = [_out(Out, (user_id.encode(), data, ())) for user_id, data in users]
        changelog.append(Out(POSITION_KEY, self.position.encode()))
        output = Output(changelog, outbox.actions, outbox.decisions, outbox.dead_letters, self.position.offset, users)
        self._saved = (self.position.offset, self.position.meeting)
        self._outbox = self._visit.outbox = Outbox(self.place)
        self._outbox.counts = outbox.counts
        return output

    @property
    def counts(self) -> dict[tuple[str, str], int]:
        """How often each (kind of decision, journey) and ("dead letter", reason) has come out since this fold began."""
        return self._outbox.counts

    def saved(self, output: Output) -> None:
        """The output is committed."""
        self.table.saved(output.users, output.changelog[-1].value)
