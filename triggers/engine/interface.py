"""What a partition is given in addition to its log, and what it gives back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from triggers.base.model import Out


@dataclass(frozen=True, kw_only=True)
class Options:
    """Settings that the fold needs in addition to the log. A replay decides the same only with the same options."""

    belongs: Callable[[bytes], bool] | None = None
    """Whether a key belongs to this partition; None: do not check."""
    accept_foreign_keys: bool = False
    """Count keys of other partitions instead of refusing them."""
    command_key: bytes | None = None
    """Commands must carry an HMAC under this key."""
    overrides: frozenset[int] = frozenset()
    """Offsets of records whose timestamps do not move the clock (PROTOCOL law 17)."""
    taken_back: frozenset[int] = frozenset()
    """Offsets of upgrades that a rebase from a copy has taken back. An override alone does not stop an upgrade."""


class Output(NamedTuple):
    """The output of one checkpoint. It is written completely or not at all."""

    changelog: list[Out]
    """Changed users, then the position."""
    actions: list[Out]
    decisions: list[Out]
    dead_letters: list[Out]
    offset: int
    """The offset of the position after it."""
    users: list[tuple[str, bytes | None]]
    """The states of the changed users; None: the user is erased."""
