"""The whole product with real input: a broker, topics, workers, the CDNOW rules, 18 months of orders in a minute, and a check.

The demo shares nothing: it has a temporary folder, a broker in it (or its own topics on a running broker), and its own settings. Broker and
workers are guarded processes: they end with this one, however it ends.

The result is compared with `tests/reference/cdnow.py`. That module computes from the file alone, without code of the engine, which customer
must get what and when.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, aclosing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Protocol

import orjson
from aiokafka.errors import KafkaError

from streams.broker import Broker
from streams.broker.guard import Guarded
from streams.browse import inspect as looking
from streams.commands import send as control
from streams.commands import topics
from streams.demo import people
from streams.ingest import cdnow
from streams.ingest.feed import feed
from streams.ingest.sources import batches
from streams.kafka.clients import Cluster, Unreachable, spans
from streams.settings import Settings, load
from triggers.rules.folder import read_folder

HERE: Final = Path(__file__).parents[1]
PATIENCE: Final = 120.0
"""Seconds without progress after which the demo gives up."""
CHECK_EVERY: Final = 0.5
"""Seconds between two checks of the workers' progress."""

Moments = Counter[tuple[str, str, int]]
"""How often each (user, journey, moment in ms) occurs."""


class DemoFailed(Exception):  # noqa: N818 - it says what happened
    """The demo cannot continue. The message says why."""


class OnProgress(Protocol):
    """A callback for progress: orders folded, their total, and a note."""

    def __call__(self, done: int, total: int = 0, note: str = "") -> None: ...


@dataclass(kw_only=True)
class Summary:
    """The result of the demo."""

    broker: str
    workers: int
    partitions: int
    rule_set: str = ""
    orders: int = 0
    customers: int = 0
    opening: float = 0.0
    """Seconds until the workers had joined the group and opened their partitions."""
    seconds: float = 0.0
    """From the first order fed to the last one folded. The workers were open before."""
    actions: dict[str, int] = field(default_factory=dict)
    """By journey."""
    dead_letters: int = 0
    expected: dict[str, int] = field(default_factory=dict)
    missing: int = 0
    extra: int = 0
    people: list[people.Person] = field(default_factory=list)
    """Three customers and their stories."""

    @property
    def is_right(self) -> bool:
        return not (self.missing or self.extra or self.dead_letters)

    def document(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        return {
            "broker": self.broker,
            "workers": self.workers,
            "partitions": self.partitions,
            "rule_set": self.rule_set,
            "events": self.orders,
            "customers": self.customers,
            "opening_seconds": round(self.opening, 2),
            "seconds": round(self.seconds, 2),
            "events_per_second": round(self.orders / self.seconds) if self.seconds else None,
            "actions": {"total": sum(self.actions.values()), **self.actions},
            "dead_letters": self.dead_letters,
            "expected": {"total": sum(self.expected.values()), **self.expected},
            "missing": self.missing,
            "extra": self.extra,
            "people": [person.document() for person in self.people],
        }


def resource(installed: str, checkout: str) -> Path:
    """Return a file or folder that is in the installed package, or at the top of a checkout."""
    found = HERE / "data" / installed
    return found if found.exists() else HERE.parent / checkout


# ---- what it runs on -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stage:
    """A running broker, and the settings of this demo on it."""

    settings: Settings
    folder: Path
    config: Path
    """The settings as a file. With it, any command can read the topics of this demo."""
    broker: str
    workers: int


@contextmanager
def stage(broker: str, say: Callable[[str], None]) -> Iterator[Stage]:
    """Provide everything that the demo needs, until it ends. `broker`: embedded, kafka, or the address of a running one. Raises
    `BrokerFailed`.
    """
    with ExitStack() as stack:
        # A file written at the very end must not prevent the removal of the folder.
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="cueline-demo-", ignore_cleanup_errors=True)))
        bootstrap, own = broker, ""
        if broker in {"embedded", "kafka"}:
            started = _broker(broker, folder / "broker", say)
            stack.callback(started.kill)  # its data is deleted with the folder
            started.start()
            bootstrap = started.bootstrap
        else:
            own = f"cueline-demo-{uuid.uuid4().hex[:6]}"
        embedded = broker == "embedded"
        config = folder / "cueline.toml"
        values = {
            "bootstrap": bootstrap,
            "app": own or "demo",
            "prefix": f"{own or 'cueline'}.",
            "clock": "log",
            "partitions": 2 if embedded else 4,
            "http_port": 0,
        }
        config.write_text("".join(f"{name} = {orjson.dumps(value).decode()}\n" for name, value in values.items()), "utf-8")
        stack.enter_context(_only_settings_of(config))
        settings = load()
        if own:
            stack.callback(lambda: asyncio.run(_delete_topics(settings)))
        yield Stage(settings, folder, config, broker, 1 if embedded else 2)


