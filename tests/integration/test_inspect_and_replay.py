"""A log that a worker has folded: what people see of it, and that a replay decides the same, byte for byte."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
import pytest
from aiokafka import TopicPartition
from aiokafka.admin.records_to_delete import RecordsToDelete

from streams.broker import Broker
from streams.browse import inspect as looking
from streams.browse.replay import replay_topic
from streams.cli.main import run
from streams.commands import send as control
from streams.commands import topics
from streams.ingest.calls import Call
from streams.ingest.feed import feed
from streams.ingest.sources import batches
from streams.kafka.clients import Cluster, producer
from streams.settings import Settings, load
from triggers.base.model import DAY, SECOND
from triggers.base.moments import iso, parse_moment
from triggers.rules.checks import load as load_rules

ROOT: Final = Path(__file__).parent.parent.parent
START: Final = parse_moment("2026-01-01T00:00:00Z")
END: Final = START + 40 * DAY
RULES: Final = {
    "rules.yaml": """version: 1
segments:
  buyer: sum("Order.total", days=7) >= 50
journeys:
  welcome:
    entry: {event: Order}
    steps: [{wait: 3d}, {send: {channel: email, text: Welcome}}]
  buyer:
    entry: {enters: buyer}
    re_entry: always
    steps: [{send: {channel: push, text: Thanks}}]
"""
}
OTHER_RULES: Final = {"rules.yaml": RULES["rules.yaml"].replace(">= 50", ">= 5000")}
USERS: Final = 23


def order(number: int) -> Call:
    at = START + number * DAY // 20
    document: dict[str, Any] = {"type": "track", "userId": f"u{number % USERS}", "event": "Order", "timestamp": iso(at)}
    document |= {"messageId": f"m{number}", "properties": {"total": number % 37}}
    if number % 50 == 0:
        document["properties"] = [number]
    return Call(at, document["userId"].encode(), orjson.dumps(document))


ORDERS: Final = [order(number) for number in range(500)]


def settings_for(broker: Broker, name: str) -> Settings:
    own = f"{name}{time.time_ns() % 10**9}"
    return load(
        bootstrap=broker.bootstrap, app=own, prefix=f"{own}.", partitions=3, clock="log", http_port=-1, command_key="0123456789abcdef"
    )


def environment(settings: Settings) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CUELINE_")}
    own = {
        "BOOTSTRAP": settings.bootstrap,
        "APP": settings.app,
        "PREFIX": settings.prefix,
        "CLOCK": "log",
        "HTTP_PORT": "-1",
        "COMMAND_KEY": "0123456789abcdef",
    }
    return {**clean, "PYTHONPATH": str(ROOT), **{f"CUELINE_{name}": value for name, value in own.items()}}


async def fold(settings: Settings, folder: Path) -> None:
    """Feeds the orders, and lets a worker fold them."""
    await topics.create(settings)
    await control.apply(settings, RULES, at=START - SECOND)
    await control.go_live(settings, at=START - SECOND)
    await feed(settings, batches(ORDERS), until=END)
    await asyncio.to_thread(_work, settings, folder)


def _work(settings: Settings, folder: Path) -> None:
    with (folder / "worker.log").open("wb") as log:
        words = [sys.executable, "-m", "streams.cli.main", "worker"]
        worker = subprocess.Popen(words, cwd=folder, env=environment(settings), stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while any(position["behind"] for position in asyncio.run(looking.positions(settings))):
            assert worker.poll() is None, (folder / "worker.log").read_text()
            assert time.monotonic() < deadline, (folder / "worker.log").read_text()
            time.sleep(0.2)
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(20)


@pytest.fixture(scope="module", params=["embedded", "kafka"])
def folded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a log that a worker has folded to its end."""
    broker: Broker = request.getfixturevalue(request.param)
    settings = settings_for(broker, f"ir-{request.param}-")
    asyncio.run(fold(settings, tmp_path_factory.mktemp("work")))
    return settings


