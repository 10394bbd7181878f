"""The Faust app of a worker has the settings that the laws need."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn, cast

import faust
import mode
import pytest
from aiokafka import errors
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

from streams.commands import topic_layout
from streams.kafka.clients import TopicMissing, Unreachable
from streams.settings import Settings
from streams.worker import app as worker
from streams.worker import watches
from streams.worker.app import build
from streams.worker.faust_batches import BatchConsumer
from streams.worker.faust_thread import BatchThread
from streams.worker.opening import Log


class Owner:
    """An owner without partitions."""

    def attach(self, app: faust.App) -> None:
        self.app = app

    def take(self, event: object) -> None: ...


def _build(folder: Path, **settings: Any) -> faust.App:
    owner: Any = Owner()
    return build(Settings(**settings), owner, str(folder))


async def _client(app: faust.App) -> Any:
    """The Kafka client as the consumer's thread makes it; not connected."""
    consumer: Any = app.consumer
    assert isinstance(consumer, BatchConsumer)
    thread = consumer.batches
    assert isinstance(thread, BatchThread)
    client = thread._create_worker_consumer(SimpleNamespace(url=app.conf.broker_consumer, default_port=9092))
    await client.stop()
    return client


async def test_the_client_reads_committed_records_and_never_resets(tmp_path: Path) -> None:
    """Laws 1 and 6."""
    client = await _client(_build(tmp_path, bootstrap="k1:1,k2:2", app="shop", max_poll_records=77, session_timeout=33))
    assert client._isolation_level == "read_committed"
    assert client._auto_offset_reset == "none"
    assert client._enable_auto_commit is False
    assert client._fetch_max_wait_ms == 100
    assert client._max_poll_records == 77
    assert client._session_timeout_ms == 33_000
    assert client._group_id == "shop"
    assert client._client._bootstrap_servers == ["k1:1", "k2:2"]
    assert client._client._metadata_max_age_ms == 5_000


async def test_faust_keeps_its_own_assignor(tmp_path: Path) -> None:
    """Law 28: without standbys it would fall back to one that shuffles every partition at every rebalance."""
    app = _build(tmp_path)
    client = await _client(app)
    (assignor,) = client._partition_assignment_strategy
    assert assignor is app.assignor
    assert assignor is not RoundRobinPartitionAssignor


async def test_logins_reach_fausts_clients(tmp_path: Path) -> None:
    login = {"security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512", "sasl_username": "ann", "sasl_password": "secret-of-ann"}
    client = await _client(_build(tmp_path, **login))
    assert client._client._security_protocol == "SASL_SSL"
    assert client._client._sasl_mechanism == "SCRAM-SHA-512"
    assert (client._client._sasl_plain_username, client._client._sasl_plain_password) == ("ann", "secret-of-ann")
    assert client._client._ssl_context is not None


@pytest.mark.parametrize("session", [1, 6, 20, 300])
async def test_every_session_timeout_gives_settings_that_faust_accepts(tmp_path: Path, session: float) -> None:
    """Its request timeout must exceed the session's, and several heartbeats must fit into it."""
    client = await _client(_build(tmp_path, session_timeout=session, watchdog=session + 60))
    assert client._request_timeout_ms > session * 1000
    assert client._heartbeat_interval_ms * 3 < session * 1000


async def test_nothing_is_served_declared_or_kept_by_faust(tmp_path: Path) -> None:
    conf: Any = _build(tmp_path).conf
    assert not conf.web_enabled
    assert not conf.topic_allow_declare
    assert conf.topic_disable_leader
    assert str(conf.store) == "memory:"
    assert conf.agent_supervisor is mode.CrashingSupervisor


async def test_two_workers_on_one_machine_are_told_apart(tmp_path: Path) -> None:
    assert _build(tmp_path).conf.canonical_url != _build(tmp_path).conf.canonical_url


class _Given:
    """A watchdog that writes down what the process is to end with."""

    def give(self, seconds: float, message: Callable[[], str], code: Callable[[], int]) -> None:
        self.message, self.code = message, code


class _Leaving:
    """As much of the ownership and of the app as a good-bye needs."""

    def __init__(self, *, saved: bool) -> None:
        self.closed, self._saves = False, saved

    async def close(self) -> None:
        self.closed = self._saves

    async def stop(self) -> None: ...