def _broker(kind: str, folder: Path, say: Callable[[str], None]) -> Broker:
    if kind == "embedded":
        from streams.broker.embedded import REQUIREMENT, EmbeddedBroker, fetch, is_installed

        if is_installed():
            return EmbeddedBroker(folder)
        say(f"broker     fetching {REQUIREMENT} by pip, once ...")
        return EmbeddedBroker(folder, package=fetch(cdnow.cache_folder()))
    from streams.broker.kafka import VERSION, KafkaBroker, jars

    checkout = HERE.parent
    cache = checkout / ".cueline" if (checkout / "pyproject.toml").is_file() else cdnow.cache_folder()
    if not (cache / f"kafka-{VERSION}").is_dir():
        say(f"fetching Apache Kafka {VERSION} by Maven, once ...")
    return KafkaBroker(folder, jars(cache))


@contextmanager
def _only_settings_of(config: Path) -> Iterator[None]:
    """Hide the settings of other installations in the environment from this process and the ones that it starts."""
    before = {name: value for name, value in os.environ.items() if name.upper().startswith("CUELINE_") and name != "CUELINE_VERBOSE"}
    for name in before:
        del os.environ[name]
    os.environ["CUELINE_CONFIG"] = str(config)
    try:
        yield
    finally:
        del os.environ["CUELINE_CONFIG"]
        os.environ.update(before)


async def _delete_topics(settings: Settings) -> None:
    with suppress(KafkaError, Unreachable):
        async with Cluster(settings) as cluster:
            await cluster.delete(settings.names)


class Workers:
    """The worker processes of the demo; leaving the context ends them."""

    def __init__(self, stage: Stage) -> None:
        self._logs = [stage.folder / f"worker-{number + 1}.log" for number in range(stage.workers)]
        self._folder = stage.folder
        self._running: list[Guarded] = []

    def start(self) -> None:
        """Start them. They need a second or two more to open their partitions."""
        command = [sys.executable, "-m", "streams.cli.main", "worker"]
        with _environment(self._folder):
            self._running = [Guarded(command, log, self._folder) for log in self._logs]

    def check(self) -> None:
        """Raise `DemoFailed` if one has ended."""
        for worker, log in zip(self._running, self._logs, strict=True):
            code = worker.ended()
            if code is not None:
                raise DemoFailed(f"a worker has ended with code {code}; the end of its log:\n{tail(log)}")

    def said(self) -> str:
        """Return the end of every worker's log."""
        return "\n".join(f"{log.name}:\n{tail(log)}" for log in self._logs)

    def stop(self) -> None:
        for worker in self._running:
            worker.stop()


