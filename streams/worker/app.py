"""The worker: a Faust app with one agent on `events`, and the tasks around it.

Faust has the consumer group, its assignment and the life cycle. `faust_batches` makes it hand over batches; `ownership` has the partitions.

Laws of PROTOCOL.md kept here:

9.  The watchdog is a thread of its own. SIGTERM: drain, save, leave the group, within `GOODBYE` seconds. A process that hangs after it has
    saved everything ends anyway.
27. Nothing starts over topics that would break a promise.
28. `table_standby_replicas` stays 1: with 0 and no tables Faust falls back to an assignor that shuffles all partitions at every rebalance.
    The consumer's metadata is at most 5 s old: after a broker's restart a leader without metadata assigns no partition to any member.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import tempfile
import time
import uuid
from collections.abc import Coroutine
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import faust
import mode
from aiokafka.errors import KafkaError

from streams.commands import topic_layout
from streams.commands.rule_store import RuleStore
from streams.commands.terms import Verdict
from streams.kafka.brokers import Brokers
from streams.kafka.cancel import certain
from streams.kafka.clients import DENIED, Cluster, TopicMissing, Unreachable, faust_broker, faust_credentials
from streams.kafka.reading import reader
from streams.kafka.unpacked import ROOM
from streams.worker import faust_batches
from streams.worker.exits import REFUSED, UNREACHABLE, code_of, describe
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
from streams.worker.watches import insist, watch_ends, watch_group, watch_log
from triggers.base.model import ENGINE
from triggers.engine.partition import KIND

if TYPE_CHECKING:
    from streams.settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")

GOODBYE: Final = 9.5
"""Seconds from SIGTERM to the end of the process."""


def run(settings: Settings) -> int:
    """Run a worker until a signal stops it. Return the exit code; a failure ends the process without returning."""
    logs.to_stderr()
    gc.set_threshold(200_000, 20, 50)  # events come and go by the thousand and make no cycles; looking for some costs a tenth of the worker
    try:
        return asyncio.run(_Worker(settings).run())
    except (topic_layout.TopicsWrong, TopicMissing, Unreachable, KafkaError, TimeoutError) as problem:
        log.critical("the worker does not start:\n%s", describe(problem))
        return code_of(problem)


async def ask_about_group(settings: Settings) -> None:
    """Raise Kafka's error if the group is denied to us: Faust would wait for it silently."""
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
        canonical_url=f"http://{uuid.uuid4().hex}:6066",  # Faust's assignor distinguishes workers by it
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
            self._run_alongside(stack, brokers.watch(), "watch over the brokers")
            health = await self._serve_health(stack, over, brokers)
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
            self._run_alongside(stack, over.leave(ownership, self._ask_to_stop), "watch over an upgrade")
            started = asyncio.create_task(self._start(app))
            log.info("worker of %s on %s, topics %s*; engine %d, %s", settings.app, settings.bootstrap, settings.prefix, ENGINE, KIND)
            await self._until_stopped(app)
            await self._leave(app, ownership, started)
        return self._code

    # ---- parts -------------------------------------------------------------------------------------------------------

    async def _look(self, stack: AsyncExitStack) -> tuple[RuleStore, Any, Log, Cluster]:
        """Check all that a worker needs before it can begin. Raises what `code_of` knows."""
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
        """Return its result. If a signal to stop comes first, cancel it and return None."""
        doing, stop = asyncio.create_task(coroutine), asyncio.create_task(self._stop.wait())
        await asyncio.wait([doing, stop], return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if doing.done():
            return doing.result()
        doing.cancel()
        await asyncio.gather(doing, return_exceptions=True)
        return None

    async def _may_join(self, over: GoingOver) -> bool:
        """Wait outside of the group while an upgrade is in progress. Return whether this worker has something to do."""
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
        self._run_alongside(stack, ticker.run(), "ticks")
        return ticker

    async def _serve_health(self, stack: AsyncExitStack, over: GoingOver, brokers: Brokers) -> Health | None:
        port = self._settings.port
        if port is None:
            return None
        health = Health(None, self._metrics, self._watchdog.problem, brokers.away, lambda: over.waits_for)
        try:
            await health.start(self._settings.http_host, port)
        except OSError as error:
            # The worker works without its page, too; without the worker nothing happens.
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
        self._run_alongside(stack, Announcer(ownership, self._settings.session_timeout).run(), "announcements")
        self._run_alongside(stack, Tidier(ownership, ownership.rule_store).run(), "rule sets that no user needs")
        self._run_alongside(stack, watch_group(self._settings, ownership, partitions, self._fail), "watch over the group")
        self._run_alongside(stack, watch_log(self._settings, ownership.log, self._fail), "watch over the log")
        self._run_alongside(stack, watch_ends(self._settings, ownership), "watch over the ends of the log")

    def _run_alongside(self, stack: AsyncExitStack, coroutine: Any, name: str) -> None:  # noqa: ANN401 - any coroutine
        """Run a task until the worker ends. Its failure ends the process."""
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
        except Exception as error:  # noqa: BLE001 - any error ends the process
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
            log.error("not everything could be saved: the next owners continue from the last checkpoints; leaving the group")
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
