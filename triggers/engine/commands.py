"""Commands of operators: each is a barrier in the log.

What was due before a command is drained first, and the command takes effect only then (PROTOCOL law 11).
"""

from dataclasses import replace as changed
from typing import Any, Final

from triggers.base.model import Place, Record
from triggers.engine.for_users import ForUsers
from triggers.engine.interface import Options
from triggers.journeys.library import Library
from triggers.records.decisions import Kind
from triggers.records.events import NeedsNewer, Unreadable, read_control
from triggers.records.messages import Command, Terms
from triggers.records.user_commands import USER_COMMAND
from triggers.state.old import go_over
from triggers.state.position import Meeting, Position
from triggers.state.table import Table

USERS: Final = 256
"""Maximum number of timers or users that one call drains before a command."""


class Commands(ForUsers):
    """The part of a partition that carries out commands."""

    def __init__(self, place: Place, table: Table, library: Library, position: Position | None, options: Options | None) -> None:
        super().__init__(place, table, library, position, options)
        self.blocked: str | None = None
        """Hash of the rule set that must be added to the library before the fold can continue."""
        self.newer: str | None = None
        """What only a newer release can read: the fold stops before it, until an override of its offset makes it a dead letter."""
        self._mark_foreign()

    def _mark_foreign(self) -> None:
        belongs = self.options.belongs
        if self.options.accept_foreign_keys and belongs is not None:
            self._context.is_foreign = lambda user_id: not belongs(user_id.encode())
        else:
            self._context.is_foreign = None

    def go_over(self, terms: Terms) -> None:
        """Continue after an upgrade as the next release does. Only for replays: a worker opens the partition again instead."""
        go_over(self.position, terms)
        self.options = changed(self.options, accept_foreign_keys=terms.foreign_keys)
        self._mark_foreign()

    def needs(self) -> set[str]:
        """Return the rule sets that the fold can ask for: the active one, the next, the previous, and those that runs are pinned to."""
        meeting = self.position.meeting
        known = {self.position.rule_set, self.blocked, *([] if meeting is None else [meeting.previous, *meeting.cut])}
        return self.table.needs() | {rule_set for rule_set in known if rule_set is not None}

    def _control(self, record: Record, kind: bytes, limit: int) -> bool:
        """Fold a control record that is not a plain tick. Return false if something else must be done first."""
        try:
            if kind == USER_COMMAND:
                return self._user_command(record)
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

    def _forget_stop(self) -> None:
        """Continue the fold, also if the record that stopped it is skipped."""
        # In its own method: after an assignment in `advance`, the compiler would assume that `newer` is None there.
        self.blocked = self.newer = None

    def _is_handed_over(self) -> bool:
        # In its own method, as `_forget_stop`.
        return self.position.handed_to is not None

    def _command(self, record: Record, command: Command, limit: int) -> bool:
        """Carry out a command. Return false if something must be drained or fetched first."""
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
        """Make the change that a command asks for, or return the reason why there is nothing to change."""
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
            self._context.use_plan(plan)
        elif command.journey is None:
            return "no journey is named"
        elif command.kind == "pause":  # also a journey that the rules no longer have: its runs may be running
            position.paused = sorted({*position.paused, command.journey})
        elif command.journey not in position.paused:
            return "the journey is not paused"
        else:
            position.paused = [name for name in position.paused if name != command.journey]
            position.meeting = Meeting(kind="resume", at=clock, journey=command.journey)
        return None

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
