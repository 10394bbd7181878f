"""Fire the timers of users that are due, and migrate users to a new rule set.

A partition is one class in four layers, each in its own module: this one, the commands about one user (`for_users.py`), the commands for
all (`commands.py`), the log (`partition.py`). A layer uses only the layers below it. They are layers of one class and not objects that hold
each other, because all of them share the position, the table and the outbox, which the fold needs at each event: an object between them
would cost a look-up there.

Work on many users is cut into slices: `drain` stops after a number of users, and when it has made enough output for one checkpoint.
"""

from typing import Final

from msgspec.structs import replace

from triggers.base.model import NEVER, SLICE_BYTES, Place
from triggers.engine.interface import Options
from triggers.engine.one_user import fire, meet, release_held
from triggers.journeys.context import UserContext
from triggers.journeys.library import Library
from triggers.journeys.plan import NOTHING, Plan
from triggers.records.outbox import Outbox
from triggers.state.due import STALE
from triggers.state.encoding import encode
from triggers.state.position import Position
from triggers.state.table import Table

MOMENTS: Final = 128
"""Maximum number of moments that one call fires before the records of their users. In addition, it may fire one for each record."""


class Draining:
    """The users of a partition, its position and its output."""

    def __init__(self, place: Place, table: Table, library: Library, position: Position | None, options: Options | None) -> None:
        self.place = place
        self.table = table
        self.library = library
        self.position = Position() if position is None else position
        self.position.users = len(table.store)
        self.options = Options() if options is None else options
        self._outbox = Outbox(place)
        self._moments = 0
        """How many moments the current call may still fire before records."""
        plan = self._plan()
        if self.position.kept != self.position.applied:  # the position is of a release that did not count them, or of a rebase
            self._keep_windows(plan)
        self._context = UserContext(self.position, self._outbox, plan, library.plan)

    @property
    def pending(self) -> int:
        """The approximate size of the next checkpoint, in bytes."""
        return self._outbox.size + self.table.size

    def _plan(self) -> Plan:
        rule_set = self.position.rule_set
        return NOTHING if rule_set is None else self.library.plan(rule_set)

    def _keep_windows(self, plan: Plan) -> None:
        """Note in the position since when the windows of this plan are kept."""
        position = self.position
        meeting = position.meeting
        # Engine 1 kept no windows for exits alone. For a rule set that reads one in a condition, they begin with that rule set.
        is_of_engine_1 = position.kept < 0 <= position.converted
        keys = plan.asked if is_of_engine_1 else plan.measures
        if meeting is None or meeting.kind == "resume":
            position.keep_windows(keys, None, 0)
        else:
            previous = NOTHING if meeting.previous is None else self.library.plan(meeting.previous)
            position.keep_windows(keys, previous.asked if is_of_engine_1 else previous.measures, meeting.at)

    # ---- draining ----------------------------------------------------------------------------------------------------

    def next_due(self) -> int:
        """Return the earliest moment at which any user has a timer, ms."""
        return self.table.next_due()

    def drain(self, limit: int = 1_000) -> int:
        """Fire the timers that the clock has passed, then migrate users to the rules: at most `limit` moments or users.

        Return their number; 0: nothing is left.
        """
        context, table, clock = self._context, self.table, self.position.clock
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
            context.begin(user_id, user, clock)
            done += self._bring_up_to_date(context, limit - done)
            table.touch(user_id, user)
        if done < limit and self.position.meeting is not None and self.pending <= full:
            done += self._drain_meeting(limit - done)
        return done

    def _drain_meeting(self, limit: int) -> int:
        meeting = self.position.meeting
        if meeting is None:
            return 0
        context, table = self._context, self.table
        some, more = table.unmet(meeting.after, limit, self.position.applied if meeting.kind == "apply" else None)
        for user_id in some:
            user = table.peek(user_id)
            if user is not None:
                context.begin(user_id, user, meeting.at)
                if self._meet_one(context):
                    table.touch(user_id, user)
        if not more:
            self.position.meeting, self.position.left = None, {}
            table.end_meeting()
        elif some:
            self.position.meeting = replace(meeting, after=some[-1])
        return max(len(some), 1)

    def _meet_one(self, context: UserContext) -> bool:
        """Migrate one user to the command of the meeting, at the command's logical time. Return whether the user has changed.

        A user has changed if the bytes of the state differ, or if there is output. A user that a rule set does not change is not written.
        The state then names an older rule set as met. That is harmless: to migrate the user again gives the same result.
        """
        meeting, position, user, outbox = self.position.meeting, self.position, context.user, self._outbox
        if meeting is None:
            return False
        if meeting.kind == "apply":
            if user.met == position.applied or user.offset < 0:  # of a user without a record nothing is decided
                return False
            before, said = self.table.encoded(context.user_id, user), outbox.size
            previous = meeting.previous_of(user.met, position.applied) if meeting.cut else meeting.previous
            context.at(meeting.at)
            meet(context, NOTHING if previous is None else self.library.plan(previous))
            if outbox.size == said and encode(user) == before:
                return False
            user.met = position.applied
            return True
        held = [run for run in user.runs if run.held and run.due == NEVER and run.journey == meeting.journey]
        if held:
            context.at(meeting.at)
            release_held(context, held)
        return bool(held)

    def _catch_up(self, context: UserContext) -> bool:
        """Do what precedes a user's record. Return false if more is due than one call may fire: the record has to wait."""
        self._moments -= self._bring_up_to_date(context, max(self._moments, 1))
        return context.user.due > self.position.clock

    def _bring_up_to_date(self, context: UserContext, limit: int) -> int:
        """Migrate the user to the rules, then fire the user's own due timers.

        Return the number of moments. After `limit` of them it stops, and the user stays due.
        """
        user, position = context.user, self.position
        moments = 1
        if position.meeting is not None and self._meet_one(context):
            self.table.touch(context.user_id, user)
        if user.due <= position.clock:
            moments += fire(context, position.clock, limit)
            user.met = position.applied
            self.table.touch(context.user_id, user)
        return moments
