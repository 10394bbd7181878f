"""`cueline replay`: compute in virtual time what the rules would decide, or did decide."""

from __future__ import annotations

import asyncio
import gc
import sys
from contextlib import nullcontext
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from streams.browse.folding import Replayed
from streams.browse.replay import replay_calls, replay_topic
from streams.browse.trying import AsOfWhen
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
    Now,
    Reading,
    Received,
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
from streams.cli.trial import Counter, Printer, Summary
from streams.cli.words import count_of, printable
from streams.commands.log_history import CannotReplay
from streams.commands.snapshot import BadSnapshot
from streams.ingest.calls import BadLine
from streams.ingest.ordering import NoRoom, Order, Present
from streams.settings import load
from triggers.definitions.model import RuleSet


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
    as_of: Annotated[
        str | None,
        typer.Option(
            metavar="ISO|now",
            help="With --topic and --rules: apply the rules at this moment, as `cueline apply` would, and show what comes then.",
            show_default=False,
        ),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="current", help="With --topic: decide by this release also what another engine has decided.", show_default=False
        ),
    ] = None,
    snapshot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --topic: begin with the copy that `cueline upgrade` made.", show_default=False),
    ] = None,
    until: Until = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write decisions, actions and dead letters to this file, as --json does.", show_default=False),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, one object a line: decisions, actions, dead letters, and the summary at the end.")
    ] = False,
    summary: Annotated[bool, typer.Option("--summary", help="Print only the summary.")] = False,
    states: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write every user's state at the end: user id, SHA-256 and bytes, as JSON lines.", show_default=False
        ),
    ] = None,
    format: Format = None,  # noqa: A002
    skip_bad: SkipBad = False,
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
    """Run the engine in virtual time, over files or over the live log, and show what it decides. It writes nothing to Kafka.

    Examples:

        cueline replay january.jsonl --rules rules/
        cueline replay january.jsonl --rules rules/ --until 2026-03-01 --out decisions.jsonl
        cueline replay --topic --summary
        cueline replay --topic --rules new-rules/ --json | jq 'select(.value.kind == "sent")'
        cueline replay --topic --rules new-rules/ --as-of 2026-03-01 --until 2026-04-01

    Over files, the rules are applied and live at the beginning; each call must have a timestamp. Over the log, everything is as it was:
    commands, rule sets and overrides. With --rules these rules apply from the beginning instead, with --as-of from that moment on. It
    refuses a log that has lost its beginning, and a log that another engine decided, in whole or in part (exit code 1). With --engine
    current this release decides the whole log. With --snapshot the replay begins with the copy of `cueline upgrade`.
    """
    if bool(files) == topic:
        raise typer.BadParameter("name files, or give --topic for the live log")
    if files and rules is None:
        raise typer.BadParameter("files need rules: --rules RULES", param_hint="--rules")
    if engine not in (None, "current"):
        raise typer.BadParameter("a release has one engine: say current", param_hint="--engine")
    if (engine or snapshot) and (files or rules is not None):
        raise typer.BadParameter("they are for the log as it was decided: say --topic, without --rules", param_hint="--engine, --snapshot")
    last = moment(until, "--until")
    when = _as_of(as_of, last, possible=topic and rules is not None)
    rule_set = None if rules is None else read_rules(rules)
    bad = Bad(skip=skip_bad)
    reading = order = None
    if now is not None and not files:
        raise typer.BadParameter("records of the log have their own time; it applies only to files", param_hint="--now")
    meter = Meter("replaying", unit="records")
    present = Present(moment(now, "--now"))
    if files:
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
        order = Order(on_progress=meter.sorting)
        reading = Reading(
            files, format, columns, bad, present=present, order=order, placeholders=rule_set is not None and rule_set.placeholder_ids
        )
    gc.freeze()  # loaded objects stay, and states hold no cycles: searching for cycles costs a fifth of the time
    gc.set_threshold(200_000, 20, 20)
    try:
        with nullcontext(sys.stdout.buffer) if out is None else out.open("wb") as to:
            sink = Counter() if summary and out is None else Printer(to, as_json=as_json or out is not None)
            with meter:
                how = {"any_engine": engine == "current", "copy": snapshot}
                replayed = _run(meter, reading, rule_set, when, last, sink, how, states=states is not None)
            to.flush()
    except (BadLine, BadSnapshot, CannotReplay, NoRoom) as error:
        print(printable(str(error)), file=sys.stderr)
        raise typer.Exit(1) from None
    if states is not None:
        _write_states(states, replayed)
    came = Summary(replayed, sink, bad.count, present if files else None, order)
    if as_json:
        print(orjson.dumps(came.document()).decode())
    else:
        # Lines in a pipe are for the next program; the person still sees the summary.
        to_stderr = out is None and not summary and not sys.stdout.isatty()
        print("\n".join(came.lines()), file=sys.stderr if to_stderr else sys.stdout)


def _as_of(text: str | None, until: int | None, *, possible: bool) -> AsOfWhen | None:
    """Return the moment that --as-of names."""
    if text is None:
        return None
    if not possible:
        raise typer.BadParameter("it says when to apply rules to the live log: it needs --topic and --rules", param_hint="--as-of")
    if text == "now":
        return "now"
    at = moment(text, "--as-of")
    if at is not None and until is not None and until < at:
        raise typer.BadParameter("--until is before it, so nothing would come after it", param_hint="--as-of")
    return at


def _run(
    meter: Meter,
    reading: Reading | None,
    rules: RuleSet | None,
    as_of: AsOfWhen | None,
    until: int | None,
    sink: Printer | Counter,
    how: dict[str, Any],
    *,
    states: bool,
) -> Replayed:
    def progress(done: int, total: int) -> None:
        meter(done, total or (reading.estimate(done) if reading else 0), note=count_of(sink.actions, "action"))

    if reading is None:
        return asyncio.run(replay_topic(load(), rules=rules, as_of=as_of, until=until, sink=sink, states=states, progress=progress, **how))
    assert rules is not None
    return replay_calls(reading.calls(), rules, until=until, sink=sink, states=states, progress=progress)


def _write_states(path: Path, replayed: Replayed) -> None:
    with path.open("wb") as to:
        for user, state in sorted(replayed.states.items()):
            to.write(orjson.dumps({"user": user, "sha256": sha256(state).hexdigest(), "bytes": len(state)}) + b"\n")
