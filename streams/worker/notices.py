"""Log what a new operator needs to know: no rules yet, dry until go-live, the last command, and what the group waits for."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from streams.worker.host import Group
    from triggers.engine.partition import Partition

log = logging.getLogger(__name__)

EVERY: Final = 1.0
"""Seconds between two checks."""
PATIENCE: Final = 5.0
"""Seconds that a rebalance may take before the log says what it waits for."""
REMIND: Final = 30.0
"""Seconds between two reminders of that."""


class Standing(NamedTuple):
    """The result of the commands in a partition so far."""

    command: int
    rule_set: str | None
    live: bool
    paused: tuple[str, ...]


class Announcer:
    """Checks the partitions once a second, and logs what is new."""

    def __init__(self, group: Group, session: float) -> None:
        """`session`: seconds after which the group considers a silent member dead."""
        self._group, self._session = group, session
        self._last: Standing | None = None
        self._waiting: float | None = None

    async def run(self) -> None:
        """Check again and again."""
        while True:
            await asyncio.sleep(EVERY)
            self.look(time.monotonic())

    def look(self, now: float) -> None:
        """Log what has changed since the last check."""
        if self._group.generation < 0 or self._group.is_rebalancing():
            self._wait(now)
            return
        self._waiting = None
        if not self._group.ready:
            return
        found = {_standing(owned.fold) for owned in self._group if owned.fold is not None}
        if len(found) != 1:  # some of them have not reached a command yet
            return
        (standing,) = found
        if self._last is None:
            log.info("%s", _begins(standing))
        elif standing.command != self._last.command:
            log.info("all partitions of this worker have reached command %d: %s", standing.command, _changed(self._last, standing))
        self._last = standing

    def _wait(self, now: float) -> None:
        if self._waiting is None:
            self._waiting = now + PATIENCE
        elif now >= self._waiting:
            self._waiting = now + REMIND
            log.info(
                "waiting for the group to assign the partitions: a member that ended without leaving keeps its own until its session "
                "ends (session_timeout, %.0f s)",
                self._session,
            )


def _standing(fold: Partition) -> Standing:
    position = fold.position
    return Standing(position.last_command, position.rule_set, position.live, tuple(position.paused))


def _begins(standing: Standing) -> str:
    if standing.rule_set is None:
        return "no rules are active, so no user enters a journey: `cueline apply FOLDER` applies some"
    paused = f"; paused: {', '.join(standing.paused)}" if standing.paused else ""
    return f"{_active(standing)}{paused}"


def _active(standing: Standing) -> str:
    rules = f"rule set {(standing.rule_set or '')[:12]} is active"
    return f"{rules}, live" if standing.live else f"{rules}, dry: decisions are not sent until `cueline go-live`"


def _changed(before: Standing, now: Standing) -> str:
    words = []
    if now.rule_set != before.rule_set and now.rule_set is not None:
        words.append(_active(now))
    elif now.live != before.live:
        words.append("go-live: decisions are sent from here on" if now.rule_set else "go-live; there are no rules yet")
    words += [f"journey {name} is paused" for name in now.paused if name not in before.paused]
    words += [f"journey {name} continues" for name in before.paused if name not in now.paused]
    return "; ".join(words) or "nothing changes"
