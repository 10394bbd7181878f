"""The contract of a section of a user's state.

A section is one part of a state, with its own name and in its own file. It is read when code first asks for it. Until then its bytes are
kept, and written back unchanged. So each section must obey three laws, or the bytes of a state would depend on which sections were read:

* `content` and `read` are exact opposites: to read bytes and write them again gives the same bytes;
* a value that equals the empty one is not written;
* the bytes of an older version are read immediately (`before`), so that they are always written in the current form.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from triggers.base.model import NEVER

Decode = Callable[[Any], Any]


class Needed(NamedTuple):
    """The parts of a user's state that the user's rules need."""

    windows: Mapping[str, Any]
    """By key: those of the active rule set."""
    pinned_windows: set[str]
    """Keys of those that runs of older rule sets need."""
    standings: Mapping[str, Any]
    """By key of the segment: those of the active rule set."""
    pinned_standings: set[str]
    """Keys of the segments that runs of older rule sets watch."""
    journeys: Mapping[str, Any]
    """By name: those of the active rule set."""
    tiers: Mapping[str, Any] = {}
    """By name: those of the active rule set, and those that runs of older ones need."""


class Legend(Protocol):
    """Give the parts of a state the names that the rules have for them, for people."""

    def windows(self, held: dict[str, Any]) -> list[dict[str, Any]]:
        """List all windows, also those that the state leaves out."""

    def segments(self, held: dict[str, Any]) -> list[dict[str, Any]]:
        """List all standings, also those that the state leaves out."""

    def segment(self, key: str) -> str: ...
    def tiers(self, held: dict[str, Any]) -> list[dict[str, Any]]:
        """List the levels in all tiers of the active rules, also those that the state leaves out."""

    def caps(self, log: bytes) -> list[dict[str, Any]]:
        """List the active caps, and how much of each the user has used."""

    def run(self, run: Any) -> dict[str, Any]: ...  # noqa: ANN401 -- a `triggers.state.runs.Run`
    def kept(self, run: Any) -> dict[str, Any]:  # noqa: ANN401 -- a `Run`, or a `triggers.state.watches.Watch`
        """Return the key and the arms of a run, or of the run of a watched goal, as far as it has any."""


class Section:
    """Base of all sections. A section overrides what differs for it."""

    def __init__(self, name: str, decode: Decode, *, timed: bool = False, before: tuple[str, Decode] | None = None) -> None:
        """`before`: the section's name in its previous version, and the function that reads that. `timed`: it has a due moment."""
        self.name: Final = name
        self.timed: Final = timed
        self.before: Final = before
        self._decode: Final = decode

    def empty(self) -> Any:  # noqa: ANN401 -- each section has a type of its own
        """Return the value for a user without this section."""
        return {}

    def read(self, raw: Any) -> Any:  # noqa: ANN401
        """Read the value of these bytes. Raises `msgspec.DecodeError`."""
        try:
            return self._decode(raw)
        except UnicodeDecodeError as error:  # msgspec lets it through
            raise msgspec.DecodeError(f"a text in a state is not UTF-8: {error.reason}") from None

    def content(self, value: Any) -> Any:  # noqa: ANN401
        """Return what is written; None: nothing."""
        return value or None

    def due(self, value: Any) -> int:  # noqa: ANN401, ARG002
        """Return the earliest timer in a value."""
        return NEVER

    def due_of(self, raw: Any) -> int:  # noqa: ANN401, ARG002
        """Return the earliest timer in the section's bytes, without reading all of them."""
        return NEVER

    def size(self, value: Any) -> int:  # noqa: ANN401, ARG002
        """Return the bytes of a value in a state, by a formula over its contents: another codec must not refuse another entry."""
        return 0

    def nested(self, value: Any) -> int:  # noqa: ANN401, ARG002
        """Return the memory of JSON objects and lists in a value, in addition to `triggers.state.sizes.decoded_bytes`."""
        return 0

    def forget(self, value: Any, needed: Needed) -> None:  # noqa: ANN401, ARG002
        """Remove the contents that no rule needs any more."""
        return

    def show(self, value: Any, legend: Legend) -> dict[str, Any]:  # noqa: ANN401, ARG002
        """Return the user view of a value: parts of a JSON document."""
        return {}

    def timers(self, value: Any, legend: Legend) -> list[tuple[int, str]]:  # noqa: ANN401, ARG002
        """Describe the timers in words."""
        return []
