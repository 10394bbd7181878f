"""The worker: a Faust app with one agent on `events`, and around it what owns partitions, ticks, watches and tells.

Faust brings the consumer group, its assignment and the life cycle; `faust_batches` makes it hand over batches; `ownership` does the rest.

Laws of PROTOCOL.md kept here:

9.  The watchdog is a thread of its own. SIGTERM: drain, save, leave the group, within `GOODBYE` seconds; whoever hangs after everything was
    saved is ended all the same.
27. Nothing starts over topics that would break a promise.
28. `table_standby_replicas` stays 1: with 0 and no tables Faust falls back to an assignor that shuffles all partitions at every rebalance.
    The consumer's metadata is at most 5 s old: after a broker's restart a leader without metadata assigns nothing to anybody.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Set
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import faust
import mode
from aiokafka.errors import KafkaError

from streams.commands import topic_layout
from streams.commands.rule_store import RuleStore
from streams.commands.terms import Verdict
from streams.kafka import retry
from streams.kafka.brokers import Brokers
from streams.kafka.cancel import certain
from streams.kafka.clients import DENIED, Cluster, TopicMissing, Unreachable, faust_broker, faust_credentials
from streams.kafka.reading import reader
from streams.kafka.records import Unreadable
from streams.kafka.skips import remedy
from streams.kafka.unpacked import ROOM
from streams.worker import faust_batches
from streams.worker.faust_batches import BatchScheduler, BatchSchema
from streams.worker.going_over import GoingOver
from streams.worker.notices import Announcer
from streams.worker.opening import Log
from streams.worker.ownership import Ownership
from streams.worker.telemetry import logs
from streams.worker.telemetry.gauges import Gauges
from streams.worker.telemetry.health import Health
from streams.worker.telemetry.metrics import Metrics
from streams.worker.ticks import Ticker
from streams.worker.tidying import Tidier
from streams.worker.watchdog import STALLED, Watchdog, end
from triggers.base.model import ENGINE
from triggers.engine.partition import KIND

if TYPE_CHECKING:
    from streams.settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")

REFUSED: Final = 78
"""Exit code where topics, settings or positions are not such that a worker may run: a restart changes nothing."""
UNREACHABLE: Final = 69
"""Exit code where no broker answers at the start, or none as it should."""
GOODBYE: Final = 9.5
"""Seconds from SIGTERM to the end of the process."""
LOOKS: Final = 10
BETWEEN_LOOKS: Final = 1.0
"""An absence or a change of topics is believed after so many looks, so many seconds apart."""


def run(settings: Settings) -> int:
    """Run a worker until it is told to stop. Returns the exit code; a failure ends the process without returning."""
    logs.to_stderr()
    gc.set_threshold(200_000, 20, 50)  # events come and go by the thousand and make no cycles; looking for some costs a tenth of the worker
    try:
        return asyncio.run(_Worker(settings).run())
    except (topic_layout.TopicsWrong, TopicMissing, Unreachable, KafkaError, TimeoutError) as problem:
        log.critical("the worker does not start:\n%s", describe(problem))
        return code_of(problem)


def code_of(problem: BaseException | None) -> int:
    """Tell the exit code where Kafka, or what is in it, keeps a worker from its work."""
    if isinstance(problem, (topic_layout.TopicsWrong, TopicMissing, Unreadable, *DENIED)):
        return REFUSED
    return UNREACHABLE if isinstance(problem, (Unreachable, KafkaError, TimeoutError)) else STALLED


def describe(problem: BaseException | None) -> str:
    """Put into words what kept a worker from its work."""
    if isinstance(problem, DENIED):
        return f"the brokers do not allow it: {problem!r}; docs/topics.md lists what workers need"
    if isinstance(problem, Unreadable):
        return f"{problem}. {remedy(problem, '')}"
    return str(problem) or repr(problem)


def orphaned(shares: Mapping[str, Set[int]], partitions: int) -> list[int]:
    """List the partitions that no member of the group has been given."""
    return sorted(set(range(partitions)).difference(*shares.values()))


async def insist(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask about topics, and believe that one is absent only if it is so at every one of `LOOKS` looks.

    A broker that has just restarted may not know a topic for a while; exit code 78, and nobody starts the worker again, would be wrong.
    """

    def is_absent(problem: TopicMissing | topic_layout.TopicsWrong) -> bool:
        return isinstance(problem, TopicMissing) or any(one.problem == "does not exist" for one in problem.deviations)

    try:
        return await ask()
    except (TopicMissing, topic_layout.TopicsWrong) as problem:
        if not is_absent(problem):
            raise
        log.warning("%s; looking again for %.0f s", problem, (LOOKS - 1) * BETWEEN_LOOKS)
    await asyncio.sleep(BETWEEN_LOOKS)
    return await retry.insist(ask, (TopicMissing, topic_layout.TopicsWrong), pause=BETWEEN_LOOKS, times=LOOKS - 1, passes=is_absent)


