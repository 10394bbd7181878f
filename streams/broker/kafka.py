"""Real Apache Kafka from Maven's jars, without Docker: one node that is broker and controller, on the loopback interface.

Needs `java` (17 or newer) and, the first time, `mvn`, which fetches 44 jars (43 MB) into the folder that it is given.
A node that was killed and is started again on its folder still has everything that it acknowledged.

**Why a killed node is not simply started again.** Kafka 4.3.0 and 4.3.1 can lose a committed transaction then: seen in 5 of 13 restarts
right after a commit, and in 0 of 12 with the detour below (4.4.0: 0 of 6 without it, but its code reads the same). A commit is
acknowledged when the coordinator has noted it; the markers in the partitions follow later. A node that comes back while its controller
still counts the dead predecessor as alive becomes coordinator of old metadata; when the predecessor is given up a moment later, no
partition has a leader for an instant. The coordinator takes partitions without a leader for deleted ("likely deleted already and hence
can be skipped"), drops their markers and calls the transaction complete: nobody can end it any more, and readers of committed records
stand before it for ever.

So after a kill the controller is started alone first, until it has given the dead broker up: all partitions are then without a leader
before the broker comes back, and get theirs at once. A cluster whose controllers outlive a broker's session, and whose topics have
replicas, does not get there; where it happens, `kafka-transactions.sh find-hanging` and `abort` are the cure.
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
"""22 characters; a random one that begins with '-' is taken for an option, and formatting fails, once in 64 times."""

ACTIVE: Final = b"Performing controller activation"
"""What the controller says when it begins to count sessions."""
GIVEN_UP: Final = b"Fencing broker 1 "
"""What it says when a broker's session has ended."""

_LOGGING: Final = """<Configuration status="warn">
  <Appenders><Console name="out"><PatternLayout pattern="%d %p %m (%c)%n"/></Console></Appenders>
  <Loggers>
    <Logger name="org.apache.kafka.controller.ReplicationControlManager" level="info"/>
    <Root level="warn"><AppenderRef ref="out"/></Root>
  </Loggers>
</Configuration>
"""


def missing(cache: Path) -> str | None:
    """Tell what keeps real Kafka from being started here, or None; Maven is needed only until its jars are below `cache`."""
    needed = ("java",) if (cache / f"kafka-{VERSION}").is_dir() else ("java", "mvn")
    return next((f"{program} is not found" for program in needed if shutil.which(program) is None), None)


def jars(cache: Path) -> Path:
    """Give the folder of Kafka's jars below `cache`, filled by Maven if it is not there yet. Raises `BrokerFailed`."""
    lib = cache / f"kafka-{VERSION}"
    lack = missing(cache)
    if lack is not None:
        raise BrokerFailed(f"{lack}; install Java 17 or newer and Maven")
    if lib.is_dir():
        return lib
    cache.mkdir(parents=True, exist_ok=True)
    # Filled beside its place and moved there whole: an interrupted download, or a second process, leaves no half a broker.
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

    `listeners` are further ones beside the plain one, by their names in upper case; `properties` are added to the configuration.
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
        """Its address, host:port."""
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """Where it writes what it has to say (warnings and worse)."""
        return self.folder / "kafka.log"

    def start(self) -> None:
        """Start it and wait until it answers: 2 to 3 s on a quiet machine, 6 to 8 after a kill. Raises `BrokerFailed`."""
        if shutil.which("java") is None:
            raise BrokerFailed("java is not found; install Java 17 or newer")
        if not (self.folder / "server.properties").exists():
            self._format()
        elif not (self.folder / "logs" / ".kafka_cleanshutdown").exists():
            self._give_up_predecessor()
        self._process = Guarded(self._java("kafka.Kafka", str(self.folder / "server.properties")), self.log, self.folder)
        try:
            wait_until_it_answers(self.port, self._process.ended, self.log, 90)
        except BrokerFailed:
            self.kill()
            raise

    def stop(self) -> None:
        """Let it shut down in good order."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def kill(self) -> None:
        """End it as a power cut would (kill -9)."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _give_up_predecessor(self) -> None:
        """Run the controller alone until it has given up the broker that was killed."""
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
                # It says nothing of a broker that it had given up already: one that was killed while it was starting.
                if GIVEN_UP in said or (activated is not None and now - activated > 10):
                    break
                if process.ended() is not None or now - begun > 90:
                    raise BrokerFailed(f"the controller does not start to give up the killed broker; see {log}")
                time.sleep(0.05)
            self._wait_for_metadata(begun + 90)
        finally:
            process.stop()

    def _wait_for_metadata(self, deadline: float) -> None:
        """Return when what the controller has just announced stands in its log: it announces first, and writes a little later.

        It writes at least every half second. Of two writes after the announcement the second is the announced one or came after it.
        """
        folder = self.folder / "logs" / "__cluster_metadata-0"
        for _ in range(2):
            before = _size(folder)
            while _size(folder) == before:
                if time.monotonic() > deadline:
                    raise BrokerFailed("the controller does not write that it has given up the killed broker")
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
        unformatted.rename(self.folder / "server.properties")  # its presence says that the folder is ready

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
            # One node: every internal topic has one replica, and few partitions, which makes starting quick.
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            # Tests wait for neither members that will not come nor, for long, those that have died.
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
