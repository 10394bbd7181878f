"""`unsuppress`: messages go out again from now on. What was blocked is not made up for."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from triggers.state.suppression import set_suppressions, suppressions_of
from triggers.user_commands.kind import Unchanged, UserCommandKind

if TYPE_CHECKING:
    from triggers.journeys.context import UserContext
    from triggers.records.messages import UserCommand


class Unsuppress(UserCommandKind):
    """Lift one suppression, or all."""

    name: ClassVar[str] = "unsuppress"
    takes: ClassVar[frozenset[str]] = frozenset(("channel", "reason"))
    without: ClassVar[str] = "not suppressed"

    def carry_out(self, context: UserContext, command: UserCommand) -> Unchanged | None:
        suppressions = suppressions_of(context.user)
        kept = {} if command.channel is None else {name: since for name, since in suppressions.items() if name != command.channel}
        if len(kept) == len(suppressions):
            return Unchanged("not suppressed")
        set_suppressions(context.user, kept)
        return None
