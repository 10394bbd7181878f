"""Commands about one user: folded in that user's order, like an event, and signed like a command.

Order at such a record: the user's own due timers; is it a duplicate; the change; what follows from it.
"""

from hmac import compare_digest
from typing import Any, Final

from xxhash import xxh3_64_digest

from triggers.base.model import HOUR, SIGNATURE_HEADER, Place, Record
from triggers.engine.draining import Draining
from triggers.engine.interface import Options
from triggers.engine.one_user import fire
from triggers.journeys.library import Library
from triggers.records.decisions import Kind
from triggers.records.events import Unreadable, signature
from triggers.records.messages import UserCommand
from triggers.state.duplicates import is_duplicate, remember
from triggers.state.position import Position
from triggers.state.suppression import set_suppressions, suppressions_of
from triggers.state.table import Table
from triggers.state.user import User
from triggers.user_commands import read
from triggers.user_commands.kind import Unchanged, UserCommandKind, values_of

COMMANDS: Final = 1
"""The seed for the ids of commands. Message ids have another one, so that no event can have the digest of a command."""


class ForUsers(Draining):
    """The part of a partition that carries out commands about one user."""

    def __init__(self, place: Place, table: Table, library: Library, position: Position | None, options: Options | None) -> None:
        super().__init__(place, table, library, position, options)
        self.duplicates = 0

    def _check_signature(self, record: Record) -> None:
        key = self.options.command_key
        if key is None:
            return
        right = signature(key, self.place.topic, record.value or b"")
        for name, value in record.headers:
            if name == SIGNATURE_HEADER and value and compare_digest(value, right):
                return
        raise Unreadable("a command without a right signature")

    def _user_command(self, record: Record) -> bool:
        """Fold a command about one user. Return false if timers of the user must be drained first.

        Raises `Unreadable` or `NeedsNewer` before anything has changed.
        """
        self._check_signature(record)
        kind, command = read(record)
        table, context, clock = self.table, self._context, self.position.clock
        user = table.get(command.user)
        if user is None:
            self._check_partition(record)
        elif user.due <= clock or self.position.meeting is not None:
            context.begin(command.user, user, clock)
            if not self._catch_up(context):
                return False
        digest, hour = xxh3_64_digest(command.id.encode(), seed=COMMANDS), clock // HOUR
        since = hour - context.plan.rules.known_hours
        if user is not None and is_duplicate(user, digest, since):
            self.duplicates += 1
            return True
        if user is None:
            if not kind.adds_users:
                self._tell("refused", kind.without, record, command)
                return True
            user = table.add(command.user, self.position.applied)
            self.position.users += 1
        if user.offset >= 0:  # otherwise the user has no record yet: the first event decides what it is the first for
            user.offset = record.offset
            user.met = self.position.applied
        remember(user, digest, hour, since, read=True)
        table.size += len(record.value or b"")
        context.begin(command.user, user, clock)
        self._carry_out_for(kind, user, record, command)
        return True

    def _carry_out_for(self, kind: UserCommandKind, user: User, record: Record, command: UserCommand) -> None:
        context, table, clock = self._context, self.table, self.position.clock
        context.offset = record.offset
        problem: Unchanged | None = kind.carry_out(context, command)
        if problem is not None:
            self._tell("refused", problem.reason, record, command)
        elif kind.tells:
            self._tell("met", f"command {kind.name}", record, command)
        if kind.erases:
            self._erase(command.user, user)
            return
        if problem is None:
            kind.follow(context)
        user.set_due()
        if user.due <= clock:
            fire(context, clock, mark=f"-o{record.offset}")
        table.touch(command.user, user)

    def _check_partition(self, record: Record) -> None:
        """Refuse a user who is new here, and whose key belongs to another partition."""
        belongs = self.options.belongs
        if belongs is not None and not self.options.accept_foreign_keys and not belongs(record.key or b""):
            raise Unreadable("the key does not belong to this partition: its producer uses another partitioner than murmur2")

    def _erase(self, user_id: str, user: User) -> None:
        """Remove a state. If the user is suppressed, a new state that says only this takes its place."""
        suppressions = suppressions_of(user)
        self.table.erase(user_id)
        if not suppressions:
            self.position.users -= 1
            return
        left = self.table.add(user_id, self.position.applied)
        set_suppressions(left, suppressions)
        self.table.touch(user_id, left)

    def _tell(self, kind: Kind, reason: str, record: Record, command: UserCommand) -> None:
        values: dict[str, Any] = values_of(command)
        self._outbox.decision(
            kind,
            reason,
            user=command.user,
            at=self.position.clock,
            offset=record.offset,
            rule_set=self.position.rule_set,
            journey=command.journey,
            values=values,
        )
