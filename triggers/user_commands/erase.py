"""`erase`: all that is known of the user goes. Only a suppression stays. The user's next event is a first record."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from triggers.user_commands.kind import Unchanged, UserCommandKind

if TYPE_CHECKING:
    from triggers.journeys.context import UserContext
    from triggers.records.messages import UserCommand


class Erase(UserCommandKind):
    """Erase a user. The fold removes the state: see `erases`."""

    name: ClassVar[str] = "erase"
    erases: ClassVar[bool] = True

    def carry_out(self, context: UserContext, command: UserCommand) -> Unchanged | None:  # noqa: ARG002
        return None
