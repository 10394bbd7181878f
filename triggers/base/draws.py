"""Draws: which users are in an arm, a holdout or a control group, and how far an occurrence is spread.

A draw is a number from 0 to 2^64 - 1: the first 8 bytes of SHA-256 of `<kind>`, `<salt>` and the user id, on a line each. So it is the same
in every release, on every machine and after every restart. Draws of other kinds or salts are independent of it.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final, Literal

Kind = Literal["control", "holdout", "split", "spread"]
ARM: Final = ""
"""The name under which a run keeps its arm of control and holdout, among those of its splits."""
TREATED: Final = "treated"
PARTS: Final = 10_000
"""Shares of holdouts and control groups are in so many parts of all users."""
ALL: Final = 1 << 64
"""One more than the largest draw."""


def draw(kind: Kind, salt: str, user: str) -> int:
    """Return the user's draw."""
    return int.from_bytes(sha256(f"{kind}\n{salt}\n{user}".encode()).digest()[:8], "big")


def is_among(drawn: int, part: int, of: int) -> bool:
    """Return whether a draw is in the lowest `part` of `of` equal parts: 5 of 100. A larger part only adds users."""
    return drawn * of < part * ALL


def pick(drawn: int, weights: Sequence[int]) -> int:
    """Return the index of the weight that a draw falls on. The weights divide all draws in their order. One of them is above 0."""
    total, end = sum(weights), 0
    for index, weight in enumerate(weights):
        end += weight
        if is_among(drawn, end, total):
            return index
    raise ValueError("no weight is above 0")


def spread(drawn: int, length: int) -> int:
    """Return the draw as a delay of 0 to `length` - 1 ms."""
    return drawn * length // ALL
