"""Put new rules into the live log: not at all, before its first record, or at a moment in it.

At a moment in it, the log is folded with its own commands up to that moment. There the new rules are applied, as a command at that moment
would apply them: users with a state are migrated, and the windows of the new rules begin empty. Rule sets that the log applies later are
ignored; its other commands remain. The inserted command takes no offset of the log, so ids and causes of later events are those of the log.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from streams.browse.folding import Fold, Replayed
from streams.commands.changes import incomplete
from triggers.base.model import SIGNATURE_HEADER, Record
from triggers.base.moments import LAST
from triggers.records.control import command_after, command_record, tick
from triggers.records.events import NeedsNewer, Unreadable, control_kind, read_control, signature

if TYPE_CHECKING:
    from streams.settings import Settings
    from triggers.definitions.model import RuleSet
    from triggers.journeys.library import Library

AsOfWhen = int | Literal["now"]
"""A moment, ms, or the present."""


def moment_of(settings: Settings, when: AsOfWhen | None) -> int | None:
    """Return the given moment; None means the end of the log, which is the present of a log with its own clock."""
    if when == "now":
        return int(time.time() * 1000) if settings.clock == "broker" else None
    return when


class AsItWas:
    """The log with its own commands."""

    def __init__(self, fold: Fold) -> None:
        self._fold = fold

    def take(self, records: Sequence[Record]) -> None:
        """Fold the next records."""
        self._fold.fold(records)

    def end(self, until: int | None) -> None:
        """Finish: all records are folded."""

    def tell(self, replayed: Replayed) -> None:
        """Add to the result what was done."""


class FromTheStart(AsItWas):
    """The log without its commands, with rules that are applied and live before its first record."""

    def __init__(self, fold: Fold, rules: RuleSet) -> None:
        super().__init__(fold)
        self._rules = rules
        self._since: int | None = None

    def take(self, records: Sequence[Record]) -> None:
        """Fold the next records."""
        if records:
            overrides = self._fold.partition.options.overrides
            self._open(
                next((record.timestamp for record in records if 0 <= record.timestamp <= LAST and record.offset not in overrides), 0)
            )
            self._fold.fold([_without_command(record) for record in records])

    def end(self, until: int | None) -> None:
        """Finish: all records are folded; without any, apply the rules at the end."""
        if until is not None:
            self._open(until)

    def tell(self, replayed: Replayed) -> None:
        """Say since when the rules are active."""
        if self._since is not None:
            replayed.since = self._since if replayed.since is None else min(replayed.since, self._since)

    def _open(self, at: int) -> None:
        if self._since is None:
            self._since = at
            self._fold.go_live(self._rules, at)


class AsOf(AsItWas):
    """The log with its own commands up to a moment, at which new rules are applied."""

    def __init__(self, fold: Fold, rules: RuleSet, at: int | None) -> None:
        super().__init__(fold)
        fold.is_silent = True
        self._rules = rules
        self._at = at
        self._left_out = 0
        self.applied: int | None = None
        """Where the rules were applied, ms."""
        self.met: tuple[str | None, int] = (None, 0)
        """Which rule set was active until then, and how many users have been migrated to the new one."""
        self._is_live = False

    def take(self, records: Sequence[Record]) -> None:
        """Fold the next records, and apply the rules before the first later one."""
        if self.applied is None:
            first = next((number for number, record in enumerate(records) if self._is_later(record)), None)
            self._fold.fold(records[:first])
            if first is None:
                return
            self._apply()
            records = records[first:]
        begin = 0
        for number, record in enumerate(records):
            if record.headers and control_kind(record.headers) == b"command":
                self._fold.fold(records[begin:number])
                self._fold.fold([self._without_apply(record)])
                begin = number + 1
        self._fold.fold(records[begin:])

    def end(self, until: int | None) -> None:  # noqa: ARG002
        """Finish: all records are folded; a moment after them all has come."""
        if self.applied is None:
            self._apply()

    def tell(self, replayed: Replayed) -> None:
        """Add to the result where the rules were applied, and what of the log was ignored for them."""
        if self.applied is not None:
            replayed.as_of = self.applied if replayed.as_of is None else max(replayed.as_of, self.applied)
        replayed.is_dry_there |= not self._is_live
        replayed.applies_left_out = max(replayed.applies_left_out, self._left_out)

    def _is_later(self, record: Record) -> bool:
        """Return whether a record moves the clock beyond the moment."""
        at = self._at
        return at is not None and at < record.timestamp <= LAST and record.offset not in self._fold.partition.options.overrides

    def _apply(self) -> None:
        fold, partition = self._fold, self._fold.partition
        position = partition.position
        at = self.applied = max(position.clock, 0) if self._at is None else self._at
        offset, last = position.offset, position.last_command
        partition.library.add(self._rules)
        # Timers that were due before a command are drained before it, so they belong to the log's own results.
        fold.until(at)
        fold.speak()
        self.met, self._is_live = (position.rule_set, position.users), position.live
        command = command_after(last, "apply", rule_set=self._rules.hash)
        fold.fold([command_record(offset + 1, at, command, topic=partition.place.topic, key=partition.options.command_key)])
        position.offset, position.last_command = offset, last

    def _without_apply(self, record: Record) -> Record:
        """Replace a command that would apply other rules by a tick; the next command follows as before."""
        partition = self._fold.partition
        position, key = partition.position, partition.options.command_key
        if key is not None:
            right = signature(key, partition.place.topic, record.value or b"")
            if not any(name == SIGNATURE_HEADER and value == right for name, value in record.headers):
                return record
        try:
            found = read_control(record, b"command")
        except (NeedsNewer, Unreadable):
            return record
        if found.kind != "apply" or found.previous != position.last_command or found.seq <= found.previous:
            return record
        position.last_command = found.seq
        self._left_out += 1
        return tick(record.offset, record.timestamp)


def _without_command(record: Record) -> Record:
    """Replace a command by a tick of the same time."""
    if record.headers and control_kind(record.headers) == b"command":
        return tick(record.offset, record.timestamp)
    return record


class Incomplete:
    """The windows that start incomplete for migrated users, collected over the partitions."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._users: Counter[str | None] = Counter()

    def add(self, rule_set: str | None, users: int) -> None:
        """Add the number of users that had this rule set until then."""
        self._users[rule_set] += users

    def lines(self, rules: RuleSet, at: int) -> list[str]:
        """Return a line for each window."""
        found: list[str] = []
        for rule_set, users in sorted(self._users.items(), key=lambda item: -item[1]):
            found += incomplete(None if rule_set is None else self._library.get(rule_set), rules, users, max(at, 0))
        return found
