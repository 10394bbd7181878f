"""`suppress`: nothing is sent to the user any more, or nothing by one channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from triggers.journeys.continuing import continue_all
from triggers.state.sections.suppressed import ALL, MAX_SUPPRESSIONS
from triggers.state.suppression import set_suppressions, suppressed_by, suppressions_of
from triggers.user_commands.kind import Unchanged, UserCommandKind

if TYPE_CHECKING:
    from triggers.journeys.context import UserContext
    from triggers.records.messages import UserCommand
    from triggers.state.runs import Run


class Suppress(UserCommandKind):
    """Suppress a user."""

    name: ClassVar[str] = "suppress"
    takes: ClassVar[frozenset[str]] = frozenset(("channel", "reason"))
    adds_users: ClassVar[bool] = True

    def carry_out(self, context: UserContext, command: UserCommand) -> Unchanged | None:
        user, name = context.user, command.channel or ALL
        suppressions = {**suppressions_of(user), name: (context.now, command.reason or "")}
        if len(suppressions) > MAX_SUPPRESSIONS:
            return Unchanged("too many suppressed channels")
        set_suppressions(user, suppressions)
        return None

    def follow(self, context: UserContext) -> None:
        """Ask the gates again about the sends that are held and now suppressed. A pause goes before: its runs stay where they are."""
        paused, user = context.position.paused, context.user
        held = [run for run in user.runs if run.held and run.journey not in paused and _is_suppressed(context, run)]
        context.moves = 0
        continue_all(context, (), held)


def _is_suppressed(context: UserContext, run: Run) -> bool:
    """Return whether the run is at a send by a suppressed channel."""
    channel = context.journey_of(run).program.find(run.step).channel
    return bool(channel) and suppressed_by(context.user, channel) is not None
