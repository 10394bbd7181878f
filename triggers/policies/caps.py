"""Caps: how many messages have gone out, and when there is room again."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from triggers.base.calendar import span_of
from triggers.state.sends import entries, hashed, lost

if TYPE_CHECKING:
    from triggers.base.moments import Zone
    from triggers.definitions.policies import Cap


class Used(NamedTuple):
    """How much of a cap is used now."""

    sent: int
    until: int | None
    """When there is room again, if no other message goes out; None: there is room now."""
    is_known: bool = True
    """The log has lost an entry that may count."""
    journeys: tuple[bytes, ...] = ()
    """The hashes of the journeys whose messages use it, newest first."""


class CapPlan:
    """One cap, ready to be asked."""

    def __init__(self, cap: Cap) -> None:
        self.cap = cap
        self._channels = frozenset(map(hashed, cap.scope.channels))
        self._categories = None if cap.scope.categories is None else frozenset(map(hashed, cap.scope.categories))
        self._journeys = None if cap.journeys is None else frozenset(map(hashed, cap.journeys))

    def used(self, log: bytes, zone: Zone, now: int, *, dry: bool, priority: int) -> Used:
        """Count the messages in the window that ends now: of the length, without its first moment, or of the part of the user's calendar.

        `priority`: of the journey that asks for room.
        """
        cap, places = self.cap, self.cap.places(priority)
        if cap.per is None:
            first, after = span_of(zone.day(now), cap.text)
            begin, end = zone.start(first), zone.start(after)
        else:
            begin, end = now - cap.per + 1, -1
        found = entries(log, begin, dry=dry, channels=self._channels, categories=self._categories, journeys=self._journeys)
        journeys = tuple(journey for _, journey in found)
        if len(found) >= places:
            until = end if cap.per is None else found[places - 1][0] + cap.per
            return Used(len(found), until, journeys=journeys)
        before = lost(log)
        if before >= begin and before > 0:
            return Used(len(found), end if cap.per is None else before + cap.per, is_known=False, journeys=journeys)
        return Used(len(found), None, journeys=journeys)