async def ask_about_group(settings: Settings) -> None:
    """Raise Kafka's error if the group is denied to us: Faust would wait for it in silence."""
    async with Cluster(settings) as cluster:
        await cluster.group_offsets(settings.app, settings.names.events)


def build(settings: Settings, ownership: Ownership, datadir: str) -> faust.App:
    """Make the Faust app: one agent, batches, nothing of its own on disk or on the web."""
    session = settings.session_timeout
    app = faust.App(
        settings.app,
        autodiscover=False,
        broker=faust_broker(settings),
        broker_credentials=faust_credentials(settings),
        broker_client_id=f"cueline-{settings.app}",
        broker_session_timeout=session,
        broker_heartbeat_interval=min(3.0, session / 4),
        broker_request_timeout=max(40.0, session + 5),
        broker_rebalance_timeout=30.0,
        broker_max_poll_records=settings.max_poll_records,
        broker_max_poll_interval=10 * 365 * 86_400.0,  # one without partitions never polls, and would leave for good
        broker_commit_interval=1.0,
        consumer_metadata_max_age_ms=5_000,
        producer_request_timeout=30.0,
        stream_buffer_maxsize=1_024,  # batches; the agent never waits, so this never fills
        stream_wait_empty=True,
        agent_supervisor=mode.CrashingSupervisor,
        table_standby_replicas=1,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        canonical_url=f"http://{uuid.uuid4().hex}:6066",  # Faust's assignor tells workers apart by it
        datadir=datadir,
        ConsumerScheduler=BatchScheduler,
    )
    faust_batches.install(app, settings.names.events, ownership)
    ROOM.limit = settings.memory // 4
    ownership.attach(app)

    @app.agent(app.topic(settings.names.events, schema=BatchSchema()), name="fold", concurrency=1)
    async def hand_over(stream: Any) -> None:  # noqa: ANN401 - Faust's stream
        async for event in stream.noack().events():
            ownership.take(event)

    return app


