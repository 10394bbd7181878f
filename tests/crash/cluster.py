"""A storm over three nodes: one at a time is killed, stopped or restarted cleanly, its clients' connections are stalled or cut.

The cluster stays healthy all the time: replication is 3 and two replicas are enough. Workers are killed and started meanwhile, and commands
are given. `python -m tests.crash --nodes 3 --seeds 12` runs it and writes its table.
"""

import asyncio
import os
import signal
import subprocess
from pathlib import Path
from typing import Final

from aiokafka.errors import KafkaError

from streams.commands import topics
from streams.kafka import wire
from streams.kafka.clients import Cluster, Unreachable
from streams.settings import load
from tests.cluster import Node, ThreeNodes
from tests.crash.rig import Outcome, run
from tests.crash.storm import SESSION, Storm
from tests.crash.traffic import Traffic
from tests.crash.workers import Workers

DOWN: Final = (3.0, 9.0)
"""Shortest and longest time in s that a node is away; the cluster gives it up after 4."""
HEALED: Final = 60.0
"""Longest time in s until all replicas have caught up."""


class ClusterStorm(Storm):
    """One run's faults over three nodes."""

    kinds = (
        *("node kill", "node kill", "node kill", "node stop", "node restart", "stall", "stall", "cut", "cut"),
        *("kill 0", "kill 1", "sleep", "join", "leave", "apply", "pause", "resume"),
    )

    def __init__(self, cluster: ThreeNodes, workers: Workers, traffic: Traffic, seed: int) -> None:
        super().__init__(workers.settings, workers, None, traffic, seed)
        self._cluster = cluster

    async def _carry_out(self, fault: str) -> None:
        kind, _, how = fault.partition(" ")
        node = self._random.choice(self._cluster.nodes)
        if kind == "node":
            await self._take_away(node, how)
        elif kind == "stall":
            await self._stall(node)
        elif kind == "cut":
            self.say(f"all connections to node {node.number} are cut")
            node.proxy.cut()
        else:
            await super()._carry_out(fault)

    async def _take_away(self, node: Node, how: str) -> None:
        """Take one node away for some seconds; a worker is killed meanwhile, so that one starts while the node is down."""
        self.say(f"{how} of node {node.number}")
        if how == "stop":
            _signal(node, signal.SIGSTOP)
        else:
            await asyncio.to_thread(node.kill if how == "kill" else node.stop)
        await asyncio.sleep(1)
        self._kill(self._anyone())
        self.faults["kill"] += 1
        await asyncio.sleep(self._random.uniform(*DOWN))
        if how == "stop":
            _signal(node, signal.SIGCONT)
        else:
            await asyncio.to_thread(node.start)
        self.say(f"node {node.number} is back")
        await self._healed()

    async def _stall(self, node: Node) -> None:
        seconds = self._random.uniform(1, SESSION + 2)
        self.say(f"connections to node {node.number} stall for {seconds:.1f} s")
        node.proxy.stall()
        await asyncio.sleep(seconds)
        node.proxy.flow()
        self.say(f"node {node.number} is heard again")

    async def _healed(self) -> None:
        """Wait until every replica is in sync: one node at a time may be away, or nothing could be written."""
        async with asyncio.timeout(HEALED):
            while await self._is_lagging():
                await asyncio.sleep(0.5)

    async def _is_lagging(self) -> bool:
        try:
            async with Cluster(self._settings) as cluster:
                found = (await cluster._send(wire.Metadata())).topics
        except (KafkaError, Unreachable, OSError):
            return True
        partitions = [partition for _, _, _, _, partitions, *_ in found for partition in partitions]
        return any(len(in_sync) < len(replicas) for _, _, _, _, replicas, in_sync, *_ in partitions)


def _signal(node: Node, number: signal.Signals) -> None:
    """Send a signal to the node itself: its guard, our child, has it as its only child."""
    found = subprocess.run(["pgrep", "-P", str(node.pid)], capture_output=True, text=True, check=True)
    for pid in found.stdout.split():
        os.kill(int(pid), number)


async def torture_cluster(cluster: ThreeNodes, folder: Path, seed: int) -> Outcome:
    """Run one storm over a cluster that is running; `folder` keeps all logs."""
    name = f"crash{seed}"
    settings = load(
        bootstrap=cluster.bootstrap,
        app=name,
        prefix=f"{name}.",
        partitions=8,
        profile="prod",
        http_port=-1,
        session_timeout=SESSION,
        heartbeat=5,
    )
    await topics.create(settings)
    with Workers(settings, folder) as workers:
        traffic = Traffic(settings, seed)
        return await run(settings, workers, ClusterStorm(cluster, workers, traffic, seed), traffic, folder, seed)
