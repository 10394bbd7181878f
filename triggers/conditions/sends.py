"""`sent(days=7)`: how many messages went out to a user, counted in the send log.

It counts local days of the zone in which the user is now, as a cap `per: day` does; before go-live the dry sends. Where the log has lost an
entry of these days, the number is a lower bound.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any, Final

from triggers.definitions.model import Sent
from triggers.measures.view import View
from triggers.state.sends import hashed, lost, number_from

NAMED_ONLY: Final = ("webhook", "benefit")
"""Channels that only a call counts that names them."""
_NAMED_ONLY: Final = frozenset(map(hashed, NAMED_ONLY))


def counted(node: Sent) -> Callable[[View], Any]:
    """Return what counts the messages of a view."""
    channel = None if node.channel is None else hashed(node.channel)
    journey = None if node.journey is None else hashed(node.journey)
    without = _NAMED_ONLY if channel is None else frozenset[bytes]()
    days = node.days

    def count(view: View) -> Any:  # noqa: ANN401 -- a `Value`
        log, dry = view.sends()
        begin = view.zone.start(view.zone.day(view.now) - days + 1)
        found = number_from(log, begin, dry=dry, channel=channel, journey=journey, without=without)
        before = lost(log)
        return (found, inf) if before >= begin and before > 0 else found

    return count