@pytest.mark.parametrize(("saved", "refused", "code"), [(True, False, 0), (True, True, 78), (False, False, 70), (False, True, 70)])
async def test_the_exit_code_says_what_happened(*, saved: bool, refused: bool, code: int) -> None:
    """0 only where everything was saved, 78 also where leaving the group takes too long."""
    running, watchdog, leaving = worker._Worker(Settings()), _Given(), cast("Any", _Leaving(saved=saved))
    running._watchdog, running._ownership = cast("Any", watchdog), leaving
    if refused:
        running._refuse("no")
    else:
        running._ask_to_stop("SIGTERM")
    assert watchdog.code() == 70
    await running._leave(leaving, leaving, asyncio.create_task(asyncio.sleep(0)))
    assert (running._code, watchdog.code()) == (code, code)


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (topic_layout.TopicsWrong([topic_layout.Deviation("events", "has 3 partitions", "no")]), 78),
        (TopicMissing("events"), 78),
        (Unreachable("no broker can be reached"), 69),
        (TimeoutError(), 69),
        (errors.KafkaTimeoutError(), 69),
        (errors.CoordinatorNotAvailableError(), 69),
        (errors.TopicAuthorizationFailedError("events"), 78),
        (errors.ClusterAuthorizationFailedError(), 78),
    ],
)
def test_what_keeps_it_from_starting_is_said_in_a_line_and_by_the_exit_code(
    problem: Exception, code: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Supervisors start again what ends with 69, and leave alone what ends with 78."""

    async def require(_: Settings) -> NoReturn:
        raise problem

    monkeypatch.setattr(topic_layout, "require", require)
    monkeypatch.setattr(watches, "BETWEEN_LOOKS", 0)
    assert worker.run(Settings()) == code
    assert caplog.messages[-1].startswith("the worker does not start:\n")
    assert len(caplog.messages[-1].splitlines()[1]) > 5


@pytest.mark.parametrize(
    ("error", "code"), [(errors.GroupAuthorizationFailedError("cueline"), 78), (errors.UnknownError(), 70), (None, 70)]
)
def test_what_ends_it_later_is_told_by_the_exit_code_too(error: Exception | None, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ended(BaseException):
        """The process would have ended."""

    def end(message: str, code: int = 70) -> NoReturn:
        raise Ended(message, code)

    monkeypatch.setattr(worker, "end", end)
    with pytest.raises(Ended) as ended:
        worker._Worker(Settings())._give_up("Faust gave up", error)
    assert ended.value.args[1] == code


async def test_the_absence_of_a_topic_is_believed_after_many_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that has just restarted may not know it for a while."""
    monkeypatch.setattr(watches, "BETWEEN_LOOKS", 0)
    missing = topic_layout.Deviation("events", "does not exist", "make it")
    answers: list[Exception | str] = [TopicMissing("events"), topic_layout.TopicsWrong([missing]), "there"]
    looks = 0

    async def ask() -> str:
        nonlocal looks
        looks += 1
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert await watches.insist(ask) == "there"
    answers, looks = [TopicMissing("events")], 0
    with pytest.raises(TopicMissing):
        await watches.insist(ask)
    assert looks == watches.LOOKS
    answers, looks = [topic_layout.TopicsWrong([topic_layout.Deviation("events", "has 3 partitions", "no")])], 0
    with pytest.raises(topic_layout.TopicsWrong):
        await watches.insist(ask)
    assert looks == 1


@pytest.mark.parametrize("problem", [TopicMissing("events"), None])
async def test_it_can_be_stopped_while_it_looks_for_what_it_needs(problem: Exception | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A topic that is absent is looked for during ten seconds; supervisors kill who does not go within as many."""
    looking = asyncio.Event()

    async def require(_: Settings) -> None:
        looking.set()
        if problem is not None:
            raise problem
        await asyncio.Event().wait()

    monkeypatch.setattr(topic_layout, "require", require)
    running = worker._Worker(Settings())
    running._watchdog = cast("Any", _Given())
    running._listen_for_signals = lambda: None  # type: ignore[method-assign]
    doing = asyncio.create_task(running.run())
    await looking.wait()
    running._ask_to_stop("SIGTERM")
    assert await asyncio.wait_for(doing, 1) == 0


@pytest.mark.parametrize(("seen", "ends"), [([None, None], False), ([None] * 99, True), (["other"] * 3, False), (["other"] * 99, True)])
async def test_the_watch_over_the_log_looks_again(seen: list[str | None], *, ends: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watches, "BETWEEN_LOOKS", 0)
    monkeypatch.setattr(asyncio, "sleep", _at_once(asyncio.sleep))
    known = Log("cueline", "c", "t", "l", 4)
    left = list(seen)
    quiet = asyncio.Event()

    class Ended(BaseException):
        """The process would have ended."""

    async def of(_: Settings) -> Log:
        if not left:
            quiet.set()
            return known
        if left.pop(0) is None:
            raise TopicMissing("events")
        return Log("cueline", "c", "another", "l", 4)

    def fail(problem: str) -> NoReturn:
        raise Ended(problem)

    monkeypatch.setattr(Log, "of", staticmethod(of))
    watching = asyncio.ensure_future(watches.watch_log(Settings(), known, fail))
    done = asyncio.ensure_future(quiet.wait())
    await asyncio.wait([watching, done], return_when=asyncio.FIRST_COMPLETED, timeout=5)
    assert (quiet.is_set(), watching.done()) == (not ends, ends)
    if watching.done():
        assert isinstance(watching.exception(), Ended)
    for task in (watching, done):
        task.cancel()


def _at_once(sleep: Callable[[float], Awaitable[None]]) -> Callable[[float], Awaitable[None]]:
    async def nap(_: float) -> None:
        await sleep(0)

    return nap


def test_a_partition_without_an_owner_is_wrong_and_a_member_without_a_partition_is_not() -> None:
    """Faust's assignor leaves out the last of three that join four partitions."""
    assert watches.orphaned({"a": {0, 1}, "b": {2, 3}, "c": set()}, 4) == []
    assert watches.orphaned({"a": {0, 1}, "b": {3}, "c": set()}, 4) == [2]
    assert watches.orphaned({"a": set()}, 2) == [0, 1]
