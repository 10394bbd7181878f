"""The same decisions again, in virtual time: the engine over files, or over the live log, without a worker and without writing to Kafka.

Over files the rules are applied, and live, at the beginning; a record's time is its call's, and a dead letter names its file and line.
Over the log everything is as it was: the commands at their places, their rule sets and the overrides from the topic `rules`, the log's
epoch from the position in the changelog. So the actions are those that the workers have put out, byte for byte, and the states those in the
changelog; `tests/crash` holds them against each other. `streams.browse.trying` says how rules of one's own are put into a log.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING

from aiokafka import TopicPartition

from streams.browse.folding import Fold, Progress, Replayed, Sink, quiet, take_in
from streams.browse.trying import AsItWas, AsOf, AsOfWhen, FromTheStart, Incomplete, moment_of
from streams.commands.log_history import CannotReplay, Log
from streams.kafka.clients import Truncated, read
from streams.kafka.records import Unreadable
from streams.kafka.skips import remedy
from triggers.base.model import Place
from triggers.engine import driver
from triggers.engine.partition import Partition
from triggers.journeys.library import Library
from triggers.records.control import tick
from triggers.records.events import control_kind
from triggers.state.position import Position
from triggers.state.table import Table

if TYPE_CHECKING:
    from pathlib import Path

    from streams.ingest.calls import Call
    from streams.settings import Settings
    from triggers.definitions.model import RuleSet

# ---- files -----------------------------------------------------------------------------------------------------------


def replay_calls(
    calls: Iterable[Call | None],
    rules: RuleSet,
    *,
    topic: str = "events",
    until: int | None = None,
    sink: Sink | None = None,
    states: bool = False,
    progress: Progress = quiet,
) -> Replayed:
    """Folds the calls as one partition, in their order, under these rules from the beginning.

    `until`: leaves out what is later, and lets time pass up to that moment. Every call must have its moment.
    """
    replayed = Replayed()
    partition = Partition(Place(topic, 0), Table(), Library([rules]), Position(offset=driver.BEFORE_THE_LOG))
    fold = Fold(partition, replayed, sink)
    begun: float | None = None
    iterator = iter(calls)
    while chunk := list(islice(iterator, driver.SLICE)):
        begun = begun or time.perf_counter()
        there = [call for call in chunk if call is not None and call.at is not None]
        wanted = there if until is None else [call for call in there if (call.at or 0) <= until]
        replayed.left_out += len(there) - len(wanted)
        if wanted:
            if replayed.since is None:
                replayed.since = wanted[0].at or 0
                fold.go_live(rules, replayed.since)
            fold.fold_lines(wanted, replayed.records)
        replayed.records += len(wanted)
        progress(replayed.records + replayed.left_out, 0)
    if until is not None:
        if replayed.since is None:
            replayed.since = until
            fold.go_live(rules, until)
        fold.fold([tick(replayed.records, until)])
    fold.finish()
    take_in(replayed, fold, states=states)
    replayed.seconds = 0.0 if begun is None else time.perf_counter() - begun
    return replayed


# ---- the live log ----------------------------------------------------------------------------------------------------


async def replay_topic(
    settings: Settings,
    *,
    rules: RuleSet | None = None,
    as_of: AsOfWhen | None = None,
    until: int | None = None,
    sink: Sink | None = None,
    states: bool = False,
    progress: Progress = quiet,
    any_engine: bool = False,
    copy: Path | None = None,
) -> Replayed:
    """Folds the committed log of every partition, up to what is stable now.

    Parts that another engine decided are refused, without `any_engine`. `copy`: a file of `cueline upgrade` to begin with.

    With `rules` these are applied, and live, at the beginning, and the log's own commands left out; with `as_of` too, the log is folded
    with its own commands, and these rules are applied at that moment; what comes before is not shown.
    `until`: leaves out what is later, and lets time pass up to that moment. Raises `CannotReplay`, `TopicMissing` and `Unreachable`.
    """
    begun = time.perf_counter()
    replayed = Replayed()
    log = await Log.look(settings, copy)
    if rules is None and not any_engine:
        log.check_engine()
    total = sum(span.end - span.begin for span in log.spans.values())
    windows = Incomplete(log.library)
    for partition in range(log.partitions):
        place, table, library, position, options = log.parts(partition, rules if as_of is None else None)
        start = position.offset + 1
        if rules is not None and as_of is None:
            position.offset = driver.BEFORE_THE_LOG
        fold = Fold(Partition(place, table, library, position, options), replayed, sink)
        way = AsItWas(fold)
        if rules is not None:
            way = FromTheStart(fold, rules) if as_of is None else AsOf(fold, rules, moment_of(settings, as_of))
        await _fold_topic(settings, log, way, fold, start, until, replayed, lambda: progress(replayed.records, total))
        take_in(replayed, fold, states=states)
        way.tell(replayed)
        windows.add(*(way.met if isinstance(way, AsOf) else log.in_force(partition)))
    if rules is not None:
        replayed.incomplete = windows.lines(rules, log.clock if replayed.as_of is None else replayed.as_of)
    replayed.seconds = time.perf_counter() - begun
    return replayed


async def _fold_topic(
    settings: Settings,
    log: Log,
    way: AsItWas,
    fold: Fold,
    start: int,
    until: int | None,
    replayed: Replayed,
    report: Callable[[], None],
) -> None:
    partition = fold.partition
    number = partition.place.partition
    span = log.spans[TopicPartition(partition.place.topic, number)]
    try:
        async for batch in read(settings, partition.place.topic, number, start=start, end=span.end, skips=log.skips(number)):
            if until is None:
                way.take(batch)
            else:
                # What an override lets pass is no later for its timestamp: that one was wrong.
                later = {record.offset for record in batch if record.timestamp > until} - partition.options.overrides
                way.take([record for record in batch if record.offset not in later])
                replayed.left_out += sum(record.offset in later and control_kind(record.headers) is None for record in batch)
            replayed.records += len(batch)
            report()
    except Truncated as error:
        raise CannotReplay(f"the log has lost its beginning: {error}. Its records decide what came after") from None
    except Unreadable as problem:
        raise CannotReplay(f"{problem}. {remedy(problem, partition.place.topic)}") from None
    partition.reach(span.end - 1)
    way.end(until)
    if until is not None:
        fold.fold([tick(span.end, until)])
    fold.finish()
