"""`cueline feed`: write files of events into the topic `events`."""

from __future__ import annotations

import asyncio
import re
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from streams.cli.files import (
    Bad,
    Batch,
    Empty,
    Event,
    Files,
    Format,
    Identify,
    MessageId,
    Name,
    Now,
    Reading,
    Received,
    Separator,
    SkipBad,
    Text,
    Timestamp,
    User,
    bad_lines,
    columns_of,
    moment,
    out_of_order,
)
from streams.cli.screen import Meter
from streams.cli.words import count_of, printable
from streams.ingest.calls import BadLine
from streams.ingest.feed import CannotFeed, Fed, Pace, feed
from streams.ingest.ordering import NoRoom, Order, Present
from streams.ingest.sources import STDIN
from streams.kafka.clients import TopicMissing, Unreachable
from streams.settings import load
from triggers.base.moments import iso


def feed_files(
    files: Files,
    format: Format = None,  # noqa: A002
    rate: Annotated[
        str | None, typer.Option(metavar="N/s", help="At most this many records a second, for example 500/s.", show_default=False)
    ] = None,
    speed: Annotated[
        str | None,
        typer.Option(metavar="Nx", help="In the original rhythm, but this many times faster, for example 3600x.", show_default=False),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            help="Then write a final tick of this moment (ISO 8601) into every partition; only with clock=log.", show_default=False
        ),
    ] = None,
    after: Annotated[int, typer.Option(min=0, metavar="N", help="Skip the first N records. A feed that was stopped has printed N.")] = 0,
    skip_bad: SkipBad = False,
    placeholder_ids: Annotated[
        bool, typer.Option("--placeholder-ids", help="Accept ids such as undefined, for rules with placeholder_ids: accept.")
    ] = False,
    now: Now = None,
    user: User = None,
    event: Event = None,
    name: Name = None,
    timestamp: Timestamp = None,
    received: Received = None,
    message_id: MessageId = None,
    text: Text = None,
    identify: Identify = False,
    empty: Empty = None,
    separator: Separator = None,
    batch: Batch = None,
) -> None:
    """Write events from files into the topic of events: Segment calls as JSONL, or CSV.

    Examples:

        cueline feed january.jsonl february.jsonl.gz
        tail -f app.log | cueline feed -
        cueline feed orders.csv --user customer --name "Order Completed" --timestamp ordered_at
        cueline feed users.csv --identify --user id
        cueline feed january.jsonl --speed 3600x
        cueline feed january.jsonl --after 184000
        CUELINE_CLOCK=log cueline feed CDNOW_master.txt --until 1998-07-01T00:00Z

    With clock=log a record carries the moment of its call, so that history drives the timers. Files are then sorted by time; standard input
    keeps its order. Otherwise a record carries the broker's time.
    """
    settings = load()
    bad = Bad(skip=skip_bad)
    columns = columns_of(
        user=user,
        event=event,
        name=name,
        timestamp=timestamp,
        received=received,
        message_id=message_id,
        text=text,
        identify=identify,
        empty=empty,
        separator=separator,
        batch=batch,
    )
    historic = settings.clock == "log"
    if now is not None and not historic:
        raise typer.BadParameter("with clock=broker, the broker sets the time", param_hint="--now")
    meter = Meter("feeding", unit="records")
    present = Present(moment(now, "--now")) if historic else None
    order = Order(on_progress=meter.sorting) if historic and STDIN not in files else None
    reading = Reading(files, format, columns, bad, present=present, order=order, placeholders=placeholder_ids)
    pace = _pace(rate, speed)
    last = moment(until, "--until")
    if present is not None and last is not None and present.is_before(last):
        what = f"{iso(last)} is later than now, which is {iso(present.at)}: the log's clock would stay there permanently"
        raise typer.BadParameter(f"{what}; --now sets the present", param_hint="--until")
    fed = Fed()

    def note(latest: Fed) -> None:
        nonlocal fed
        fed = latest
        total = reading.estimate(latest.records)
        meter(latest.records, max(0, total - after), note="" if latest.last is None else iso(latest.last)[:16])

    try:
        with meter:
            fed = asyncio.run(feed(settings, reading.batches(after), pace=pace, until=last, progress=note))
    except (BadLine, CannotFeed, NoRoom) as error:
        print(printable(str(error)), file=sys.stderr)
        _say_how_far(fed, after, settings.names.events, again=reading.is_repeatable)
        raise typer.Exit(1) from None
    except (TopicMissing, Unreachable):  # it never began
        raise
    except BaseException:
        _say_how_far(fed, after, settings.names.events, again=reading.is_repeatable)
        raise
    _report(fed)
    if order is not None and order.backward:
        print(f"  {out_of_order(order)}")
    if bad.count:
        print(f"  {bad_lines(bad.count, present)}")


def _say_how_far(fed: Fed, after: int, topic: str, *, again: bool) -> None:
    """Report which records of a stopped feed are in the log, and how to continue. `again`: the input can be read again."""
    if fed.unsure:
        print(
            f"stopped; {count_of(fed.records, 'record')} are in {topic}, and perhaps some of the {fed.unsure:,} that were on "
            "their way; feeding them again writes them twice, which does no harm to events with a messageId",
            file=sys.stderr,
        )
        return
    if not fed.records:
        print(f"stopped; nothing was written to {topic}", file=sys.stderr)
        return
    which = "the first record is" if fed.records == 1 else f"the first {fed.records:,} records are"
    if after:
        which = f"{count_of(fed.records, 'record')} after the first {after:,} {'is' if fed.records == 1 else 'are'}"
    print(f"stopped; {which} in {topic} already" + (f"; --after {after + fed.records} continues there" if again else ""), file=sys.stderr)


def _pace(rate: str | None, speed: str | None) -> Pace | None:
    if rate is None and speed is None:
        return None
    return Pace(rate=_number(rate, "/s", "--rate", "500/s"), speed=_number(speed, "x", "--speed", "3600x"))


def _number(text: str | None, unit: str, option: str, example: str) -> float | None:
    if text is None:
        return None
    match = re.fullmatch(rf"([0-9]+(\.[0-9]+)?)({re.escape(unit)})?", text.strip())
    if match is None or float(match[1]) <= 0:
        raise typer.BadParameter(f"{text!r} is not a value such as {example}", param_hint=option)
    return float(match[1])


def _report(fed: Fed) -> None:
    rate = f", {fed.records / fed.seconds:,.0f}/s" if fed.seconds > 0.1 else ""
    print(f"{count_of(fed.records, 'record')} in {fed.seconds:.1f} s{rate}")
    if fed.first is not None and fed.last is not None:
        print(f"  from {_shown(fed.first)} to {_shown(fed.last)}")
    if fed.backward:
        print(f"  earlier than one before them in their partition: {fed.backward:,}; to the rules they are late")
    if fed.ticks:
        print(f"  a final tick in each of {count_of(fed.ticks, 'partition')}")


def _shown(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
