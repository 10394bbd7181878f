"""`cueline feed`: files of events into the topic `events`."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from streams.calls import BadLine, Call
from streams.cli.screen import Meter
from streams.cli.words import count_of, printable
from streams.clients import TopicMissing, Unreachable
from streams.feed import CannotFeed, Fed, Pace, feed
from streams.settings import load
from streams.sources import FORMATS, STDIN, Columns, Source, batches, read
from triggers.moments import iso, parse_moment

MOST_SHOWN = 20
"""How many bad lines are shown one by one."""

Files = Annotated[
    list[str], typer.Argument(metavar="FILE...", help="JSONL, CSV or CDNOW files, also .gz; - is standard input.", show_default=False)
]
Format = Annotated[
    str | None,
    typer.Option("--format", metavar="FORMAT", help=f"What the files hold: {', '.join(FORMATS)}. By default their names say it."),
]
User = Annotated[str, typer.Option(metavar="COLUMN", help="CSV: the column of the user id.")]
Event = Annotated[str, typer.Option(metavar="COLUMN", help="CSV: the column of the event's name.")]
Name = Annotated[str | None, typer.Option(metavar="NAME", help="CSV: the event that all lines are, where no column says it.")]
Timestamp = Annotated[str, typer.Option(metavar="COLUMN", help="CSV: the column of the moment, ISO 8601, UTC where it names no zone.")]
MessageId = Annotated[
    str, typer.Option(metavar="COLUMN", help="CSV: the column of the idempotency key; without one, file and line are it.")
]
Text = Annotated[
    list[str] | None,
    typer.Option(metavar="COLUMN", help="CSV: a column whose values stay text also where they look like numbers; repeatable."),
]
Identify = Annotated[bool, typer.Option("--identify", help="CSV: the lines are users and the columns their traits.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave bad lines out, and say which, instead of stopping at the first.")]
Until = Annotated[str | None, typer.Option(metavar="ISO", help="Let time go on to this moment (ISO 8601).", show_default=False)]


class Bad:
    """Says which lines are left out."""

    def __init__(self, *, skip: bool) -> None:
        self._skip = skip
        self.count = 0

    def __call__(self, bad: BadLine) -> None:
        if not self._skip:
            raise bad
        self.count += 1
        if self.count <= MOST_SHOWN:
            print(f"left out: {printable(str(bad))}", file=sys.stderr)
        elif self.count == MOST_SHOWN + 1:
            print("left out: more lines, which are only counted", file=sys.stderr)


class Reading:
    """The files one after the other, and how far they are read."""

    def __init__(self, files: list[str], format: str | None, columns: Columns, bad: Callable[[BadLine], None], *, timed: bool) -> None:  # noqa: A002
        if format not in (None, *FORMATS):
            raise typer.BadParameter(f"there is no format {format!r}; there are {', '.join(FORMATS)}", param_hint="--format")
        for file in files:
            _check(file)
        self._sources = [Source(file) for file in files]
        self._format, self._columns, self._bad, self._timed = format, columns, bad, timed
        self._read = 0
        self._ended = False
        self.size = sum(source.size for source in self._sources)
        self.is_repeatable = STDIN not in files
        """Whether the same files can be read again; of standard input what was read is gone."""

    def estimate(self, records: int) -> int:
        """How many records there will be, by how far the files are read; 0 where nobody knows."""
        if self._ended:
            return self._read
        done = sum(source.done for source in self._sources)
        return max(records, self._read) * self.size // done if 0 < done < self.size else 0

    def calls(self) -> Iterator[Call | None]:
        for source in self._sources:
            yield from read(source, format=self._format, columns=self._columns, timed=self._timed, bad=self._bad)

    def batches(self, after: int = 0) -> Iterator[list[Call]]:
        """The calls in lists, without the first ones."""
        for batch in batches(self.calls()):
            rest = batch[max(0, after - self._read) :]
            self._read += len(batch)
            if rest:
                yield rest
        self._ended = True


def _check(file: str) -> None:
    """Raises `BadParameter` where nothing can be read; what is no regular file (a pipe, as of `<(...)`) can."""
    if file == STDIN:
        return
    if not Path(file).exists():
        raise typer.BadParameter(f"there is no file {file}", param_hint="FILE")
    if Path(file).is_dir():
        raise typer.BadParameter(f"{file!r} is a folder; name the files in it", param_hint="FILE")


def columns_of(user: str, event: str, name: str | None, timestamp: str, message_id: str, text: list[str] | None, identify: bool) -> Columns:
    """What the options say of a CSV file."""
    return Columns(
        user=user, event=event, name=name, timestamp=timestamp, message_id=message_id, text=frozenset(text or ()), identify=identify
    )


def moment(text: str | None, option: str) -> int | None:
    """The moment that an option names."""
    try:
        return None if text is None else parse_moment(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}; write it as 2026-01-31T18:00:00Z", param_hint=option) from None


def feed_files(
    files: Files,
    format: Format = None,  # noqa: A002
    rate: Annotated[str | None, typer.Option(metavar="N/s", help="At most so many records a second, as 500/s.", show_default=False)] = None,
    speed: Annotated[
        str | None, typer.Option(metavar="Nx", help="As it happened, but so many times faster, as 3600x.", show_default=False)
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(help="Then a final tick of this moment (ISO 8601) into every partition; only with clock=log.", show_default=False),
    ] = None,
    after: Annotated[int, typer.Option(min=0, metavar="N", help="Leave out the first N records: a feed that was stopped has said N.")] = 0,
    skip_bad: SkipBad = False,
    user: User = Columns.user,
    event: Event = Columns.event,
    name: Name = None,
    timestamp: Timestamp = Columns.timestamp,
    message_id: MessageId = Columns.message_id,
    text: Text = None,
    identify: Identify = False,
) -> None:
    """Put events from files into the topic of events: Segment calls as JSONL, or CSV.

    Examples:

        cueline feed january.jsonl february.jsonl.gz
        tail -f app.log | cueline feed -
        cueline feed orders.csv --user customer --name "Order Completed" --timestamp ordered_at
        cueline feed users.csv --identify --user id
        cueline feed january.jsonl --speed 3600x
        cueline feed january.jsonl --after 184000
        CUELINE_CLOCK=log cueline feed CDNOW_master.txt --until 1998-07-01T00:00Z

    With clock=log a record carries the moment of its call, so that history drives the timers; otherwise it carries the broker's time.
    """
    settings = load()
    bad = Bad(skip=skip_bad)
    columns = columns_of(user, event, name, timestamp, message_id, text, identify)
    reading = Reading(files, format, columns, bad, timed=settings.clock == "log")
    pace = _pace(rate, speed)
    last = moment(until, "--until")
    fed = Fed()

    def note(now: Fed) -> None:
        nonlocal fed
        fed = now
        total = reading.estimate(now.records)
        meter(now.records, max(0, total - after), note="" if now.last is None else iso(now.last)[:16])

    try:
        with Meter("feeding", unit="records") as meter:
            fed = asyncio.run(feed(settings, reading.batches(after), pace=pace, until=last, progress=note))
    except (BadLine, CannotFeed) as error:
        print(printable(str(error)), file=sys.stderr)
        _say_how_far(fed, after, settings.names.events, again=reading.is_repeatable)
        raise typer.Exit(1) from None
    except (TopicMissing, Unreachable):  # it never began
        raise
    except BaseException:
        _say_how_far(fed, after, settings.names.events, again=reading.is_repeatable)
        raise
    _report(fed, bad.count)


def _say_how_far(fed: Fed, after: int, topic: str, *, again: bool) -> None:
    """What stands in the log of a feed that was stopped, and how to go on; `again`: what it read can be read again."""
    if fed.unsure:
        print(
            f"stopped; {count_of(fed.records, 'record')} are in {topic} for certain, and perhaps some of the {fed.unsure:,} that were on "
            "their way; whoever feeds them again writes them twice, which harms no event that has a messageId",
            file=sys.stderr,
        )
        return
    if not fed.records:
        print(f"stopped; nothing was written to {topic}", file=sys.stderr)
        return
    which = "the first record is" if fed.records == 1 else f"the first {fed.records:,} records are"
    if after:
        which = f"{count_of(fed.records, 'record')} after the first {after:,} {'is' if fed.records == 1 else 'are'}"
    print(f"stopped; {which} in {topic} already" + (f"; --after {after + fed.records} goes on there" if again else ""), file=sys.stderr)


def _pace(rate: str | None, speed: str | None) -> Pace | None:
    if rate is None and speed is None:
        return None
    return Pace(rate=_number(rate, "/s", "--rate", "500/s"), speed=_number(speed, "x", "--speed", "3600x"))


def _number(text: str | None, unit: str, option: str, example: str) -> float | None:
    if text is None:
        return None
    match = re.fullmatch(rf"([0-9]+(\.[0-9]+)?)({re.escape(unit)})?", text.strip())
    if match is None or float(match[1]) <= 0:
        raise typer.BadParameter(f"{text!r} is not such as {example}", param_hint=option)
    return float(match[1])


def _report(fed: Fed, skipped: int) -> None:
    rate = f", {fed.records / fed.seconds:,.0f}/s" if fed.seconds > 0.1 else ""
    print(f"{count_of(fed.records, 'record')} in {fed.seconds:.1f} s{rate}")
    if fed.first is not None and fed.last is not None:
        print(f"  from {_shown(fed.first)} to {_shown(fed.last)}")
    if fed.backward:
        print(f"  earlier than one before them in their partition: {fed.backward:,}; the rules see them late")
    if fed.ticks:
        print(f"  a final tick in each of {count_of(fed.ticks, 'partition')}")
    if skipped:
        print(f"  {count_of(skipped, 'bad line')} left out")


def _shown(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
