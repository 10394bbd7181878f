"""A storm with an upgrade in the middle: two builds of one release share the group, the next release takes over, and all die meanwhile.

Each place has a supervisor that knows nothing of upgrades: it starts what has ended with the image that it has. After the upgrade places
with the image of the next release are added, and a place of the old one is given up when its worker has ended with exit code 0.
`python -m tests.crash --upgrade --seeds 5` runs it.
"""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Final
from unittest.mock import patch

from streams.broker.kafka import KafkaBroker
from streams.commands import topics
from streams.worker.exits import REFUSED
from tests.crash.rig import Outcome, rig_settings, run
from tests.crash.storm import PLACES, RULES, Storm
from tests.crash.traffic import Traffic
from tests.crash.workers import CUELINE, Worker, Workers, environment
from triggers.base.model import ENGINE
from triggers.records import events

BUILDS: Final = Path(__file__).with_name("builds.py")
OLD: Final = CUELINE
OTHER: Final = [sys.executable, str(BUILDS), "other"]
NEXT: Final = [sys.executable, str(BUILDS), "next"]
GONE: Final = 60.0
"""Longest time in s that the old workers may take from the end of the storm until all have ended."""


class UpgradeStorm(Storm):
    """One run's faults, with the upgrade among them."""

    kinds = ("kill 0", "kill 1", "sleep", "broker", "join", "apply", "upgrade", "pause", "resume", "kill")

    def __init__(self, workers: Workers, broker: KafkaBroker, traffic: Traffic, seed: int, folder: Path) -> None:
        super().__init__(workers.settings, workers, broker, traffic, seed)
        self._folder = folder
        self._images: dict[int, list[str]] = {place: OTHER if place % 2 else OLD for place in range(PLACES)}
        self._is_upgraded = self._may_leave = False

    def _schedule(self) -> list[str]:
        """The upgrade has faults before and behind it."""
        faults = super()._schedule()
        faults.remove("upgrade")
        faults.insert(self._random.randrange(2, len(faults) // 2 + 2), "upgrade")
        return faults

    async def begin(self) -> None:
        await self.command("apply", "first")
        await self.command("go-live")
        for place, image in self._images.items():
            self._places[place] = self._workers.start(image)

    async def _carry_out(self, fault: str) -> None:
        if fault == "upgrade":
            await self._upgrade()
        elif fault in {"kill 0", "kill 1"}:
            self._kill(self._places.get(int(fault[-1])) or self._anyone())
        else:
            await super()._carry_out(fault)

    async def _upgrade(self) -> None:
        """The command, and from then on places with the next release next to the old ones."""
        self._may_leave = True
        await self.command("upgrade")
        self._is_upgraded = True
        self._workers.image = NEXT
        for place in range(PLACES, 2 * PLACES):
            self._images[place] = NEXT
            self._places[place] = self._workers.start(NEXT)

    async def _command(self, kind: str, what: str) -> None:
        words = {"apply": ["apply", str(RULES / what), "--yes"], "upgrade": ["upgrade", "--yes", "--snapshot", str(self._folder / "copy")]}
        image = NEXT if self._is_upgraded or kind == "upgrade" else OLD
        command = [*image, *words.get(kind, [kind, what] if what else [kind])]
        if kind == "upgrade":
            (self._folder / "copy").unlink(missing_ok=True)
        done = await asyncio.to_thread(
            subprocess.run, command, env=environment(self._settings), capture_output=True, text=True, check=False, timeout=60
        )
        if done.returncode == 69:
            raise TimeoutError(done.stderr)
        assert done.returncode == 0, f"{kind} {what}: {done.stdout}{done.stderr}"

    async def supervise(self) -> None:
        while True:
            for place, worker in list(self._places.items()):
                if worker.code is None:
                    continue
                self._look_at(worker)
                if worker.code == 0 and self._images[place] is not NEXT and worker not in self._blamed:
                    assert self._may_leave, f"{worker} has left before the upgrade:\n{worker.last_words()}"
                    del self._places[place]
                    self.say(f"{worker} has handed over, and its place is given up")
                    continue
                await asyncio.sleep(self._random.uniform(0.2, 1.5))
                self._places[place] = self._workers.start(self._images[place])
                self.say(f"{self._places[place]} takes the place of {worker}")
            for worker in [worker for worker in self._extra if worker.code is not None]:
                self._extra.remove(worker)
                self._look_at(worker)
            await asyncio.sleep(0.2)

    def _look_at(self, worker: Worker) -> None:
        super()._look_at(worker)
        assert worker.code != REFUSED

    async def rage(self) -> None:
        await super().rage()
        async with asyncio.timeout(GONE):
            while any(self._images[place] is not NEXT for place in self._places):
                await asyncio.sleep(0.2)
        self.say("the old workers are gone")


async def torture_upgrade(broker: KafkaBroker, folder: Path, seed: int) -> Outcome:
    """Run one storm over a broker that is running and may be killed; `folder` keeps all logs."""
    settings = rig_settings(broker.bootstrap, f"upgrade{seed}")
    await topics.create(settings)
    with Workers(settings, folder) as workers:
        traffic = Traffic(settings, seed)
        storm = UpgradeStorm(workers, broker, traffic, seed, folder)
        with patch.object(events, "ENGINE", ENGINE + 1):  # so that the replay here reads what the next release has commanded
            return await run(settings, workers, storm, traffic, folder, seed, any_engine=True)
