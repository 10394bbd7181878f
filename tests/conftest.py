"""Brokers for the tests that need one: the embedded one, and real Apache Kafka.

Real Kafka is the one that `CUELINE_BROKER` names, else one started from Maven's jars where `java` and `mvn` are found. Without either
its tests are skipped, or fail where `CUELINE_REQUIRE_KAFKA` is set; the last line of a run says whether the real-Kafka part ran.

* `kafka`, `embedded`: a running broker for the session; `broker`: both, one after the other. Only its `bootstrap` is to be used.
* `own_kafka`: a real Kafka for one test alone, which may kill and restart it.
* `settings_for(broker, **options)`: settings with an app and topic names that no other test has.
"""

import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from hypothesis import settings as hypothesis_settings

from streams.broker import Broker, BrokerFailed
from streams.broker.embedded import EmbeddedBroker
from streams.broker.kafka import VERSION, KafkaBroker, jars, missing
from streams.kafka.unpacked import ROOM
from streams.settings import Settings, load

CACHE = Path(__file__).parent.parent / ".cueline"
"""Where Kafka's jars stay from one run to the next."""
RUNNING = os.environ.get("CUELINE_BROKER", "")
REQUIRED = os.environ.get("CUELINE_REQUIRE_KAFKA", "") not in {"", "0"}

# How long an example takes says something of the machine's neighbours, and nothing of a law.
hypothesis_settings.register_profile("cueline", deadline=None)
hypothesis_settings.load_profile("cueline")

_wanted: set[str] = set()
"""The tests that need real Kafka. (A report's keywords are of no use: the names of folders are among them.)"""
_ran: set[str] = set()
_instead: list[str] = []


class RunningBroker:
    """A cluster that another program has started and will stop."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def start(self) -> None: ...
    def stop(self) -> None: ...

    def kill(self) -> None:
        raise BrokerFailed("a cluster named by CUELINE_BROKER is not ours to kill")


class SettingsFor(Protocol):
    """What the fixture `settings_for` gives."""

    def __call__(self, broker: Broker, **options: Any) -> Settings: ...


def _without_kafka(why: str) -> None:
    _instead.append(why)
    if REQUIRED:
        pytest.fail(f"CUELINE_REQUIRE_KAFKA is set, but {why}")
    pytest.skip(f"no real Kafka: {why}")


def kafka_jars() -> Path:
    """Give the folder of Kafka's jars; skips the test (or fails it, where real Kafka is required) if there can be none."""
    lack = missing(CACHE)
    if lack is not None:
        _without_kafka(lack)
    try:
        return jars(CACHE)
    except BrokerFailed as error:  # no way to Maven's repository
        _without_kafka(str(error))
        raise


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Real Apache Kafka, running."""
    if RUNNING:
        yield RunningBroker(RUNNING)
        return
    with KafkaBroker(tmp_path_factory.mktemp("kafka"), kafka_jars()) as broker:
        yield broker


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[KafkaBroker]:
    """Real Apache Kafka for this test alone, running; it may be killed and started again."""
    with KafkaBroker(tmp_path / "kafka", kafka_jars()) as broker:
        yield broker


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The embedded broker, running."""
    with EmbeddedBroker(tmp_path_factory.mktemp("embedded")) as broker:
        yield broker


@pytest.fixture(params=["embedded", "kafka"])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Give each kind of broker in turn, running."""
    found: Broker = request.getfixturevalue(request.param)
    return found


@pytest.fixture(autouse=True)
def _room() -> Iterator[None]:
    """Give each test the room for unpacked batches that a process has which is no worker. A test that makes a worker's app changes it."""
    yield
    ROOM.limit, ROOM.waited = None, 0


@pytest.fixture
def settings_for(monkeypatch: pytest.MonkeyPatch) -> SettingsFor:
    """Make settings for a broker whose app and topics are this test's own."""
    for name in list(os.environ):
        if name.upper().startswith("CUELINE_"):
            monkeypatch.delenv(name)

    def make(broker: Broker, **options: Any) -> Settings:
        own = f"t{uuid.uuid4().hex[:8]}"
        wanted = {"app": own, "prefix": f"{own}.", "partitions": 2, "http_port": -1}
        return load(bootstrap=broker.bootstrap, **{**wanted, **options})

    return make


# ---- did the real-Kafka part run? --------------------------------------------------------------------------------------


def _wants_kafka(item: pytest.Item) -> bool:
    names = set(getattr(item, "fixturenames", ()))
    chosen = getattr(getattr(item, "callspec", None), "params", {}).get("broker")
    return bool(names & {"kafka", "own_kafka"}) or chosen == "kafka"


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background by a shell: children would inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "kafka: needs real Apache Kafka (set by itself on every test that asks for such a fixture)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs real Kafka, so that `-m kafka` and `-m 'not kafka'` choose."""
    for item in items:
        if _wants_kafka(item):
            item.add_marker("kafka")
            _wanted.add(item.nodeid)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and report.nodeid in _wanted and not report.skipped:
        _ran.add(report.nodeid)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    where = RUNNING or f"Apache Kafka {VERSION} from Maven's jars"
    if _ran:
        terminalreporter.write_line(f"real Kafka: {len(_ran)} tests ran on {where}", green=True)
    else:
        why = _instead[0] if _instead else "no test asked for it"
        terminalreporter.write_line(f"real Kafka: the part that needs it was NOT RUN: {why}", yellow=True, bold=True)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if REQUIRED and _wanted and not _ran and exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
