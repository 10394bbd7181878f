"""Real Apache Kafka from Maven's jars, without Docker: one node that is broker and controller, on the loopback interface.

It needs `java` (17 or newer) and, the first time, `mvn`, which downloads 44 jars (43 MB) into the given folder. A node that was killed and
is restarted on its folder still has everything that it acknowledged.

**Why we do not simply restart a killed node.** Kafka 4.3.0 and 4.3.1 can then lose a committed transaction. We saw it in 5 of 13 restarts
right after a commit, and in 0 of 12 with the workaround below (4.4.0: 0 of 6 without it, but its code is the same). The coordinator
acknowledges a commit when it has recorded it; the markers in the partitions follow later. Suppose a node returns while its controller still
counts the previous process as alive. It becomes coordinator with old metadata. When the controller declares the previous process dead a
moment later, no partition has a leader for an instant. The coordinator then treats partitions without a leader as deleted ("likely deleted
already ... can be skipped"), drops their markers and marks the transaction complete. No client can end it any more, and readers of
committed records wait before it permanently.

So after a kill we start the controller alone first, until it has declared the dead broker dead. All partitions are then without a leader
before the broker returns, and get their leaders at once. A cluster whose controllers outlive a broker's session, and whose topics have
replicas, does not get into this state. If it happens, `kafka-transactions.sh find-hanging` and `abort` are the remedy.
"""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from streams.broker import BrokerFailed, free_port, wait_until_it_answers
from streams.broker.guard import Guarded

VERSION: Final = "4.3.0"
POM: Final = Path(__file__).with_name("kafka-pom.xml")
CLUSTER_ID: Final = "Q3VlbGluZS1rYWZrYS0wMQ"
"""22 characters. If a random id begins with '-' (once in 64 times), Kafka reads it as an option, and formatting fails."""

ACTIVE: Final = b"Performing controller activation"
"""The controller logs this when it begins to count sessions."""
DECLARED_DEAD: Final = b"Fencing broker 1 "
"""The controller logs this when a broker's session has ended."""

_LOGGING: Final = """<Configuration status="warn">
  <Appenders><Console name="out"><PatternLayout pattern="%d %p %m (%c)%n"/></Console></Appenders>
  <Loggers>
    <Logger name="org.apache.kafka.controller.ReplicationControlManager" level="info"/>
    <Root level="warn"><AppenderRef ref="out"/></Root>
  </Loggers>
</Configuration>
"""


def missing(cache: Path) -> str | None:
    """Return what prevents real Kafka from starting here, or None. Maven is needed only until its jars are below `cache`."""
    needed = ("java",) if (cache / f"kafka-{VERSION}").is_dir() else ("java", "mvn")
    return next((f"{program} is not found" for program in needed if shutil.which(program) is None), None)


def jars(cache: Path) -> Path:
    """Return the folder of Kafka's jars below `cache`; Maven fills it the first time. Raises `BrokerFailed`."""
    cache = cache.resolve()  # Maven runs in another folder
    lib = cache / f"kafka-{VERSION}"
    lack = missing(cache)
    if lack is not None:
        raise BrokerFailed(f"{lack}; install Java 17 or newer and Maven")
    if lib.is_dir():
        return lib
    cache.mkdir(parents=True, exist_ok=True)
    # Fill a temporary folder and rename it. So an interrupted download, or a second process, never leaves half of the jars.
    with tempfile.TemporaryDirectory(dir=cache, prefix="fetching-") as fetched:
        words = [
            "-B",
            "-q",
            "-f",
            str(POM),
            f"-Dkafka.version={VERSION}",
            "dependency:copy-dependencies",
            f"-DoutputDirectory={fetched}/lib",
        ]
        maven = shutil.which("mvn") or "mvn"  # on Windows it is mvn.cmd, which only the full path starts
        run = subprocess.run([maven, *words], capture_output=True, text=True, check=False, cwd=fetched)
        if run.returncode:
            raise BrokerFailed(f"Maven could not fetch Kafka {VERSION}:\n{(run.stdout + run.stderr).strip()[-2_000:]}")
        try:
            (Path(fetched) / "lib").rename(lib)
        except OSError:
            if not lib.is_dir():
                raise
    return lib


