"""Whether a user is suppressed. A user who is not costs two comparisons."""

from typing import Final

from triggers.state.sections.suppressed import ALL, SUPPRESSED, Suppressions
from triggers.state.user import User

_NONE: Final[Suppressions] = {}


def suppressions_of(user: User) -> Suppressions:
    """Return the user's suppressions by channel. Do not change them; see `set_suppressions`."""
    if user.more is None and SUPPRESSED.name not in user.sections:
        return _NONE
    return user.value(SUPPRESSED)  # type: ignore[no-any-return]


def set_suppressions(user: User, suppressions: Suppressions) -> None:
    user.put(SUPPRESSED, suppressions)


def suppressed_by(user: User, channel: str) -> str | None:
    """Return the suppression that covers a channel: `ALL`, or the channel itself. None: there is no such suppression."""
    suppressions = suppressions_of(user)
    if not suppressions:
        return None
    return ALL if ALL in suppressions else channel if channel in suppressions else None
