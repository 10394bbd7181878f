"""The fold of one partition: the log is the input, decisions are the output, and the log alone says what time it is.

Order at one record: the clock; the user's own due timers; is it a duplicate; traits and windows; exits; segments; entries and their steps;
timers that are due now. Users are independent, so the timers of other users may be drained afterwards in slices (`drain`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from xxhash import xxh3_64_digest

from triggers.base.model import HOUR, SLICE_BYTES, Headers, Out, Place, Record
from triggers.base.moments import LAST, Zone, find_zone
from triggers.causes.cause import NO_PROPERTIES
from triggers.conditions.circumstances import Asked, with_circumstances
from triggers.engine.commands import Commands
from triggers.engine.draining import MOMENTS
from triggers.engine.interface import Options, Output
from triggers.engine.one_user import apply_event, fire
from triggers.journeys.events import NO_EVENT, NO_JOURNEYS, Match
from triggers.journeys.library import Library
from triggers.journeys.plan import Pinned
from triggers.records.events import Unreadable, check_user_id, control_kind, event_time, read_context, read_event, when_received
from triggers.records.outbox import Outbox
from triggers.state.duplicates import is_duplicate, remember
from triggers.state.position import POSITION_KEY, Position
from triggers.state.table import Table
from triggers.state.traits import Merged, merge
from triggers.state.user import User

KIND: Final = "plain" if __file__.endswith(".py") else "compiled"
"""How this engine runs: from its sources, or as machine code made from them. Both decide the same."""
NAMES: Final = 200
"""Maximum number of names of events without a rule that are counted between two calls of `take_names`."""
OTHER: Final = "other"
"""The name under which all further names are counted."""
_UNKNOWN: Final = User()
"""A user without a state. Do not change it."""
_out: Final = cast("Callable[[type[Out], tuple[bytes, bytes | None, Headers]], Out]", tuple.__new__)
"""Create an `Out` at a third of the cost of calling it: there is one for each user that has changed."""


class Partition(Commands):
    """Fold the log of one partition. Not thread-safe; one caller."""

    def __init__(
        self, place: Place, table: Table, library: Library, position: Position | None = None, options: Options | None = None
    ) -> None:
        super().__init__(place, table, library, position, options)
        self.foreign_keys = 0
        self.unreadable_times = 0
        self.events = 0
        self._names: dict[str, int] = {}
        self._unknown_names = 0
        self._saved = (self.position.offset, self.position.meeting)

    # ---- folding -----------------------------------------------------------------------------------------------------

    def advance(self, records: Sequence[Record], start: int = 0, limit: int = 10_000) -> int:
        """Fold records from index `start` on, at most about `limit`, and return the index of the next one.

        Records at or below the position are repetitions; they are skipped. It stops early before a command, or a record of a user, while
        many timers must be drained first (call it again), before a command while its rule set is missing (see `blocked`), and before a
        record of a newer release (see `newer`). After an upgrade to other terms it folds nothing (see `position.handed_to`).
        """
        position, outbox, table, overrides = self.position, self._outbox, self.table, self.options.overrides
        full = self.pending + SLICE_BYTES
        self._forget_stop()
        self._moments = MOMENTS
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
                if not self._event(record, clock):
                    return at
                self.events += 1
            elif kind != b"tick" or record.key or record.value:
                if not self._control(record, kind, limit):
                    if self.newer is not None:
                        position.clock = before  # a later override may keep the record from moving it
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

    def reach(self, offset: int) -> None:
        """Move the position to an offset up to which the log has no further records (transaction markers, compaction).

        A position that was handed over stays at the upgrade: there the next release continues.
        """
        if offset > self.position.offset and self.position.handed_to is None:
            self.position.offset = offset

    def _event(self, record: Record, clock: int) -> bool:
        """Fold one event. An unreadable one becomes a dead letter. Return false if timers of the user must be drained first."""
        table, context = self.table, self._context
        try:
            kind, user_id, name, message_id, times, properties, traits = read_event(record)
            user = table.get(user_id)
            if user is None:
                self._admit(user_id, record)
            elif user.due <= clock or self.position.meeting is not None:
                context.begin(user_id, user, clock)
                if not self._catch_up(context):
                    return False
            arrived = record.timestamp
            if arrived > clock:
                arrived = clock
            happened = event_time(times, arrived)
            readable = happened >= 0
            if not readable:
                happened = when_received(times, arrived)
            digest = xxh3_64_digest(message_id.encode()) if message_id else b""
            hour = clock // HOUR
            since = hour - context.plan.rules.known_hours
            if digest and user is not None:
                seen, unread = user.held_seen, user.held_unread
                if seen is None or unread is None:
                    seen, unread = user.seen, user.unread
                if (seen.find(digest) >= 0 or unread.find(digest) >= 0) and is_duplicate(user, digest, since):
                    self.duplicates += 1  # to compare first costs less than to call
                    return True
            match, merged = NO_EVENT, None
            if traits:
                merged = self._merge(kind, _UNKNOWN if user is None else user, traits, happened)
            # A run can be of older rules, which may know the event.
            if name is not None and (name in context.plan.by_event or (user is not None and (user.held_runs or "runs" in user.sections))):
                match = self._match(name, properties, user, record, merged, happened)
        except Unreadable as reason:
            self._outbox.dead_letter(record, str(reason))
            return True
        if name is not None:
            count = self._names.get(name)
            if count is None:
                self._count_first(name)
            else:
                self._names[name] = count + 1
        if not readable:
            self.unreadable_times += 1
        new = False
        if user is None or user.offset < 0:
            new, user = True, self._begin(user_id, user)
        user.offset = record.offset
        user.met = self.position.applied
        if digest:
            remember(user, digest, hour, since, read=match is not NO_EVENT or kind == "identify")
        changed = None if merged is None else merged.changed
        if merged is not None:
            context.take_over(user, merged)
        if match is NO_EVENT and not new and not changed:
            table.note(user_id, user)
            return True
        context.begin(user_id, user, clock)
        if changed or (not match.only_fills and (match.entries or match.waits)):  # traits keep the values; a run keeps properties
            table.size += len(record.value or b"")
        if apply_event(context, match, happened, changed, new):
            user.set_due()
            if user.due <= clock:
                fire(context, clock, mark=f"-o{record.offset}")
        table.touch(user_id, user)
        return True

    def _begin(self, user_id: str, user: User | None) -> User:
        """Return the state for the first record of a user. Commands about the user may have made one before."""
        if user is None:
            user = self.table.add(user_id, self.position.applied)
            self.position.users += 1
        else:
            user.first = self.position.applied
        return user

    def _count_first(self, name: str) -> None:
        """Begin to count events of a name. Of the names that no rule knows, count at most `NAMES`."""
        if not self.knows(name):
            if self._unknown_names >= NAMES:
                name = OTHER
            else:
                self._unknown_names += 1
        self._names[name] = self._names.get(name, 0) + 1

    def knows(self, name: str) -> bool:
        """Return whether the active rules name this event."""
        return name in self._context.plan.by_event

    def take_names(self) -> dict[str, int]:
        """Return the number of events of each name since the last call, without duplicates and dead letters."""
        names, self._names, self._unknown_names = self._names, {}, 0
        return names

    def _admit(self, user_id: str, record: Record) -> None:
        """Check the id of a user who is new here. Raises `Unreadable`."""
        check_user_id(user_id, placeholders=self._context.plan.rules.placeholder_ids)
        belongs = self.options.belongs
        if belongs is not None and not belongs(record.key or b""):
            if not self.options.accept_foreign_keys:
                raise Unreadable("the key does not belong to this partition: its producer uses another partitioner than murmur2")
            self.foreign_keys += 1

    def _merge(self, kind: str, user: User, traits: dict[str, Any], happened: int) -> Merged | None:
        """Return the user's traits after a call. Raises `Unreadable` if an `identify` would make them too big.

        Another call is first of all an event: if the traits of its context are too big, only they are left out.
        """
        try:
            return merge(user, traits, happened, self.position.clock)
        except Unreadable:
            if kind == "identify":
                raise
            self._outbox.counts["traits left out", ""] += 1
            return None

    def _match(
        self, name: str, properties: dict[str, Any] | None, user: User | None, record: Record, merged: Merged | None, happened: int
    ) -> Match:
        """Look up what an event means to the rules. Raises `Unreadable` before anything has changed."""
        pinned: Sequence[Pinned] = NO_JOURNEYS if user is None or not user.runs else self._context.matched_for(user.runs)
        given: Mapping[str, Any] = NO_PROPERTIES if properties is None else properties
        try:
            return self._context.plan.match(name, given, pinned)
        except Asked as asked:
            return self._match_asked(name, given, pinned, asked.roots, record, self._zone(user, merged), happened)

    def _zone(self, user: User | None, merged: Merged | None) -> Zone:
        """Return the time zone of a user after this call."""
        traits: Mapping[str, Any] = NO_PROPERTIES
        if merged is not None:
            traits = merged.traits
        elif user is not None:
            traits = user.traits
        return find_zone(traits.get("timezone")) or self._context.plan.zone

    def _match_asked(
        self,
        name: str,
        properties: Mapping[str, Any],
        pinned: Sequence[Pinned],
        roots: frozenset[str],
        record: Record,
        zone: Zone,
        happened: int,
    ) -> Match:
        """Look up what an event means, with the circumstances that rules ask for. Older versions of journeys may ask for more."""
        while True:
            asked_of = with_circumstances(properties, roots, happened, zone, lambda: read_context(record.value or b""))
            try:
                return self._context.plan.match(name, asked_of, pinned)
            except Asked as asked:
                roots |= asked.roots

    # ---- checkpoints -------------------------------------------------------------------------------------------------

    @property
    def changed(self) -> bool:
        """Whether the next checkpoint would write anything new."""
        position = self.position
        return self.table.changes > 0 or self._outbox.size > 0 or self._saved != (position.offset, position.meeting)

    def take(self) -> Output:
        """Return the output of the next checkpoint. Call `saved` with it after the commit; there is one at a time."""
        users = self.table.take()
        outbox = self._outbox
        changelog = [_out(Out, (user_id.encode(), data, ())) for user_id, data in users]
        changelog.append(Out(POSITION_KEY, self.position.encode()))
        output = Output(changelog, outbox.actions, outbox.decisions, outbox.dead_letters, self.position.offset, users)
        self._saved = (self.position.offset, self.position.meeting)
        self._outbox = self._context.outbox = Outbox(self.place)
        self._outbox.counts = outbox.counts
        return output

    @property
    def counts(self) -> dict[tuple[str, str], int]:
        """The number of decisions by (kind, journey), and of dead letters by ("dead letter", reason), since this fold began."""
        return self._outbox.counts

    def saved(self, output: Output) -> None:
        """Note that the output is committed."""
        self.table.saved(output.users, output.changelog[-1].value)