class Ended(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        """The JSON of each line; only where all went well."""
        assert self.code == 0, self.err
        return [orjson.loads(line) for line in self.out.splitlines()]


Command = Callable[..., Ended]
"""Runs the command line under these settings."""


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    def call(settings: Settings, *words: str) -> Ended:
        for name in [name for name in os.environ if name.startswith("CUELINE_")]:
            monkeypatch.delenv(name)
        for name, value in environment(settings).items():
            monkeypatch.setenv(name, value)
        capfd.readouterr()
        code = run(words)
        return Ended(code, *capfd.readouterr())

    return call


@pytest.fixture
def cueline(folded: Settings, command: Command) -> Callable[..., Ended]:
    return lambda *words: command(folded, *words)


Look = Callable[..., Ended]


async def committed(settings: Settings, word: str) -> dict[int, Counter[bytes]]:
    found: dict[int, Counter[bytes]] = {}
    async for records in looking.read(settings, looking.topic_of(settings, word)):
        for record in records:
            found.setdefault(record.partition, Counter())[record.value] += 1
    return found


# ---- replay ----------------------------------------------------------------------------------------------------------


async def test_a_replay_of_the_log_puts_out_what_the_worker_did_and_leaves_the_same_states(folded: Settings) -> None:
    replayed = await replay_topic(folded, states=True)
    assert {number: Counter(values) for number, values in replayed.actions.items()} == await committed(folded, "actions")
    assert {number: Counter(values) for number, values in replayed.decisions.items()} == await committed(folded, "decisions")
    table = looking.Table()
    async for records in looking.read(folded, folded.names.changelog):
        table.take_in(records)
    assert {user: state for user, (_, state) in table.states.items()} == replayed.states
    assert (replayed.users, replayed.events, sum(map(len, replayed.dead_letters.values()))) == (USERS, 500, 10)
    assert replayed.counts["sent", "welcome"] == USERS


async def test_rules_of_its_own_are_tried_on_the_same_log_without_its_commands(folded: Settings) -> None:
    replayed = await replay_topic(folded, rules=load_rules(OTHER_RULES))
    assert replayed.counts["sent", "welcome"] == USERS
    assert replayed.counts["sent", "buyer"] == 0


async def test_until_ends_the_log_earlier(folded: Settings) -> None:
    at = START + 2 * DAY
    replayed = await replay_topic(folded, until=at)
    assert (replayed.events, replayed.clock) == (sum(1 for call in ORDERS if call.at is not None and call.at <= at), at)
    assert replayed.counts["sent", "welcome"] == 0


def test_a_log_that_has_lost_its_beginning_is_refused(kafka: Broker, command: Command) -> None:
    settings = settings_for(kafka, "lost-")
    asyncio.run(lose_the_beginning(settings))
    refused = command(settings, "replay", "--topic", "--summary")
    assert (refused.code, refused.out) == (1, "")
    assert f"lost its beginning: {settings.names.events}[0] begins at offset 5" in refused.err


async def lose_the_beginning(settings: Settings) -> None:
    await topics.create(settings)
    await feed(settings, batches(ORDERS))
    async with Cluster(settings) as cluster:
        await cluster._admin.delete_records({TopicPartition(settings.names.events, 0): RecordsToDelete(before_offset=5)})


def test_the_command_prints_the_counts(cueline: Look) -> None:
    shown = cueline("replay", "--topic", "--summary")
    assert "500 events of 23 users" in shown.out
    assert "welcome" in shown.out
    assert cueline("replay", "--topic", "--json").lines[-1]["users"] == USERS


def test_rules_of_its_own_say_what_they_stand_on(cueline: Look, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES["rules.yaml"].replace('"Order.total", days=7', '"Order.total", days=9'))
    words = ["replay", "--topic", "--rules", str(tmp_path), "--summary"]
    since = f"as if the rules had been active since {iso(START - SECOND)}: every window is complete here"
    assert f"{since}; an apply now would begin with 1 incomplete window: see --as-of" in cueline(*words).out.splitlines()
    as_of_now = cueline(*words, "--as-of", "now", "--json").lines[-1]
    until = iso(END + 8 * DAY)
    assert as_of_now["incomplete"] == [f'! sum("Order.total", days=9) starts incomplete for 23 users, until {until}']
    assert (as_of_now["rules_since"], as_of_now["as_of"], as_of_now["events_before"]) == (None, iso(END), 500)


# ---- inspect ---------------------------------------------------------------------------------------------------------


def test_events_come_in_the_order_of_time_over_all_partitions(cueline: Look) -> None:
    found = cueline("inspect", "events", "--json").lines
    events = [record for record in found if not record["headers"]]
    assert [record["value"]["messageId"] for record in events] == [f"m{number}" for number in range(500)]
    assert [record["headers"].get("cueline-control") for record in found if record["headers"]] == ["command"] * 6 + ["tick"] * 3


def test_one_user_is_read_from_one_partition(cueline: Look, folded: Settings) -> None:
    found = cueline("inspect", "events", "--user", "u7", "--json").lines
    assert [record["key"] for record in found] == ["u7"] * len([call for call in ORDERS if call.key == b"u7"])
    assert {record["partition"] for record in found} == {asyncio.run(looking.partition_of(folded, folded.names.events, "u7"))}


def test_one_journey_and_one_moment_on(cueline: Look) -> None:
    found = cueline("inspect", "decisions", "--journey", "welcome", "--json").lines
    assert {record["value"]["journey"] for record in found} == {"welcome"}
    later = cueline("inspect", "events", "--from", iso(START + 20 * DAY), "--json").lines
    assert len(later) == 500 - 400 + 3
    assert cueline("inspect", "events", "--from", iso(END + 1), "--json").lines == []


def test_every_topic_has_readable_lines(cueline: Look) -> None:
    assert "command 1: apply" in cueline("inspect", "events").out
    assert "email by welcome step 2" in cueline("inspect", "actions").out
    assert "sent     welcome step 2" in cueline("inspect", "decisions").out
    assert "properties is no object" in cueline("inspect", "dead-letters").out
    assert "rule set" in cueline("inspect", "rules").out
    assert cueline("inspect", "receipts").out == ""
    assert cueline("inspect", "positions").out.count("0 behind") == 3


def test_users_are_listed_and_one_is_shown_whole(cueline: Look) -> None:
    users = cueline("inspect", "users", "--json").lines
    assert [user["user"] for user in users] == sorted(f"u{number}" for number in range(USERS))
    [ann] = cueline("inspect", "users", "--user", "u7", "--json").lines
    assert {window["measure"] for window in ann["windows"]} == {'sum("Order.total", days=7)'}
    assert ann["clock"] == iso(END)
    page = cueline("inspect", "users", "--user", "u7").out
    assert "buyer: outside" in page
    assert "welcome" in page


def test_a_user_who_is_not_there_is_said(cueline: Look) -> None:
    missing = cueline("inspect", "users", "--user", "nobody")
    assert (missing.code, missing.out) == (1, "")
    assert "the user 'nobody' is unknown" in missing.err


@pytest.mark.parametrize("topic", ["events", "actions", "decisions", "receipts", "dead-letters", "users"])
def test_nobody_of_that_name_is_code_1_in_every_topic(cueline: Look, topic: str) -> None:
    missing = cueline("inspect", topic, "--user", "nobody")
    assert (missing.code, missing.out) == (1, "")
    assert "the user 'nobody' is unknown" in missing.err
    assert missing.err.count("\n") == 1


def test_somebody_of_whom_there_is_nothing_to_show_is_told_from_nobody(cueline: Look) -> None:
    known = cueline("inspect", "receipts", "--user", "u7")
    assert (known.code, known.out, known.err) == (0, "", "'u7' is known, but receipts has no such record\n")


@pytest.mark.parametrize("topic", ["actions", "decisions", "users"])
def test_a_journey_that_no_rules_ever_had_is_code_1_with_the_nearest_name(cueline: Look, topic: str) -> None:
    missing = cueline("inspect", topic, "--journey", "welcom")
    assert (missing.code, missing.out) == (1, "")
    assert missing.err == "no rules that were ever applied have a journey 'welcom'; did you mean 'welcome'?\n"


def test_json_has_one_shape_in_inspect_and_replay(cueline: Look) -> None:
    """A replay returns the records of the topics, except for their place and time."""
    written = cueline("inspect", "decisions", "--json").lines + cueline("inspect", "actions", "--json").lines
    *replayed, last = cueline("replay", "--topic", "--json").lines
    unwritten = [{**record, "topic": None, "offset": None, "timestamp": None} for record in written]
    put_out = [record for record in replayed if record["type"] in {"decision", "action"}]
    assert sorted(map(str, put_out)) == sorted(map(str, unwritten))
    assert (last["type"], len(replayed) - len(put_out)) == ("summary", 10)
    for word, kind in (
        ("events", "event"),
        ("dead-letters", "dead-letter"),
        ("rules", "rule"),
        ("users", "user"),
        ("positions", "position"),
    ):
        assert {line["type"] for line in cueline("inspect", word, "--json").lines} == {kind}


def places(lines: list[Any]) -> list[tuple[int, int]]:
    return [(record["partition"], record["offset"]) for record in lines]


@pytest.mark.parametrize("number", [1, 7, 450, 5_000])
def test_the_last_of_a_topic_are_those_that_would_be_shown_last(cueline: Look, number: int) -> None:
    everything = cueline("inspect", "decisions", "--json").lines
    assert places(cueline("inspect", "decisions", "--last", str(number), "--json").lines) == places(everything[-number:])


def test_the_last_are_the_last_of_those_that_were_asked_for(cueline: Look) -> None:
    """However far back they are: the search continues backwards until there are enough, or none is left."""
    for words in (["--user", "u7"], ["--journey", "welcome"], ["--from", iso(START + 20 * DAY)], ["--partition", "1"]):
        topic = "events" if words[0] in {"--user", "--from"} else "decisions"
        everything = cueline("inspect", topic, *words, "--json").lines
        assert len(everything) > 9
        assert places(cueline("inspect", topic, *words, "-n", "9", "--json").lines) == places(everything[-9:])
    entered = [record for record in cueline("inspect", "decisions", "--user", "u3", "--json").lines if record["value"]["kind"] == "entered"]
    assert entered
    assert places(cueline("inspect", "decisions", "--user", "u3", "--last", "2000", "--json").lines)[0] <= places(entered)[0]


def test_one_partition_and_one_offset(cueline: Look) -> None:
    everything = cueline("inspect", "events", "--json").lines
    first = [record for record in everything if record["partition"] == 1]
    assert cueline("inspect", "events", "--partition", "1", "--json").lines == first
    place = first[5]["offset"]
    assert cueline("inspect", "events", "--partition", "1", "--offset", str(place), "--json").lines == [first[5]]
    assert cueline("inspect", "events", "--partition", "1", "--offset", f"{place}..", "--json").lines == first[5:]
    assert cueline("inspect", "events", "--partition", "1", "--offset", f"{place}..{first[8]['offset']}", "--json").lines == first[5:9]
    [position] = cueline("inspect", "positions", "--partition", "1", "--json").lines
    assert (position["partition"], position["behind"]) == (1, 0)
    users = cueline("inspect", "users", "--partition", "1", "--json").lines
    assert {user["partition"] for user in users} == {1}
    assert [rule["offset"] for rule in cueline("inspect", "rules", "--offset", "0", "--json").lines] == [0]


def test_a_place_that_is_not_there_is_code_1_with_what_is(cueline: Look, folded: Settings) -> None:
    topic = folded.names.events
    for words, said in (
        (["--partition", "9"], f"{topic} has the partitions 0 to 2, and none with the number 9\n"),
        (["--partition", "1", "--offset", "90000"], f"there is nothing at offset 90000: {topic}[1] holds the offsets 0 to "),
        (["--partition", "1", "--offset", "90000..90001"], "there is nothing at the offsets 90000 to 90001: "),
        (["--partition", "1", "--offset", "90000.."], "there is nothing at offset 90000 or after it: "),
    ):
        missing = cueline("inspect", "events", *words)
        assert (missing.code, missing.out) == (1, "")
        assert missing.err.startswith(said)


def test_who_waits_is_shown_until_when(cueline: Look) -> None:
    [waiting] = [
        record["value"]
        for record in cueline("inspect", "decisions", "--user", "u7", "--json").lines
        if record["value"]["kind"] == "waiting"
    ]
    assert f"waiting  welcome step 1 until {iso(waiting['due'])}\n" in cueline("inspect", "decisions", "--user", "u7").out


@pytest.mark.parametrize(
    "words",
    [
        ["inspect", "evnts"],
        ["inspect", "rules", "--user", "ann"],
        ["inspect", "events", "--from", "noon"],
        ["inspect", "events", "--offset", "5"],
        ["inspect", "events", "--partition", "1", "--offset", "x"],
        ["inspect", "events", "--partition", "1", "--offset", "7..5"],
        ["inspect", "events", "--partition", "1", "--offset", "5", "--follow"],
        ["inspect", "events", "--last", "0"],
        ["inspect", "users", "--last", "3"],
        ["inspect", "positions", "--offset", "3"],
    ],
)
def test_wrong_words_have_code_2(cueline: Look, words: list[str]) -> None:
    assert cueline(*words).code == 2


@pytest.mark.skipif(os.name == "nt", reason="asks for POSIX pipes")
def test_the_end_of_a_pipe_ends_it_quietly(folded: Settings) -> None:
    script = f"{sys.executable} -m streams.cli.main inspect events | head -1; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", script], env=environment(folded), capture_output=True, text=True, timeout=60, check=False)
    assert ended.stdout.count("\n") == 1
    assert (ended.returncode in {0, 141}, ended.stderr) == (True, "")


async def test_following_goes_on_with_what_arrives(folded: Settings) -> None:
    seen: list[bytes] = []

    async def follow() -> None:
        async for records in looking.read(folded, folded.names.receipts, follow=True):
            if not records:
                await write(folded, b"late")
            seen.extend(record.value for record in records)
            if seen:
                return

    await asyncio.wait_for(follow(), 20)
    assert seen == [b"late"]


async def test_following_begins_with_the_last(folded: Settings) -> None:
    seen: list[int] = []
    part = looking.Part(newest=2)
    async for records in looking.read(folded, folded.names.decisions, part, follow=True):
        if not records:
            await write(folded, b"{}", folded.names.decisions)
        seen.append(len(records))
        if len(seen) == 3:
            break
    assert seen == [2, 0, 1]


async def write(settings: Settings, value: bytes, topic: str | None = None) -> None:
    async with producer(settings) as client:
        await client.send_and_wait(topic or settings.names.receipts, value, key=b"id")
