"""Says in the worker's log what a newcomer needs to know: no rules yet, dry until go-live, which command is met, who is waited for."""

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
"""Seconds between two looks."""
PATIENCE: Final = 5.0
"""Seconds that a rebalance may take before the log says what it waits for."""
REMIND: Final = 30.0
"""Seconds between two reminders of that."""


class Standing(NamedTuple):
    """What the commands so far have come to in a partition."""

    command: int
    rule_set: str | None
    live: bool
    paused: tuple[str, ...]


class Announcer:
    """Looks at the partitions once a second, and says what is new."""

    def __init__(self, group: Group, session: float) -> None:
        """`session`: seconds after which the group takes a silent member for dead."""
        self._group, self._session = group, session
        self._told: Standing | None = None
        self._waiting: float | None = None

    async def run(self) -> None:
        """Look again and again."""
        while True:
            await asyncio.sleep(EVERY)
            self.look(time.monotonic())

    def look(self, now: float) -> None:
        """Say what has changed since the last look."""
        if self._group.generation < 0 or self._group.is_rebalancing():
            self._wait(now)
            return
        self._waiting = None
        if not self._group.ready:
            return
        found = {_standing(owned.fold) for owned in self._group if owned.fold is not None}
        if len(found) != 1:  # a command that some of them have still to meet
            return
        (standing,) = found
        if self._told is None:
            log.info("%s", _begins(standing))
        elif standing.command != self._told.command:
            log.info("command %d is met by all partitions here: %s", standing.command, _changed(self._told, standing))
        self._told = standing

    def _wait(self, now: float) -> None:
        if self._waiting is None:
            self._waiting = now + PATIENCE
        elif now >= self._waiting:
            self._waiting = now + REMIND
            log.info(
                "waiting for the group to share out the partitions: a member that ended without leaving keeps its own until its session "
                "ends (session_timeout, %.0f s)",
                self._session,
            )


def _standing(fold: Partition) -> Standing:
    position = fold.position
    return Standing(position.last_command, position.rule_set, position.live, tuple(position.paused))


def _begins(standing: Standing) -> str:
    if standing.rule_set is None:
        return "no rules are in force, so nobody enters anything: `cueline apply FOLDER` brings some"
    paused = f"; paused: {', '.join(standing.paused)}" if standing.paused else ""
    return f"{_in_force(standing)}{paused}"


def _in_force(standing: Standing) -> str:
    rules = f"rule set {(standing.rule_set or '')[:12]} is in force"
    return f"{rules}, live" if standing.live else f"{rules}, dry: what is decided is not sent until `cueline go-live`"


def _changed(before: Standing, now: Standing) -> str:
    words = []
    if now.rule_set != before.rule_set and now.rule_set is not None:
        words.append(_in_force(now))
    elif now.live != before.live:
        words.append("go-live: from here on what is decided is sent" if now.rule_set else "go-live; there are no rules yet")
    words += [f"journey {name} is paused" for name in now.paused if name not in before.paused]
    words += [f"journey {name} goes on" for name in before.paused if name not in now.paused]
    return "; ".join(words) or "nothing changes"
