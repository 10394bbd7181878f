"""`cueline replay`: what the rules would decide, or did decide, in virtual time."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from hashlib import sha256
from pathlib import Path
from typing import IO, Annotated, Any, TextIO

import orjson
import typer

from streams.calls import BadLine
from streams.cli.check import read_rules
from streams.cli.files import (
    Bad,
    Batch,
    Empty,
    Event,
    Format,
    Identify,
    MessageId,
    Name,
    Reading,
    Separator,
    SkipBad,
    Text,
    Timestamp,
    Until,
    User,
    columns_of,
    moment,
)
from streams.cli.screen import Meter
from streams.cli.words import count_of, printable
from streams.logbook import CannotReplay
from streams.replay import Replayed, replay_calls, replay_topic
from streams.settings import load
from triggers.moments import iso
from triggers.partition import Output
from triggers.rules.model import RuleSet


class Printer:
    """Writes decisions and actions as they come: readable lines, or their JSON as it would stand in the topics."""

    def __init__(self, to: IO[bytes], *, as_json: bool) -> None:
        self._to = to
        self._as_json = as_json
        self.actions = self.decisions = self.dead_letters = 0

    def __call__(self, partition: int, output: Output) -> None:
        self.actions += len(output.actions)
        self.decisions += len(output.decisions)
        self.dead_letters += len(output.dead_letters)
        if self._as_json:
            lines: Iterable[bytes] = [out.value or b"" for outs in (output.decisions, output.actions) for out in outs]
        else:
            lines = [_line(orjson.loads(out.value or b"{}")).encode() for out in output.decisions]
            lines += [
                f"dead letter: {dict(out.headers)['reason'].decode()} (partition {partition})".encode() for out in output.dead_letters
            ]
        if lines:
            self._to.write(b"\n".join(lines) + b"\n")


class Counter:
    """Counts, and shows nothing."""

    def __init__(self) -> None:
        self.actions = self.decisions = self.dead_letters = 0

    def __call__(self, partition: int, output: Output) -> None:  # noqa: ARG002
        self.actions += len(output.actions)
        self.decisions += len(output.decisions)
        self.dead_letters += len(output.dead_letters)


def _line(decision: dict[str, Any]) -> str:
    what = " ".join(str(part) for part in (decision["journey"], decision["step"], decision["reason"]) if part)
    return printable(f"{iso(decision['at'])}  {decision['user'] or '-':<16} {decision['kind']:<8} {what}")


def replay(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE...]", help="JSONL, CSV or CDNOW files, also .gz; - is standard input.", show_default=False),
    ] = None,
    topic: Annotated[bool, typer.Option("--topic", help="Replay the live log of events instead of files.")] = False,
    rules: Annotated[
        Path | None,
        typer.Option(metavar="RULES", help="The folder of rules; with --topic: instead of the commands in the log.", show_default=False),
    ] = None,
    until: Until = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write decisions and actions to this file, as JSON lines.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: decisions and actions a line each, at last the summary.")] = False,
    summary: Annotated[bool, typer.Option("--summary", help="Print nothing but the summary.")] = False,
    states: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write everybody's state at the end: user id, SHA-256 and size, as JSON lines.", show_default=False
        ),
    ] = None,
    format: Format = None,  # noqa: A002
    skip_bad: SkipBad = False,
    user: User = None,
    event: Event = None,
    name: Name = None,
    timestamp: Timestamp = None,
    message_id: MessageId = None,
    text: Text = None,
    identify: Identify = False,
    empty: Empty = None,
    separator: Separator = None,
    batch: Batch = None,
) -> None:
    """Run the engine in virtual time, over files or over the live log, and show what it decides. Nothing is written to Kafka.

    Examples:

        cueline replay january.jsonl --rules rules/
        cueline replay january.jsonl --rules rules/ --until 2026-03-01 --out decisions.jsonl
        cueline replay --topic --summary
        cueline replay --topic --rules new-rules/ --json | jq 'select(.kind == "sent")'

    Over files the rules are applied, and live, at the beginning; each call must have a timestamp. Over the log everything is as it was:
    commands, rule sets and overrides. A log that has lost its beginning is refused (exit code 1).
    """
    if bool(files) == topic:
        raise typer.BadParameter("name files, or say --topic for the live log")
    if files and rules is None:
        raise typer.BadParameter("files need rules: --rules RULES", param_hint="--rules")
    last = moment(until, "--until")
    rule_set = None if rules is None else read_rules(rules)
    bad = Bad(skip=skip_bad)
    reading = None
    if files:
        columns = columns_of(
            user=user,
            event=event,
            name=name,
            timestamp=timestamp,
            message_id=message_id,
            text=text,
            identify=identify,
            empty=empty,
            separator=separator,
            batch=batch,
        )
        reading = Reading(files, format, columns, bad, timed=True)
    gc.freeze()  # what is loaded by now stays, and the states to come hold no cycles: looking for some costs a fifth
    gc.set_threshold(200_000, 20, 20)
    try:
        with nullcontext(sys.stdout.buffer) if out is None else out.open("wb") as to:
            sink = Counter() if summary and out is None else Printer(to, as_json=as_json or out is not None)
            replayed = _run(reading, rule_set, last, sink, states=states is not None)
            to.flush()
    except (BadLine, CannotReplay) as error:
        print(printable(str(error)), file=sys.stderr)
        raise typer.Exit(1) from None
    if states is not None:
        _write_states(states, replayed)
    if as_json:
        print(orjson.dumps({"summary": _document(replayed, sink, bad.count)}).decode())
    else:
        # Lines in a pipe are for the next program; a person still sees what it came to.
        beside = out is None and not summary and not sys.stdout.isatty()
        _report(replayed, sink, bad.count, sys.stderr if beside else sys.stdout)


def _run(reading: Reading | None, rules: RuleSet | None, until: int | None, sink: Printer | Counter, *, states: bool) -> Replayed:
    with Meter("replaying", unit="records") as meter:

        def progress(done: int, total: int) -> None:
            meter(done, total or (reading.estimate(done) if reading else 0), note=count_of(sink.actions, "action"))

        if reading is None:
            return asyncio.run(replay_topic(load(), rules=rules, until=until, sink=sink, states=states, progress=progress))
        assert rules is not None
        return replay_calls(reading.calls(), rules, until=until, sink=sink, states=states, progress=progress)


def _write_states(path: Path, replayed: Replayed) -> None:
    with path.open("wb") as to:
        for user, state in sorted(replayed.states.items()):
            to.write(orjson.dumps({"user": user, "sha256": sha256(state).hexdigest(), "size": len(state)}) + b"\n")


def _document(replayed: Replayed, sink: Printer | Counter, skipped: int) -> dict[str, Any]:
    return {
        "events": replayed.events,
        "duplicates": replayed.duplicates,
        "users": replayed.users,
        "seconds": round(replayed.seconds, 3),
        "events_per_second": round(_rate(replayed)),
        "clock": None if replayed.clock < 0 else iso(replayed.clock),
        "actions": sink.actions,
        "decisions": sink.decisions,
        "dead_letters": sink.dead_letters,
        "bad_lines": skipped,
        "journeys": by_journey(replayed),
    }


def _rate(replayed: Replayed) -> float:
    return replayed.events / replayed.seconds if replayed.seconds else 0.0


def _report(replayed: Replayed, sink: Printer | Counter, skipped: int, to: TextIO) -> None:
    came = (count_of(sink.actions, "action"), count_of(sink.decisions, "decision"), count_of(sink.dead_letters, "dead letter"))
    lines = [
        f"{count_of(replayed.events, 'event')} of {count_of(replayed.users, 'user')} in {replayed.seconds:.1f} s, {_rate(replayed):,.0f}/s",
        f"{', '.join(came)}, {count_of(replayed.duplicates, 'duplicate')}",
    ]
    for journey, kinds in by_journey(replayed).items():
        lines.append(f"  {journey:<20} {', '.join(f'{count:,} {kind}' for kind, count in kinds.items())}")
    if skipped:
        lines.append(f"  {count_of(skipped, 'bad line')} left out")
    if replayed.waiting:
        lines.append(f"time stands at {iso(replayed.clock)}; some users still wait for something (--until lets time go on)")
    print("\n".join(lines), file=to)


def by_journey(replayed: Replayed) -> dict[str, dict[str, int]]:
    """How often each kind of decision came out, by journey."""
    journeys: dict[str, dict[str, int]] = {}
    for (kind, journey), count in sorted(replayed.counts.items(), key=lambda item: (item[0][1], item[0][0])):
        if kind != "dead letter" and journey:
            journeys.setdefault(journey, {})[kind] = count
    return journeys
