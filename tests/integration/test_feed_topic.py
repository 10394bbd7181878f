"""`feed` writes calls from files into `events`: to the right partition, with the right time, and nothing else."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from aiokafka.partitioner import murmur2

from streams.broker import Broker
from streams.commands import send as control
from streams.commands import topics
from streams.ingest.calls import BadLine, Call
from streams.ingest.feed import CannotFeed, Fed, Pace, feed
from streams.ingest.sources import batches
from streams.kafka.clients import TopicMissing, read, spans
from streams.settings import Settings
from tests.conftest import SettingsFor
from triggers.base.model import Record
from triggers.base.moments import iso

ROOT = Path(__file__).parent.parent.parent
START = 1_700_000_000_000


def calls(count: int, users: int = 7, step: int = 1000) -> list[Call]:
    """`count` calls of some users, `step` ms apart."""
    document = {"type": "track", "event": "x"}
    return [
        Call(START + n * step, b"u%d" % (n % users), orjson.dumps({**document, "userId": f"u{n % users}", "n": n})) for n in range(count)
    ]


async def log_of(settings: Settings) -> list[tuple[int, Record]]:
    """All records of `events`, with their partitions."""
    found = []
    for tp in await spans(settings, [settings.names.events]):
        async for records in read(settings, tp.topic, tp.partition):
            found += [(tp.partition, record) for record in records]
    return found


async def test_each_call_stands_once_in_its_users_partition_at_its_own_time_and_in_order(broker: Broker, settings_for: SettingsFor) -> None:
    settings = settings_for(broker, clock="log", partitions=3)
    await topics.create(settings)
    fed = await feed(settings, batches(calls(5_000)))
    log = await log_of(settings)
    assert (fed.records, fed.first, fed.last, fed.backward) == (5_000, START, START + 4_999_000, 0)
    assert all(partition == (murmur2(record.key) & 0x7FFFFFFF) % 3 for partition, record in log)
    assert sorted(orjson.loads(record.value or b"")["n"] for _, record in log) == list(range(5_000))
    for own in range(3):
        times = [record.timestamp for partition, record in log if partition == own]
        assert times == sorted(times)
    assert all(record.timestamp == START + 1000 * orjson.loads(record.value or b"")["n"] for _, record in log)
    assert not any(record.headers for _, record in log)


async def test_the_final_tick_ends_every_partition(broker: Broker, settings_for: SettingsFor) -> None:
    settings = settings_for(broker, clock="log", partitions=3)
    await topics.create(settings)
    fed = await feed(settings, batches(calls(10)), until=START + 1_000_000)
    last = dict(await log_of(settings))
    assert (fed.records, fed.ticks) == (10, 3)
    assert [(record.timestamp, record.key, dict(record.headers)) for record in last.values()] == [
        (START + 1_000_000, None, {"cueline-control": b"tick"})
    ] * 3


async def test_with_the_brokers_clock_a_record_carries_its_time(kafka: Broker, settings_for: SettingsFor) -> None:
    settings = settings_for(kafka)
    await topics.create(settings)
    await feed(settings, batches(calls(10)))
    assert all(abs(record.timestamp / 1000 - time.time()) < 60 for _, record in await log_of(settings))
    with pytest.raises(CannotFeed, match="the broker sets the time"):
        await feed(settings, batches([]), until=START)


async def test_history_is_not_fed_into_a_topic_that_would_lose_its_time(kafka: Broker, settings_for: SettingsFor) -> None:
    settings = settings_for(kafka)
    await topics.create(settings)
    historic = Settings(**{**settings.model_dump(), "clock": "log"})
    with pytest.raises(CannotFeed, match="LogAppendTime"):
        await feed(historic, batches(calls(10)))


async def test_what_stands_before_a_bad_line_is_in_the_log(broker: Broker, settings_for: SettingsFor) -> None:
    def with_a_bad_end() -> Iterator[Call]:
        yield from calls(2_345)
        raise BadLine("e.jsonl", 2_346, "no userId")

    settings = settings_for(broker, clock="log")
    await topics.create(settings)
    with pytest.raises(BadLine):
        await feed(settings, batches(with_a_bad_end()))
    assert len(await log_of(settings)) == 2_345


async def test_a_paced_feed_takes_its_time(broker: Broker, settings_for: SettingsFor) -> None:
    settings = settings_for(broker, clock="log")
    await topics.create(settings)
    by_rate = await feed(settings, batches(calls(200)), pace=Pace(rate=400))
    by_speed = await feed(settings, batches(calls(200)), pace=Pace(speed=400))
    assert by_rate.seconds > 0.45
    assert by_speed.seconds > 0.45
    assert by_rate.records + by_speed.records == len(await log_of(settings)) == 400


async def test_a_paced_feed_says_how_far_it_is_while_it_waits(broker: Broker, settings_for: SettingsFor) -> None:
    """All of it is one batch of the file."""
    settings = settings_for(broker, clock="log")
    await topics.create(settings)
    told: list[int] = []
    await feed(settings, batches(calls(100)), pace=Pace(rate=200), progress=lambda fed: told.append(fed.records))
    assert (told[0], told[-1]) == (0, 100)
    assert told == sorted(told)
    assert len(set(told)) > 5


@pytest.mark.parametrize("pace", [None, Pace(rate=3_000)])
async def test_a_feed_that_is_interrupted_has_written_the_first_records_and_says_how_many(
    broker: Broker, settings_for: SettingsFor, pace: Pace | None
) -> None:
    """Also over several partitions, so a feed can continue right after them."""
    settings = settings_for(broker, clock="log", partitions=5)
    await topics.create(settings)
    latest, under_way = Fed(), asyncio.Event()

    def note(fed: Fed) -> None:
        nonlocal latest
        latest = fed
        if fed.records > 500:
            under_way.set()

    feeding = asyncio.create_task(feed(settings, batches(calls(1_000_000, users=97)), pace=pace, progress=note))
    async with asyncio.timeout(60):
        await under_way.wait()
    feeding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await feeding
    log = await log_of(settings)
    assert 500 < latest.records < 1_000_000
    assert sorted(orjson.loads(record.value or b"")["n"] for _, record in log) == list(range(latest.records))
    assert latest.unsure == 0


async def test_a_missing_topic_is_named(broker: Broker, settings_for: SettingsFor) -> None:
    with pytest.raises(TopicMissing, match="cueline topics create"):
        await feed(settings_for(broker), batches(calls(1)))


# ---- the command -----------------------------------------------------------------------------------------------------


def start(settings: Settings, *words: str) -> "subprocess.Popen[bytes]":
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CUELINE_")}
    own = {"BOOTSTRAP": settings.bootstrap, "APP": settings.app, "PREFIX": settings.prefix, "CLOCK": settings.clock}
    environment = {**clean, "PYTHONPATH": str(ROOT), **{f"CUELINE_{name}": value for name, value in own.items()}}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-m", "streams.cli.main", "feed", *words], env=environment, stdin=pipe, stdout=pipe, stderr=pipe
    )


async def appear(settings: Settings, count: int) -> None:
    """Return when the log has this many records."""
    async with asyncio.timeout(30):
        while len(await log_of(settings)) < count:
            await asyncio.sleep(0.1)


@pytest.mark.skipif(os.name == "nt", reason="asks for POSIX signals")
async def test_standard_input_is_fed_as_it_comes_and_an_interrupt_ends_it(broker: Broker, settings_for: SettingsFor) -> None:
    """As in `tail -f app.log | cueline feed -`: the feed does not wait for a full batch, and no thread keeps the process alive."""
    settings = settings_for(broker)
    await topics.create(settings)
    feeding = start(settings, "-")
    assert feeding.stdin is not None
    for number, call in enumerate(calls(3), 1):
        feeding.stdin.write(call.value + b"\n")
        feeding.stdin.flush()
        await appear(settings, number)
    feeding.send_signal(signal.SIGINT)
    _, err = await asyncio.to_thread(feeding.communicate, timeout=20)
    assert (feeding.returncode, err.decode().strip()) == (130, f"stopped; the first 3 records are in {settings.names.events} already")


@pytest.mark.skipif(os.name == "nt", reason="asks for POSIX signals")
async def test_an_interrupted_file_goes_on_where_it_was_stopped(broker: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    settings = settings_for(broker)
    await topics.create(settings)
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join(call.value for call in calls(3_000)))
    feeding = start(settings, str(path), "--rate", "200/s")
    await appear(settings, 20)
    feeding.send_signal(signal.SIGINT)
    _, err = await asyncio.to_thread(feeding.communicate, timeout=20)
    written = len(await log_of(settings))
    assert feeding.returncode == 130
    events = settings.names.events
    assert err.decode().strip() == f"stopped; the first {written:,} records are in {events} already; --after {written} continues there"
    out, err = await asyncio.to_thread(start(settings, str(path), "--after", str(written)).communicate, timeout=60)
    assert (out.decode().startswith(f"{3_000 - written:,} records in "), err) == (True, b"")
    assert sorted(orjson.loads(record.value or b"")["n"] for _, record in await log_of(settings)) == list(range(3_000))


@pytest.mark.skipif(os.name == "nt", reason="asks for POSIX files")
async def test_what_is_no_regular_file_is_fed_as_well(broker: Broker, settings_for: SettingsFor) -> None:
    """As in `cueline feed <(zstdcat january.zst)`."""
    settings = settings_for(broker)
    await topics.create(settings)
    out, err = await asyncio.to_thread(start(settings, "/dev/stdin").communicate, calls(1)[0].value, timeout=60)
    assert (out.decode().startswith("1 record in "), err) == (True, b"")
    out, err = await asyncio.to_thread(start(settings, "/dev/null").communicate, timeout=60)
    assert (out.decode().startswith("0 records in "), err) == (True, b"")


async def test_the_end_of_standard_input_is_the_end_of_the_feed(broker: Broker, settings_for: SettingsFor) -> None:
    settings = settings_for(broker)
    await topics.create(settings)
    out, err = await asyncio.to_thread(start(settings, "-").communicate, b"\n".join(call.value for call in calls(500)), timeout=60)
    assert (out.decode().startswith("500 records in "), err) == (True, b"")
    assert len(await log_of(settings)) == 500


async def test_a_bad_line_stops_the_feed_with_code_1_and_its_place(broker: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    settings = settings_for(broker, clock="log")
    await topics.create(settings)
    path = tmp_path / "events.jsonl"
    path.write_bytes(calls(1)[0].value + b"\n")
    stopped = start(settings, str(path))
    _, err = await asyncio.to_thread(stopped.communicate, timeout=60)
    assert (stopped.returncode, "events.jsonl:1: no timestamp; historic time comes from the calls" in err.decode()) == (1, True)
    assert err.decode().splitlines()[-1] == f"stopped; nothing was written to {settings.names.events}"
    skipping = start(settings, str(path), "--skip-bad", "--until", "2024-01-01")
    out, _ = await asyncio.to_thread(skipping.communicate, timeout=60)
    assert (skipping.returncode, "1 bad line left out" in out.decode(), "a final tick in each of 2" in out.decode()) == (0, True, True)


async def test_ids_that_stand_for_nobody_are_fed_on_demand(broker: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    """Where the rules take them, some users are called so."""
    settings = settings_for(broker)
    await topics.create(settings)
    path = tmp_path / "null.jsonl"
    path.write_text('{"type":"track","userId":"Null","event":"E","messageId":"1"}\n')
    refused = start(settings, str(path))
    _, err = await asyncio.to_thread(refused.communicate, timeout=60)
    assert (refused.returncode, "feed with --placeholder-ids" in err.decode()) == (1, True)
    taken = start(settings, str(path), "--placeholder-ids")
    await asyncio.to_thread(taken.communicate, timeout=60)
    assert taken.returncode == 0


async def test_a_historic_log_gets_files_in_the_order_of_time_and_nothing_from_the_future(
    broker: Broker, settings_for: SettingsFor, tmp_path: Path
) -> None:
    settings = settings_for(broker, clock="log", partitions=1)
    await topics.create(settings)
    lines = [{**orjson.loads(call.value), "timestamp": iso(call.at or 0)} for call in calls(300)]
    lines.insert(7, {**lines[7], "n": -1, "timestamp": "2099-01-01T00:00:00Z"})
    first, second = tmp_path / "b.jsonl", tmp_path / "a.jsonl"
    first.write_bytes(b"\n".join(map(orjson.dumps, lines[:100:-1])))
    second.write_bytes(b"\n".join(map(orjson.dumps, lines[:101])))
    stopped = start(settings, str(first), str(second))
    _, err = await asyncio.to_thread(stopped.communicate, timeout=60)
    assert (stopped.returncode, "a.jsonl:8: 2099-01-01T00:00:00.000Z is later than now" in err.decode()) == (1, True)
    assert await log_of(settings) == []
    feeding = start(settings, str(first), str(second), "--skip-bad", "--after", "10")
    out, err = await asyncio.to_thread(feeding.communicate, timeout=60)
    assert feeding.returncode == 0, err
    assert [orjson.loads(record.value or b"")["n"] for _, record in await log_of(settings)] == list(range(10, 300))
    assert "  299 of 300 calls came after a later one, by up to 4m 59s; sorted by time" in out.decode().splitlines()
    assert "  1 bad line left out, 1 of them later than 2" in out.decode()


async def test_a_feed_with_the_brokers_clock_into_a_historic_log_is_refused(broker: Broker, settings_for: SettingsFor) -> None:
    """Today's record would move the log's clock to today, for good."""
    settings = settings_for(broker, clock="log")
    await topics.create(settings)
    other = settings_for(broker, app=settings.app, prefix=settings.prefix)
    with pytest.raises(CannotFeed, match="Set CUELINE_CLOCK=log"):
        await feed(other, [[Call(None, b"ann", b"{}")]])
    assert {span.end for span in (await spans(settings, [settings.names.events])).values()} == {0}


async def test_a_feed_under_another_app_than_the_log_s_is_refused(broker: Broker, settings_for: SettingsFor) -> None:
    settings = settings_for(broker)
    await topics.create(settings)
    await control.go_live(settings)
    before = {span.end for span in (await spans(settings, [settings.names.events])).values()}
    other = settings_for(broker, app="other", prefix=settings.prefix)
    with pytest.raises(CannotFeed, match=f"is commanded by the app {settings.app}, and the app here is other: set CUELINE_APP"):
        await feed(other, [[Call(None, b"ann", b"{}")]])
    assert {span.end for span in (await spans(settings, [settings.names.events])).values()} == before


async def test_a_final_tick_of_the_future_is_refused(broker: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    """The log's clock would stay there permanently."""
    settings = settings_for(broker, clock="log")
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"")
    refused = start(settings, str(path), "--until", "2999-01-01")
    _, err = await asyncio.to_thread(refused.communicate, timeout=60)
    assert refused.returncode == 2
    assert "2999-01-01T00:00:00.000Z is later than now, which is 2" in err.decode()