class _Worker:
    """One run of a worker."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = asyncio.Event()
        self._code = 0
        self._metrics = Metrics()
        self._watchdog = Watchdog(settings.watchdog)
        self._ownership: Ownership | None = None

    async def run(self) -> int:
        """Start, work, stop."""
        settings = self._settings
        self._listen_for_signals()
        async with AsyncExitStack() as stack:
            ground = await self._unless_stopped(self._look(stack))
            if ground is None:
                log.info("nothing had begun yet")
                return self._code
            rule_store, log_reader, known, cluster = ground
            over = GoingOver(settings, rule_store)
            brokers = Brokers(cluster.answers, settings.broker_patience, lambda problem: end(problem, code=UNREACHABLE))
            self._run_beside(stack, brokers.watch(), "watch over the brokers")
            health = await self._tell(stack, over, brokers)
            if not await self._may_join(over):
                return self._code
            ownership = Ownership(settings, known, rule_store, self._metrics, log_reader, fail=self._fail, refuse=self._refuse)
            self._ownership = ownership
            app = build(
                settings, ownership, stack.enter_context(tempfile.TemporaryDirectory(prefix="cueline-", ignore_cleanup_errors=True))
            )
            ticker = self._tick(stack, ownership)
            self._metrics.watch(Gauges(ownership, ticker))
            if health is not None:
                health.ownership = ownership
            self._watch(stack, ownership, ticker, known.partitions)
            self._run_beside(stack, over.leave(ownership, self._ask_to_stop), "watch over an upgrade")
            started = asyncio.create_task(self._start(app))
            log.info("worker of %s on %s, topics %s*; engine %d, %s", settings.app, settings.bootstrap, settings.prefix, ENGINE, KIND)
            await self._until_stopped(app)
            await self._leave(app, ownership, started)
        return self._code

    # ---- parts -------------------------------------------------------------------------------------------------------

    async def _look(self, stack: AsyncExitStack) -> tuple[RuleStore, Any, Log, Cluster]:
        """Look at all that must be there before a worker can begin. Raises what `code_of` knows."""
        settings = self._settings
        await insist(lambda: topic_layout.require(settings))
        await ask_about_group(settings)
        cluster = await stack.enter_async_context(Cluster(settings))  # every later question goes through this connection
        rule_store = RuleStore(settings)
        stack.push_async_callback(rule_store.stop)
        await rule_store.start(self._fail, self._refuse)
        log_reader = await stack.enter_async_context(reader(settings))
        return rule_store, log_reader, await insist(lambda: Log.of(settings)), cluster

    async def _unless_stopped(self, coroutine: Coroutine[Any, Any, T]) -> T | None:
        """Give its result; None if we are asked to stop first. It is cancelled then."""
        doing, stop = asyncio.create_task(coroutine), asyncio.create_task(self._stop.wait())
        await asyncio.wait([doing, stop], return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if doing.done():
            return doing.result()
        doing.cancel()
        await asyncio.gather(doing, return_exceptions=True)
        return None

    async def _may_join(self, over: GoingOver) -> bool:
        """Wait outside of the group while an upgrade is under way; whether there is something to do for this worker."""
        advice = await self._unless_stopped(over.permission())
        if advice is None:
            log.info("nothing had begun yet")
        elif advice.verdict is Verdict.REFUSE:
            log.critical("the worker does not start: %s", advice.why)
            self._code = REFUSED
        elif advice.verdict is Verdict.LEAVE:
            log.info("there is nothing to do: %s", advice.why)
        return advice is not None and advice.verdict is Verdict.JOIN

    def _tick(self, stack: AsyncExitStack, ownership: Ownership) -> Ticker | None:
        if self._settings.clock == "log":
            return None
        ticker = Ticker(self._settings, lambda: ownership)
        self._run_beside(stack, ticker.run(), "ticks")
        return ticker

    async def _tell(self, stack: AsyncExitStack, over: GoingOver, brokers: Brokers) -> Health | None:
        port = self._settings.port
        if port is None:
            return None
        health = Health(None, self._metrics, self._watchdog.problem, brokers.away, lambda: over.waits_for)
        try:
            await health.start(self._settings.http_host, port)
        except OSError as error:
            # Without its page the worker does its work all the same; without the worker nothing happens.
            log.error("http_host, http_port: %s; /healthz and /metrics are not served", error)  # noqa: TRY400
        stack.push_async_callback(health.stop)
        return health

    def _watch(self, stack: AsyncExitStack, ownership: Ownership, ticker: Ticker | None, partitions: int) -> None:
        loop, watchdog = asyncio.get_running_loop(), self._watchdog
        watchdog.listen("the main loop", loop.call_soon_threadsafe)
        watchdog.listen("the consumer's loop", ownership.consumer.batches.beat)
        on_loop = loop.call_soon_threadsafe
        watchdog.alarm("flow", on_loop, ownership.standing)
        watchdog.alarm("checkpoints", on_loop, ownership.overdue)
        watchdog.alarm("records", on_loop, ownership.waiting)
        watchdog.alarm("opening", on_loop, ownership.opening, healthy=False)
        if ticker is not None:
            watchdog.alarm("ticks", on_loop, ticker.problem)
        watchdog.start()
        stack.callback(watchdog.stop)
        self._run_beside(stack, Announcer(ownership, self._settings.session_timeout).run(), "announcements")
        self._run_beside(stack, Tidier(ownership, ownership.rule_store).run(), "rule sets that nobody needs")
        self._run_beside(stack, self._watch_group(ownership, partitions), "watch over the group")
        self._run_beside(stack, self._watch_log(ownership.log), "watch over the log")
        self._run_beside(stack, self._watch_ends(ownership), "watch over the ends of the log")

    async def _watch_group(self, ownership: Ownership, partitions: int) -> None:
        """End the process when a partition has had no owner for long, though the group is at rest (KAFKA.md): it then shares out anew.

        A member without partitions is nothing wrong by itself: Faust gives each member up to partitions / members, rounded up, and to the
        last one to join what is left, which may be nothing.
        """
        patience = self._settings.watchdog
        settled, since = -1, time.monotonic()
        while True:
            await asyncio.sleep(min(5.0, patience / 4))
            shares = None
            with suppress(Exception):  # the cluster may be away; then nobody has an assignment to be wrong about
                async with Cluster(self._settings) as cluster:
                    shares = await cluster.shares(self._settings.app, self._settings.names.events)
            orphans = [] if shares is None or ownership.is_rebalancing() else orphaned(shares, partitions)
            if not orphans or ownership.generation != settled:
                settled, since = ownership.generation, time.monotonic()
            elif time.monotonic() - since >= patience and shares is not None and ownership.consumer.batches.member() == min(shares):
                # One is enough for the group to share out anew.
                self._fail(f"partitions {orphans} have had no owner for {patience:.0f} s, though {len(shares)} members share {partitions}")

    async def _watch_log(self, known: Log) -> None:
        """End the process when a topic is no longer the one that was opened (law 6); a new one may be long enough to go unnoticed."""
        other = 0
        while True:
            await asyncio.sleep(BETWEEN_LOOKS if other else self._settings.heartbeat)
            try:
                found = await insist(lambda: Log.of(self._settings))
            except TopicMissing as missing:
                self._fail(str(missing))
            except Exception as error:  # noqa: BLE001 - the cluster may be away for a while
                log.warning("the cluster does not say which log this is: %r", error)
                continue
            other = other + 1 if found != known else 0
            if other >= LOOKS:
                self._fail(f"{self._settings.names.events} or its changelog is another one now: it was {known}, it is {found}")

    async def _watch_ends(self, ownership: Ownership) -> None:
        """Keep the ends of the owned partitions up to date, for the metrics and for the watchdog."""
        every = min(self._settings.heartbeat, self._settings.watchdog / 4)
        async with reader(self._settings, isolation_level="read_committed") as committed:
            while True:
                await asyncio.sleep(every)
                if not len(ownership):
                    continue
                try:
                    async with asyncio.timeout(every):
                        await ownership.look_at_ends(committed)
                except Exception as error:  # noqa: BLE001 - the cluster may be away for a while
                    log.warning("the cluster does not say where the log ends: %r", error)

    def _run_beside(self, stack: AsyncExitStack, coroutine: Any, name: str) -> None:  # noqa: ANN401 - any coroutine
        """Run it until the end; its failure is the process's."""
        task = asyncio.create_task(certain(coroutine, name), name=name)

        def done(task: asyncio.Task[None]) -> None:
            error = None if task.cancelled() else task.exception()
            if error is not None:
                self._fail(f"{name}: {error!r}")

        async def cancel() -> None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

        task.add_done_callback(done)
        stack.push_async_callback(cancel)

    # ---- start and stop ----------------------------------------------------------------------------------------------

    async def _start(self, app: faust.App) -> None:
        try:
            app.in_worker = True
            app.finalize()
            await certain(app.start(), "the start of Faust")  # returns when the first assignment is there
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the end
            self._give_up("cannot start", error)

    async def _until_stopped(self, app: faust.App) -> None:
        stop = asyncio.create_task(self._stop.wait())
        crashed = asyncio.create_task(app.wait_until_stopped())
        await asyncio.wait([stop, crashed], return_when=asyncio.FIRST_COMPLETED)
        if not self._stop.is_set():
            self._give_up("Faust gave up", app.crash_reason)
        crashed.cancel()

    async def _leave(self, app: faust.App, ownership: Ownership, started: asyncio.Task[None]) -> None:
        """Save, then leave the group, so that the others take over at once."""
        begun = time.monotonic()
        await ownership.close()
        if ownership.closed:
            log.info("everything is saved; leaving the group")
        else:
            self._code = STALLED
            log.error("not everything could be saved: whoever takes over goes on from the last checkpoints; leaving the group")
        await app.stop()
        started.cancel()
        log.info("left after %.1f s", time.monotonic() - begun)

    def _listen_for_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
            number = getattr(signal, name, None)
            if number is None:
                continue
            try:
                loop.add_signal_handler(number, self._ask_to_stop, name)
            except NotImplementedError:  # Windows
                signal.signal(number, lambda *_, name=name: loop.call_soon_threadsafe(self._ask_to_stop, name))

    def _ask_to_stop(self, why: str) -> None:
        if not self._stop.is_set():
            log.info("%s: stopping", why)
            self._watchdog.give(GOODBYE, self._last_word, lambda: self._code if self._saved() else STALLED)
            self._stop.set()

    def _saved(self) -> bool:
        return self._ownership is None or self._ownership.closed

    def _last_word(self) -> str:
        state = "everything is saved, but leaving the group" if self._saved() else "saving"
        return f"{state} took longer than {GOODBYE} s"

    def _refuse(self, problem: str) -> None:
        log.critical("%s", problem)
        self._code = REFUSED
        self._ask_to_stop("refused")

    def _give_up(self, what: str, error: BaseException | None) -> NoReturn:
        if isinstance(error, DENIED):
            end(f"{what}: {describe(error)}", code=REFUSED)
        self._fail(f"{what}: {error!r}")

    def _fail(self, problem: str) -> NoReturn:
        end(problem)