class KafkaBroker:
    """One node with its data in `folder` and its jars in `lib`; also a context manager.

    `listeners` are added to the plain one, by their names in upper case; `properties` are added to the configuration.
    """

    def __init__(
        self,
        folder: Path,
        lib: Path,
        port: int | None = None,
        *,
        cluster_id: str = CLUSTER_ID,
        listeners: Mapping[str, int] | None = None,
        properties: Mapping[str, str] | None = None,
        heap: str = "768m",
    ) -> None:
        self.folder = folder
        self.port = port or free_port()
        self._lib = lib
        self._controller = free_port()
        self._cluster_id = cluster_id
        self._listeners = {"PLAINTEXT": self.port, **(listeners or {})}
        self._properties = dict(properties or {})
        self._heap = heap
        self._process: Guarded | None = None

    @property
    def bootstrap(self) -> str:
        """Return its address, host:port."""
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """Return the path of its log (warnings and errors)."""
        return self.folder / "kafka.log"

    def start(self) -> None:
        """Start it and wait until it answers: 2 to 3 s on an idle machine, 6 to 8 after a kill. Raises `BrokerFailed`."""
        if shutil.which("java") is None:
            raise BrokerFailed("java is not found; install Java 17 or newer")
        if not (self.folder / "server.properties").exists():
            self._format()
        elif not (self.folder / "logs" / ".kafka_cleanshutdown").exists():
            self._declare_dead()
        self._process = Guarded(self._java("kafka.Kafka", str(self.folder / "server.properties")), self.log, self.folder)
        try:
            wait_until_it_answers(self.port, self._process.ended, self.log, 90)
        except BrokerFailed:
            self.kill()
            raise

    def stop(self) -> None:
        """Shut it down cleanly."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def kill(self) -> None:
        """Kill it like a power cut (kill -9)."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _declare_dead(self) -> None:
        """Run the controller alone until it has declared the killed broker dead."""
        alone = {
            **self._configuration(),
            "process.roles": "controller",
            "broker.session.timeout.ms": "1000",
            "broker.heartbeat.interval.ms": "500",
        }
        alone["listeners"] = f"CONTROLLER://127.0.0.1:{self._controller}"
        del alone["advertised.listeners"]
        path, log = self.folder / "controller.properties", self.folder / "controller.log"
        path.write_text(_text(alone))
        said_before = log.stat().st_size if log.exists() else 0
        process = Guarded(self._java("kafka.Kafka", str(path)), log, self.folder)
        begun, activated = time.monotonic(), None
        try:
            while True:
                said, now = log.read_bytes()[said_before:], time.monotonic()
                if activated is None and ACTIVE in said:
                    activated = now
                # The controller logs nothing about a broker that it had declared dead before: one that was killed while it was starting.
                if DECLARED_DEAD in said or (activated is not None and now - activated > 10):
                    break
                if process.ended() is not None or now - begun > 90:
                    raise BrokerFailed(f"the controller does not declare the killed broker dead; see {log}")
                time.sleep(0.05)
            self._wait_for_metadata(begun + 90)
        finally:
            process.stop()

    def _wait_for_metadata(self, deadline: float) -> None:
        """Return when the controller has written to its log what it has just announced. It announces first, and writes a little later.

        It writes at least every half second. After two writes, the announced change is written.
        """
        folder = self.folder / "logs" / "__cluster_metadata-0"
        for _ in range(2):
            before = _size(folder)
            while _size(folder) == before:
                if time.monotonic() > deadline:
                    raise BrokerFailed("the controller does not write that the killed broker is dead")
                time.sleep(0.05)

    def _java(self, main: str, *words: str) -> list[str]:
        options = [f"-Xms{self._heap}", f"-Xmx{self._heap}", "-XX:+UseG1GC", f"-Dlog4j2.configurationFile={self.folder / 'log4j2.xml'}"]
        return ["java", *options, "-cp", f"{self._lib}/*", main, *words]

    def _format(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "log4j2.xml").write_text(_LOGGING)
        unformatted = self.folder / "unformatted.properties"
        unformatted.write_text(_text(self._configuration()))
        command = self._java("kafka.tools.StorageTool", "format", "-t", self._cluster_id, "-c", str(unformatted))
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode:
            raise BrokerFailed(f"the folder {self.folder} cannot be formatted for Kafka:\n{(run.stdout + run.stderr).strip()[-2_000:]}")
        unformatted.rename(self.folder / "server.properties")  # its existence says that the folder is ready

    def _configuration(self) -> dict[str, str]:
        addresses = ",".join(f"{name}://127.0.0.1:{port}" for name, port in self._listeners.items())
        protocols = ",".join(f"{name}:{name}" for name in self._listeners)
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller}",
            "listeners": f"{addresses},CONTROLLER://127.0.0.1:{self._controller}",
            "advertised.listeners": addresses,
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": f"CONTROLLER:PLAINTEXT,{protocols}",
            # Java reads a backslash in a properties file as the beginning of an escape.
            "log.dirs": (self.folder / "logs").as_posix(),
            "auto.create.topics.enable": "false",
            "num.partitions": "4",
            # One node: every internal topic has one replica and few partitions, so that it starts fast.
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            # Tests must not wait for new members or, for long, for dead ones.
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
            "log.cleaner.dedupe.buffer.size": "33554432",
            "num.network.threads": "2",
            "num.io.threads": "4",
            **self._properties,
        }


def _text(properties: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in properties.items())


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.log"))
