"""The faults of one run, in an order that its seed gives: workers killed, stopped, terminated and started, the broker killed, commands.

Each worker has a place. One that ends is replaced after a moment, as by any supervisor; the storm counts those that ended by themselves.
"""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

from aiokafka.errors import KafkaError

from streams.broker.kafka import KafkaBroker
from streams.commands import send as control
from streams.kafka.clients import Unreachable
from streams.settings import Settings
from streams.worker.exits import REFUSED
from tests.crash.traffic import Traffic
from tests.crash.workers import Worker, Workers

PLACES: Final = 3
SESSION: Final = 6.0
"""The group's session timeout in s: who is stopped for longer is thought dead."""
RULES: Final = Path(__file__).with_name("rules")
FAULTS: Final = ("kill 0", "kill 1", "kill 2", "sleep", "nap", "broker", "join", "leave", "apply", "pause", "resume", "kill")
"""Each once in a run; `kill` is one more, wherever."""


class Storm:
    """One run's faults."""

    kinds: Sequence[str] = FAULTS
    """The faults of a run, each once, in an order that the seed gives."""

    def __init__(self, settings: Settings, workers: Workers, broker: KafkaBroker | None, traffic: Traffic, seed: int) -> None:
        self.faults: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        """Workers that ended by themselves, by their exit codes."""
        self.timeline: list[str] = []
        self._settings = settings
        self._workers = workers
        self._broker = broker
        self._traffic = traffic
        self._random = Random(seed)
        self._places: dict[int, Worker] = {}
        self._extra: list[Worker] = []
        self._blamed: set[Worker] = set()
        self._begun = time.monotonic()
        self._sleepers: set[asyncio.Task[None]] = set()

    def say(self, what: str) -> None:
        """Add a line to the timeline."""
        self.timeline.append(f"{time.strftime('%H:%M:%S')} {time.monotonic() - self._begun:6.1f} s  {what}")

    async def begin(self) -> None:
        """The first rules, live; then the workers."""
        await self.command("apply", "first")
        await self.command("go-live")
        for place in range(PLACES):
            self._places[place] = self._workers.start()

    async def rage(self) -> None:
        """Cause all the faults. After two thirds the events stop: then only ticks move time, and the faults are further apart."""
        faults = self._schedule()
        await asyncio.sleep(self._random.uniform(3, 5))
        for number, fault in enumerate(faults):
            if number == len(faults) * 2 // 3:
                self._traffic.stop()
                self.say("no more events")
            self.faults[fault.split()[0]] += 1
            await self._carry_out(fault)
            await asyncio.sleep(self._random.uniform(1.5, 4) * (2 if self._traffic.is_over else 1))
        await asyncio.gather(*self._sleepers)
        self.say("the storm is over")

    def _schedule(self) -> list[str]:
        faults = list(self.kinds)
        self._random.shuffle(faults)
        pause, resume = faults.index("pause"), faults.index("resume")
        if pause > resume:
            faults[pause], faults[resume] = faults[resume], faults[pause]
        return faults

    async def _carry_out(self, fault: str) -> None:
        kind, _, place = fault.partition(" ")
        if kind == "kill":
            self._kill(self._places[int(place)] if place else self._anyone())
        elif kind in ("sleep", "nap"):
            seconds = SESSION + 4 if kind == "sleep" else 2.0
            task = asyncio.create_task(self._put_to_sleep(self._anyone(), seconds))
            self._sleepers.add(task)
        elif kind == "broker":
            await self._restart_broker()
        elif kind == "join":
            self._extra.append(self._workers.start())
            self.say(f"{self._extra[-1]} joins")
        elif kind == "leave":
            worker = self._anyone()
            self.say(f"{worker} is asked to leave")
            self._blamed.add(worker)
            worker.send(signal.SIGTERM)
        elif kind == "apply":
            await self.command("apply", "second")
        else:
            await self.command(kind, "welcome")

    def _anyone(self) -> Worker:
        awake = [worker for worker in self._workers if not worker.is_stopped]
        return self._random.choice(awake or list(self._workers))

    def _kill(self, worker: Worker) -> None:
        self.say(f"kill -9 of {worker}")
        self._blamed.add(worker)
        worker.send(signal.SIGKILL)

    async def _put_to_sleep(self, worker: Worker, seconds: float) -> None:
        self.say(f"{worker} is stopped for {seconds:.0f} s")
        worker.send(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        worker.send(signal.SIGCONT)
        self.say(f"{worker} continues")

    async def _restart_broker(self) -> None:
        assert self._broker is not None
        self.say("kill -9 of the broker")
        await asyncio.to_thread(self._broker.kill)
        await asyncio.sleep(self._random.uniform(0, 2))
        await asyncio.to_thread(self._broker.start)
        self.say("the broker answers again")

    # ---- commands ----------------------------------------------------------------------------------------------------

    async def command(self, kind: str, what: str = "") -> None:
        """Give a command, again and again while the broker is away: one that would change nothing is not written twice."""
        self.say(f"{kind} {what}")
        deadline = time.monotonic() + 40
        while True:
            try:
                await self._command(kind, what)
            except (KafkaError, Unreachable, TimeoutError, OSError) as error:
                if time.monotonic() > deadline:
                    raise
                self.say(f"{kind} {what}: {error!r}, once more")
                await asyncio.sleep(1)
            else:
                return

    async def _command(self, kind: str, what: str) -> None:
        if kind == "apply":
            files = {path.name: path.read_text("utf-8") for path in sorted((RULES / what).iterdir())}
            await control.apply(self._settings, files)
        elif kind == "go-live":
            await control.go_live(self._settings)
        elif kind == "pause":
            await control.pause(self._settings, what)
        else:
            await control.resume(self._settings, what)

    # ---- who ends is replaced ----------------------------------------------------------------------------------------

    async def supervise(self) -> None:
        """Keep every place filled, until cancelled."""
        while True:
            for place, worker in self._places.items():
                if worker.code is not None:
                    self._look_at(worker)
                    await asyncio.sleep(self._random.uniform(0.2, 1.5))
                    self._places[place] = self._workers.start()
                    self.say(f"{self._places[place]} takes the place of {worker}")
            for worker in [worker for worker in self._extra if worker.code is not None]:
                self._extra.remove(worker)
                self._look_at(worker)
            await asyncio.sleep(0.2)

    def _look_at(self, worker: Worker) -> None:
        if worker not in self._blamed:
            self.ended[str(worker.code)] += 1
            self.say(f"{worker} ended by itself with code {worker.code}: {worker.last_words(1)}")
        if worker.code == REFUSED:
            raise AssertionError(f"{worker} refuses to work:\n{worker.last_words()}")
