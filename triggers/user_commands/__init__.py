"""The kinds of commands about one user, one module a kind.

A new kind is a class in its own module, and a line in `KINDS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from triggers.records.events import NeedsNewer, Unreadable, check_user_id
from triggers.records.user_commands import read_user_command
from triggers.user_commands.enter import Enter
from triggers.user_commands.erase import Erase
from triggers.user_commands.kind import UserCommandKind
from triggers.user_commands.suppress import Suppress
from triggers.user_commands.unsuppress import Unsuppress

if TYPE_CHECKING:
    from triggers.base.model import Record
    from triggers.records.messages import UserCommand

KINDS: Final[dict[str, UserCommandKind]] = {kind.name: kind for kind in (Suppress(), Unsuppress(), Erase(), Enter())}
"""By name."""


def read(record: Record) -> tuple[UserCommandKind, UserCommand]:
    """Read a command about one user, with its kind. Raises `NeedsNewer` for one of a newer release, otherwise `Unreadable`."""
    command = read_user_command(record)
    kind = KINDS.get(command.kind)
    if kind is None:
        raise NeedsNewer(f'the unknown user command "{command.kind}"')
    fault = kind.fault(command)
    if fault is not None:
        raise Unreadable(f"not a user command: {fault}")
    check_user_id(command.user, placeholders=True)
    return kind, command
