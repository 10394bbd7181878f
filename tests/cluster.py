"""Three nodes of real Apache Kafka with replication 3, each behind a small proxy that can stall or cut its clients' connections.

The nodes talk to each other directly; clients reach each node only through its proxy, because that is the address that it advertises.
"""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from streams.broker import free_port, wait_until_it_answers
from streams.broker.guard import Guarded
from streams.broker.kafka import CLUSTER_ID, KafkaBroker

NODES = 3


class Proxy:
    """Hands bytes on between clients and one node, in a thread with a loop of its own."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._flows.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", self.port), self._loop).result(10)

    def stop(self) -> None:
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def stall(self) -> None:
        """Hand nothing on, and keep the connections open: what a lost packet or a stuck switch looks like."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def flow(self) -> None:
        """Hand everything on again, also what has come in meanwhile."""
        self._loop.call_soon_threadsafe(self._flows.set)

    def cut(self) -> None:
        """Close all connections; new ones are taken at once."""

        async def close() -> None:
            for writer in list(self._writers):
                writer.transport.abort()

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(10)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, there_writer}
        try:
            await asyncio.gather(self._pump(reader, there_writer), self._pump(there_reader, writer), return_exceptions=True)
        finally:
            self._writers -= {writer, there_writer}
            writer.transport.abort()
            there_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
        finally:
            writer.transport.abort()


class Node(KafkaBroker):
    """One of three. A node that was killed comes back at once: its topics have replicas, so nothing is lost meanwhile."""

    def __init__(self, number: int, folder: Path, lib: Path, controllers: Sequence[int]) -> None:
        super().__init__(folder / f"node-{number}", lib, cluster_id=CLUSTER_ID, heap="400m")
        self.number = number
        self.clients = free_port()
        self.proxy = Proxy(self.clients)
        self._voters = controllers
        self._controller = controllers[number - 1]

    def start(self) -> None:
        """Start it, or start it again on its folder, and wait until it answers."""
        if not (self.folder / "server.properties").exists():
            self._format()
        self._process = Guarded(self._java("kafka.Kafka", str(self.folder / "server.properties")), self.log, self.folder)
        wait_until_it_answers(self.port, self._process.ended, self.log, 90)

    @property
    def pid(self) -> int:
        """The process id of its guard (`streams.broker.guard`), the parent of the node itself."""
        assert self._process is not None
        return self._process.pid

    def _configuration(self) -> dict[str, str]:
        here = "127.0.0.1"
        return {
            **super()._configuration(),
            "node.id": str(self.number),
            "controller.quorum.voters": ",".join(f"{number}@{here}:{port}" for number, port in enumerate(self._voters, 1)),
            "listeners": f"PLAINTEXT://{here}:{self.port},CLIENT://{here}:{self.clients},CONTROLLER://{here}:{self._controller}",
            "advertised.listeners": f"PLAINTEXT://{here}:{self.port},CLIENT://{here}:{self.proxy.port}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,CLIENT:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
            "offsets.topic.replication.factor": "3",
            "transaction.state.log.replication.factor": "3",
            "transaction.state.log.min.isr": "2",
            "share.coordinator.state.topic.replication.factor": "3",
            "share.coordinator.state.topic.min.isr": "2",
            "min.insync.replicas": "2",
            "broker.session.timeout.ms": "4000",
            "broker.heartbeat.interval.ms": "1000",
        }


class ThreeNodes:
    """The cluster; a context manager."""

    def __init__(self, folder: Path, lib: Path) -> None:
        controllers = [free_port() for _ in range(NODES)]
        self.nodes = [Node(number, folder, lib, controllers) for number in range(1, NODES + 1)]

    @property
    def bootstrap(self) -> str:
        """The addresses of the proxies."""
        return ",".join(f"127.0.0.1:{node.proxy.port}" for node in self.nodes)

    def start(self) -> None:
        """Start all nodes. Each waits for a majority of controllers, so they start together."""
        for node in self.nodes:
            node.proxy.start()
        failures: list[BaseException] = []

        def start(node: Node) -> None:
            try:
                node.start()
            except BaseException as error:  # noqa: BLE001 - the waiting thread raises it
                failures.append(error)

        threads = [threading.Thread(target=start, args=(node,)) for node in self.nodes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def stop(self) -> None:
        """End all nodes at once: nothing of them is looked at afterwards."""
        for node in self.nodes:
            node.kill()
            node.proxy.stop()

    def kill(self) -> None:
        self.stop()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
