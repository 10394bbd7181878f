"""The kinds of commands about one user, one module a kind.

A new kind is a class in its own module, and a line in `KINDS`.
"""

from __future__ import annotations

from typing import Final

from triggers.user_commands.enter import Enter
from triggers.user_commands.erase import Erase
from triggers.user_commands.kind import UserCommandKind
from triggers.user_commands.suppress import Suppress
from triggers.user_commands.unsuppress import Unsuppress

KINDS: Final[dict[str, UserCommandKind]] = {kind.name: kind for kind in (Suppress(), Unsuppress(), Erase(), Enter())}
"""By name."""
