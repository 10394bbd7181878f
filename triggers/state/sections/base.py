"""What one section of a user's state has to say about itself.

A section is one part of a state under a name of its own, in one file. It is read when somebody first asks for it; until then its bytes are
kept, and written back as they are. So three things must hold for each section, or the bytes of a state would depend on who has looked:

* what `content` writes and `read` reads gives the same bytes again;
* a value that equals the empty one is not written;
* the bytes of an older version are read at once (`before`), so that they are always written in today's form.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from triggers.base.model import NEVER

Decode = Callable[[Any], Any]


class Needed(NamedTuple):
    """What the rules that a user is under need of the user's state."""

    windows: Mapping[str, Any]
    """By key: those of the rule set in force."""
    pinned_windows: set[str]
    """Keys of those that runs of older rule sets need."""
    standings: Mapping[str, Any]
    """By key of the segment: those of the rule set in force."""
    pinned_standings: set[str]
    """Keys of the segments that runs of older rule sets watch."""
    journeys: Mapping[str, Any]
    """By name: those of the rule set in force."""


class Legend(Protocol):
    """Gives the parts of a state the names that rules have for them, for people."""

    def windows(self, held: dict[str, Any]) -> list[dict[str, Any]]:
        """All windows, also those that the state leaves out."""

    def segments(self, held: dict[str, Any]) -> list[dict[str, Any]]:
        """All standings, also those that the state leaves out."""

    def segment(self, key: str) -> str: ...
    def run(self, run: Any) -> dict[str, Any]: ...  # noqa: ANN401 -- a `triggers.state.runs.Run`


class Section:
    """Base of all sections. A section overrides what is not so for it."""

    def __init__(
        self, name: str, decode: Decode, *, plain: bool = False, timed: bool = False, before: tuple[str, Decode] | None = None
    ) -> None:
        """`before`: the name that the section had in its version before this one, and what reads that. `timed`: it has a due moment.

        `plain`: it is written as it is held, so nobody asks `content`.
        """
        self.name: Final = name
        self.plain: Final = plain
        self.timed: Final = timed
        self.before: Final = before
        self._decode: Final = decode

    def empty(self) -> Any:  # noqa: ANN401 -- each section has a type of its own
        """The value of a user for whom the section is absent."""
        return {}

    def read(self, raw: Any) -> Any:  # noqa: ANN401
        """The value of these bytes. Raises `msgspec.DecodeError`."""
        try:
            return self._decode(raw)
        except UnicodeDecodeError as error:  # msgspec lets it through
            raise msgspec.DecodeError(f"a text in a state is not UTF-8: {error.reason}") from None

    def content(self, value: Any) -> Any:  # noqa: ANN401
        """What is written; None: nothing is."""
        return value or None

    def due(self, value: Any) -> int:  # noqa: ANN401, ARG002
        """The earliest timer in a value."""
        return NEVER

    def due_of(self, raw: Any) -> int:  # noqa: ANN401, ARG002
        """The same of the section's bytes, without reading all of them."""
        return NEVER

    def size(self, value: Any) -> int:  # noqa: ANN401, ARG002
        """Bytes that a value takes in a state, by a formula over what it holds: another codec must not refuse another entry."""
        return 0

    def nested(self, value: Any) -> int:  # noqa: ANN401, ARG002
        """Bytes of memory that objects and lists of JSON in a value take beyond the estimate of `triggers.state.sizes.decoded_bytes`."""
        return 0

    def forget(self, value: Any, needed: Needed) -> None:  # noqa: ANN401, ARG002
        """Drops what no rule needs any more."""
        return

    def show(self, value: Any, legend: Legend) -> dict[str, Any]:  # noqa: ANN401, ARG002
        """What a person sees of it: parts of a JSON document."""
        return {}

    def timers(self, value: Any, legend: Legend) -> list[tuple[int, str]]:  # noqa: ANN401, ARG002
        """What is waited for, in words."""
        return []
