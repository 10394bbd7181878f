"""Caps: how many messages have gone out, and when there is room again."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from triggers.state.sends import hashed, lost, moments

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


class CapPlan:
    """One cap, ready to be asked."""

    def __init__(self, cap: Cap) -> None:
        self.cap = cap
        self._channels = frozenset(map(hashed, cap.scope.channels))
        self._categories = None if cap.scope.categories is None else frozenset(map(hashed, cap.scope.categories))
        self._journeys = None if cap.journeys is None else frozenset(map(hashed, cap.journeys))

    def used(self, log: bytes, zone: Zone, now: int, *, dry: bool) -> Used:
        """Count the messages in the window that ends now: of the length, without its first moment, or of the local day."""
        cap = self.cap
        begin = zone.start(zone.day(now)) if cap.per is None else now - cap.per + 1
        found = moments(log, begin, dry=dry, channels=self._channels, categories=self._categories, journeys=self._journeys)
        if len(found) >= cap.most:
            return Used(len(found), zone.next_midnight(now) if cap.per is None else found[cap.most - 1] + cap.per)
        before = lost(log)
        if before >= begin and before > 0:
            return Used(len(found), zone.next_midnight(now) if cap.per is None else before + cap.per, is_known=False)
        return Used(len(found), None)
