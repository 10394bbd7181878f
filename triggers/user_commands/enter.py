"""`enter`: the user enters a journey by hand, now. A pause, a running run and `re_entry` refuse it, as they refuse any entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from triggers.causes.cause import NO_PROPERTIES
from triggers.journeys.continuing import continue_all
from triggers.journeys.runs import COMMANDED, enter
from triggers.user_commands.kind import Unchanged, UserCommandKind, values_of

if TYPE_CHECKING:
    from triggers.journeys.context import UserContext
    from triggers.records.messages import UserCommand


class Enter(UserCommandKind):
    """Enter a journey of the active rules."""

    name: ClassVar[str] = "enter"
    takes: ClassVar[frozenset[str]] = frozenset(("journey",))
    needs: ClassVar[frozenset[str]] = frozenset(("journey",))

    tells: ClassVar[bool] = False

    def carry_out(self, context: UserContext, command: UserCommand) -> Unchanged | None:
        plan = context.plan.journeys.get(command.journey or "")
        if context.user.offset < 0:
            return Unchanged(self.without)
        if plan is None:
            return Unchanged("the rules have no such journey")
        run = enter(context, plan, context.now, context.user.offset, values_of(command), NO_PROPERTIES, COMMANDED)
        if run is not None:
            context.moves = 0
            continue_all(context, [run])
        return None
