"""The base of all kinds of commands about one user."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

if TYPE_CHECKING:
    from triggers.journeys.context import UserContext
    from triggers.records.messages import UserCommand


class Unchanged(NamedTuple):
    """The reason why a command has changed nothing."""

    reason: str


class UserCommandKind(ABC):
    """One kind of command."""

    name: ClassVar[str]
    takes: ClassVar[frozenset[str]] = frozenset()
    """The fields that it can have, of `channel`, `journey` and `reason`."""
    needs: ClassVar[frozenset[str]] = frozenset()
    """Those that it must have."""
    adds_users: ClassVar[bool] = False
    """It is carried out also for a user without a state."""
    erases: ClassVar[bool] = False
    """The state goes after it; only a suppression stays."""
    tells: ClassVar[bool] = True
    """The fold reports that the command was carried out. Otherwise its consequences say it."""
    without: ClassVar[str] = "nothing is known of this user"
    """Why it changes nothing if there is no state."""

    @abstractmethod
    def carry_out(self, context: UserContext, command: UserCommand) -> Unchanged | None:
        """Change the user's state."""

    def follow(self, context: UserContext) -> None:  # noqa: B027 -- for most kinds nothing follows
        """Decide what follows from the change."""

    def fault(self, command: UserCommand) -> str | None:
        """Say which field is missing or has no meaning; None: none."""
        for field in ("channel", "journey", "reason"):
            given = getattr(command, field) is not None
            if given and field not in self.takes:
                return f"{self.name} has no {field}"
            if not given and field in self.needs:
                return f"{self.name} without a {field}"
        return None


def values_of(command: UserCommand) -> dict[str, Any]:
    """Return what decisions about a command say."""
    fields = {"command": command.kind, "id": command.id, "channel": command.channel, "reason": command.reason}
    return {name: value for name, value in fields.items() if value is not None}