@contextmanager
def _environment(folder: Path) -> Iterator[None]:
    """Set the environment of the processes started inside. They find packages where this process found them, also in a checkout that is not
    installed, and write temporary files into the demo's folder.
    """
    path = os.pathsep.join([str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {"PYTHONPATH": path, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))}
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def tail(log: Path, lines: int = 15) -> str:
    """Return the end of a log."""
    try:
        return "\n".join(log.read_text("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return "(there is none)"


# ---- what it does ----------------------------------------------------------------------------------------------------


async def prepare(stage: Stage, say: Callable[[str], None]) -> str:
    """Create the topics, apply the rules and go live before the first order; return the rule set's hash."""
    settings = stage.settings
    await topics.create(settings)
    say(f"topics     {len(settings.names)}, {settings.partitions} partitions each")
    rules = read_folder(resource("cdnow", "examples/cdnow"))
    applied = await control.apply(settings, rules, at=cdnow.START)
    await control.go_live(settings, at=cdnow.START)
    command = applied.command
    assert command is not None
    assert command.rule_set is not None
    say(f"rules      {command.rule_set[:12]}, applied and live as of 1996-12-31")
    return command.rule_set


async def wait_until_open(stage: Stage, workers: Workers) -> float:
    """Wait until all partitions are open and at the end of the log; return the seconds that it took. Raises `DemoFailed`."""
    begun = time.monotonic()
    while any(position["behind"] for position in await looking.positions(stage.settings)):
        workers.check()
        if time.monotonic() - begun > PATIENCE:
            raise DemoFailed(f"no worker has opened its partitions for {PATIENCE:.0f} s\n{workers.said()}")
        await asyncio.sleep(CHECK_EVERY / 2)
    return time.monotonic() - begun


async def run(stage: Stage, workers: Workers, lines: list[str], part: cdnow.Part, summary: Summary, on_progress: OnProgress) -> None:
    """Feed the orders while the workers fold them; return when all is folded, up to the final tick. Raises `DemoFailed`."""
    calls = cdnow.calls(cdnow.FILES[part], lines)
    summary.orders, summary.customers = len(calls), len({call.key for call in calls})
    arriving: Counter[str] = Counter()
    follower = asyncio.create_task(_follow_actions(stage.settings, arriving))
    begun = time.monotonic()
    try:
        before = sum(span.end for span in (await spans(stage.settings, [stage.settings.names.events])).values())
        feeding = asyncio.create_task(feed(stage.settings, batches(calls), until=cdnow.END))
        await _until_folded(stage, workers, feeding, lambda done: on_progress(max(0, done - before), len(calls), _note(arriving)))
        summary.seconds = time.monotonic() - begun
        await feeding
    finally:
        follower.cancel()
        with suppress(asyncio.CancelledError):
            await follower


def _note(arriving: Counter[str]) -> str:
    """Describe the actions that have arrived so far."""
    journeys = ", ".join(f"{count:,} {journey}" for journey, count in sorted(arriving.items()))
    return f"{sum(arriving.values()):,} actions" + (f": {journeys}" if journeys else "")


async def _follow_actions(settings: Settings, arriving: Counter[str]) -> None:
    """Count the committed actions as they arrive, like any consumer."""
    async with aclosing(looking.read(settings, settings.names.actions, follow=True)) as following:
        async for records in following:
            arriving.update(dict(record.headers)["journey"].decode() for record in records)


async def _until_folded(stage: Stage, workers: Workers, feeding: asyncio.Task[Any], on_folded: Callable[[int], None]) -> None:
    """Return when every position is at the end of the log, after the feed. Until then the group's offsets show the progress."""
    settings = stage.settings
    moved, latest = time.monotonic(), -1
    async with Cluster(settings) as cluster:
        while True:
            workers.check()
            done = sum((await cluster.group_offsets(settings.app, settings.names.events)).values())
            on_folded(done)
            if done > latest:
                moved, latest = time.monotonic(), done
            if feeding.done():
                feeding.result()
                if not any(position["behind"] for position in await looking.positions(settings)):
                    return
            if time.monotonic() - moved > PATIENCE:
                raise DemoFailed(f"nothing has moved for {PATIENCE:.0f} s\n{workers.said()}")
            await asyncio.sleep(CHECK_EVERY)


async def check(stage: Stage, lines: list[str], part: cdnow.Part, summary: Summary) -> None:
    """Count the results, compare them with the independent answer, and choose three customers."""
    settings, got, journeys = stage.settings, Moments(), dict[str, set[str]]()
    async for records in looking.read(settings, settings.names.actions):
        for record in records:
            action = orjson.loads(record.value)
            got[action["user"], action["journey"], action["at"]] += 1
            journeys.setdefault(action["user"], set()).add(action["journey"])
    async for records in looking.read(settings, settings.names.dead_letters):
        summary.dead_letters += len(records)
    expected = await asyncio.to_thread(_expected, lines)
    summary.actions, summary.expected = _by_journey(got), _by_journey(expected)
    summary.missing, summary.extra = (expected - got).total(), (got - expected).total()
    calls = cdnow.calls(cdnow.FILES[part], lines)
    chosen = people.choose(journeys, Counter(call.key.decode() for call in calls))
    keys = {user.encode() for user in chosen}
    orders = [{**orjson.loads(call.value), "at": call.at} for call in calls if call.key in keys]
    actions, decisions = [await _of(settings, topic, keys) for topic in (settings.names.actions, settings.names.decisions)]
    summary.people = people.stories(chosen, orders, actions, decisions)


async def _of(settings: Settings, topic: str, keys: set[bytes]) -> list[dict[str, Any]]:
    """Return the records of a topic about these users."""
    found = []
    async for records in looking.read(settings, topic):
        found += [orjson.loads(record.value) for record in records if record.key in keys]
    return found


def _by_journey(moments: Moments) -> dict[str, int]:
    totals: Counter[str] = Counter()
    for (_, journey, _), times in moments.items():
        totals[journey] += times
    return dict(sorted(totals.items()))


def _expected(lines: list[str]) -> Moments:
    """Compute the expected result by the reference, which uses no code of this package."""
    path = resource("cdnow_reference.py", "tests/reference/cdnow.py")
    spec = importlib.util.spec_from_file_location("cdnow_reference", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise DemoFailed(f"the independent answer cannot be computed: there is no {path}")
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    return Moments(reference.expected(lines))
