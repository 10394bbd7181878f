"""One crash test from the broker's start to the verdict."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from streams.broker.kafka import KafkaBroker
from streams.commands import topics
from streams.kafka.clients import spans
from streams.settings import Settings, load
from tests.crash.storm import SESSION, Storm
from tests.crash.traffic import Traffic
from tests.crash.verdict import Difference, Outputs, Verdict, everything, judge
from tests.crash.workers import Workers

PATIENCE: Final = 100.0
"""Longest time in s that it may take until all is quiet after the storm: the longest timers of the rules are a minute's silence."""
LULL: Final = 12_000
"""No user may have a timer in this many ms."""
GOODBYE: Final = 10.0
"""Longest time in s that a worker may take to leave."""


@dataclass
class Outcome:
    """What one run was like, and what came of it."""

    seed: int
    verdict: Verdict
    faults: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    traffic: Traffic | None = None
    storm: float = 0.0
    """Length of the storm, s."""
    quiet: float = 0.0
    """From its end until all was quiet, s."""

    @property
    def is_right(self) -> bool:
        return not self.verdict.differences


def rig_settings(bootstrap: str, name: str) -> Settings:
    """Settings under which things happen soon: short sessions, frequent heartbeats."""
    return load(bootstrap=bootstrap, app=name, prefix=f"{name}.", partitions=8, http_port=-1, session_timeout=SESSION, heartbeat=5)


async def torture(broker: KafkaBroker, folder: Path, seed: int) -> Outcome:
    """Run one storm over a broker that is running and may be killed; `folder` keeps all logs."""
    settings = rig_settings(broker.bootstrap, f"crash{seed}")
    await topics.create(settings)
    with Workers(settings, folder) as workers:
        traffic = Traffic(settings, seed)
        return await run(settings, workers, Storm(settings, workers, broker, traffic, seed), traffic, folder, seed)


async def run(
    settings: Settings, workers: Workers, storm: Storm, traffic: Traffic, folder: Path, seed: int, *, any_engine: bool = False
) -> Outcome:
    """Let a storm rage and judge what is left; its timeline is kept, whatever happens."""
    try:
        return await _run(settings, workers, storm, traffic, seed, any_engine=any_engine)
    except BaseException:
        workers.keep_metrics()
        raise
    finally:
        (folder / "timeline.txt").write_text("\n".join(storm.timeline) + "\n")


async def _run(settings: Settings, workers: Workers, storm: Storm, traffic: Traffic, seed: int, *, any_engine: bool) -> Outcome:
    begun = time.monotonic()
    await storm.begin()
    async with asyncio.TaskGroup() as tasks:
        supervisor = tasks.create_task(storm.supervise())
        tasks.create_task(traffic.run())  # from the first second: the workers are still coming up
        await storm.rage()
        over = time.monotonic()
        await until_quiet(settings, PATIENCE)
        quiet = time.monotonic()
        supervisor.cancel()
    late = await leave(settings, workers)
    verdict = await judge(settings, any_engine=any_engine)
    verdict.differences += late
    return Outcome(seed, verdict, storm.faults, storm.ended, traffic, over - begun, quiet - over)


async def until_quiet(settings: Settings, seconds: float, lull: int = LULL) -> None:
    """Return when every partition has been folded to the end of the log, and no user has a timer in the next `lull` ms.

    By then the long timers (a minute's silence) have fired; only those that wait for a pane's end, a minute apart, may still be set.

    Raises `AssertionError` that says what is still to be done.
    """
    deadline = time.monotonic() + seconds
    while True:
        waiting = await _waiting(settings, lull)
        if not waiting:
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds:.0f} s there is still something to be done: {'; '.join(waiting)}")
        await asyncio.sleep(1)


async def _waiting(settings: Settings, margin: int) -> list[str]:
    """What the saved positions and states say is still to be done; `margin` ms into the future."""
    saved = Outputs()
    for partition, records in (await everything(settings, settings.names.changelog)).items():
        for record in records:
            saved.change(partition, record.key, record.value)
    waiting = []
    due = saved.next_due()
    if due <= time.time() * 1000 + margin:
        waiting.append(f"a timer is due {due / 1000 - time.time():+.1f} s from now")
    for tp, span in (await spans(settings, [settings.names.events])).items():
        position = saved.positions.get(tp.partition)
        at = -1 if position is None else position.offset
        if at != span.end - 1:
            waiting.append(f"partition {tp.partition} is saved up to {at}, the log ends at {span.end - 1}")
        elif position is not None and position.meeting is not None:
            waiting.append(f"partition {tp.partition}: users are still to meet {position.meeting.kind}")
    return waiting


async def leave(settings: Settings, workers: Workers) -> list[Difference]:
    """Let all workers leave; a tick that was written while they did is folded by one more, who then leaves too."""
    differences = []
    for _ in range(5):
        leaving = list(workers)
        late = await asyncio.to_thread(workers.leave, GOODBYE + 2)
        if late:
            said = "\n".join(f"  {worker}:\n{worker.last_words()}" for worker in late)
            differences.append(Difference("workers that did not leave in time", len(late), said))
        wrong = [worker for worker in leaving if worker not in late and worker.code != 0 and not worker.left_unborn]
        if wrong:
            said = "\n".join(f"  {worker}, code {worker.code}:\n{worker.last_words()}" for worker in wrong)
            differences.append(Difference("workers that left with an error", len(wrong), said))
        if not await _waiting(settings, -1_000):
            return differences
        workers.start()
        await until_quiet(settings, 40, lull=0)
    raise AssertionError("the log does not become idle")
