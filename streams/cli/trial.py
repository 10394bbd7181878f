"""The output of `cueline replay` for a trial: decisions, actions and dead letters as they come, and at the end a summary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO, Any, Final, NamedTuple

import orjson

from streams.browse.event_counts import EventNames
from streams.browse.folding import Replayed
from streams.cli.files import bad_lines, out_of_order
from streams.cli.lines import as_json, of_decision
from streams.cli.shapes import typed, unwritten
from streams.cli.words import count_of, printable
from streams.ingest.ordering import Order, Present
from triggers.base.model import Out
from triggers.base.moments import iso
from triggers.engine.interface import Output
from triggers.records.lines import FILE_HEADER, LINE_HEADER, dead_letter_words, text_of, value_of

MOST_LISTED: Final = 10
"""Names and windows that the summary lists."""


class Printer:
    """Writes the output as text lines, or as JSON: decisions, actions and dead letters as `inspect --json` shows them."""

    def __init__(self, to: IO[bytes], *, as_json: bool) -> None:
        self._to = to
        self._as_json = as_json
        self.actions = self.decisions = self.dead_letters = 0

    def __call__(self, partition: int, output: Output) -> None:
        self.actions += len(output.actions)
        self.decisions += len(output.decisions)
        self.dead_letters += len(output.dead_letters)
        if self._as_json:
            lines = [_record("decision", partition, out) for out in output.decisions]
            lines += [_record("action", partition, out) for out in output.actions]
            lines += [as_json(_dead_record(partition, out)).encode() for out in output.dead_letters]
        else:
            lines = [of_decision(orjson.loads(out.value or b"{}")).encode() for out in output.decisions]
            lines += [printable(f"dead letter: {dead_letter_words(_headers(out))}").encode() for out in output.dead_letters]
        if lines:
            self._to.write(b"\n".join(lines) + b"\n")


def _record(kind: str, partition: int, out: Out) -> bytes:
    """Return one line of JSON; the value is JSON already."""
    return orjson.dumps(unwritten(kind, partition, out.key, out.headers, orjson.Fragment(out.value or b"null")))


def _dead_record(partition: int, out: Out) -> dict[str, Any]:
    """Return a dead letter; if it comes from a file, with file and line."""
    said = _headers(out)
    headers = [(name, value) for name, value in out.headers if name not in {FILE_HEADER, LINE_HEADER}]
    found = unwritten("dead-letter", partition, out.key, headers, value_of(out.value))
    return {**found, "file": said[FILE_HEADER], "line": int(said[LINE_HEADER])} if FILE_HEADER in said else found


def _headers(out: Out) -> dict[str, str]:
    return {name: text_of(value) or "" for name, value in out.headers}


class Counter:
    """Counts, and shows nothing."""

    def __init__(self) -> None:
        self.actions = self.decisions = self.dead_letters = 0

    def __call__(self, partition: int, output: Output) -> None:  # noqa: ARG002
        self.actions += len(output.actions)
        self.decisions += len(output.decisions)
        self.dead_letters += len(output.dead_letters)


class Summary(NamedTuple):
    """The result of a trial."""

    replayed: Replayed
    sink: Printer | Counter
    bad_lines: int
    present: Present | None = None
    """For files: the present."""
    order: Order | None = None
    """For files: how far they were from the order of time."""

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        replayed, sink, order, present = self.replayed, self.sink, self.order, self.present
        document = {
            "events": replayed.events,
            "duplicates": replayed.duplicates,
            "users": replayed.users,
            "seconds": round(replayed.seconds, 3),
            "events_per_second": round(_rate(replayed)),
            "rules_since": _iso(replayed.since),
            "as_of": _iso(replayed.as_of),
            "events_before": replayed.events_before,
            "applies_left_out": replayed.applies_left_out,
            "incomplete": replayed.incomplete,
            "unknown_events": replayed.names.unknown(),
            "unseen_events": replayed.names.unseen(),
            "clock": None if replayed.clock < 0 else iso(replayed.clock),
            "actions": sink.actions,
            "decisions": sink.decisions,
            "dead_letters": sink.dead_letters,
            "bad_lines": self.bad_lines,
            "now": None if present is None else iso(present.at),
            "later_than_now": 0 if present is None else present.beyond,
            "later_than_until": replayed.left_out,
            "out_of_order": 0 if order is None else order.backward,
            "out_of_order_by_ms": 0 if order is None else order.furthest,
            "journeys": by_journey(replayed),
        }
        return typed("summary", document)

    def lines(self) -> Iterator[str]:
        """Yield it as lines for a person."""
        replayed, sink = self.replayed, self.sink
        users, events = count_of(replayed.users, "user"), count_of(replayed.events, "event")
        yield f"{events} of {users} in {replayed.seconds:.1f} s, {_rate(replayed):,.0f}/s"
        came = (count_of(sink.actions, "action"), count_of(sink.decisions, "decision"), count_of(sink.dead_letters, "dead letter"))
        yield f"{', '.join(came)}, {count_of(replayed.duplicates, 'duplicate')}"
        for journey, kinds in by_journey(replayed).items():
            yield f"  {journey:<20} {', '.join(f'{count:,} {kind}' for kind, count in kinds.items())}"
        yield from self._ground()
        yield from _names(replayed.names)
        if self.order is not None and self.order.backward:
            yield f"  {out_of_order(self.order)}"
        if self.bad_lines:
            yield f"  {bad_lines(self.bad_lines, self.present)}"
        if replayed.left_out:
            yield f"  {count_of(replayed.left_out, 'event')} later than --until left out"
        if replayed.waiting:
            yield f"the time is {iso(replayed.clock)}; some users still wait for something (--until lets time pass)"

    def _ground(self) -> Iterator[str]:
        """Say where the rules are applied, and what that means for the windows."""
        replayed = self.replayed
        incomplete = replayed.incomplete
        if replayed.since is not None:
            now = f"; an apply now would begin with {count_of(len(incomplete), 'incomplete window')}: see --as-of" if incomplete else ""
            yield f"as if the rules had been active since {iso(replayed.since)}: every window is complete here{now}"
        if replayed.as_of is not None:
            yield f"as if the rules had been applied at {iso(replayed.as_of)}; {count_of(replayed.events_before, 'event')} came before"
            if replayed.is_dry_there:
                yield "  the log was not live then: what would be sent is dry"
            if replayed.applies_left_out:
                yield f"  {count_of(replayed.applies_left_out, 'later apply', 'later applies')} of the log left out"
            yield from (f"  {line}" for line in incomplete[:MOST_LISTED])
            if len(incomplete) > MOST_LISTED:
                yield f"  ! {len(incomplete) - MOST_LISTED:,} more windows start incomplete"


def _iso(at: int | None) -> str | None:
    return None if at is None else iso(at)


def _names(names: EventNames) -> Iterator[str]:
    """Yield which events no rule knows, and which of the rules never came."""

    def listed(found: Sequence[str]) -> str:
        shown = [f"{name} (as {near}?)" if (near := names.near(name)) else name for name in found[:MOST_LISTED]]
        return ", ".join(shown) + (f" and {len(found) - MOST_LISTED:,} more" if len(found) > MOST_LISTED else "")

    unknown = names.unknown()
    if unknown:
        yield printable(f"  no rule knows: {listed(list(unknown))}")
    if unseen := names.unseen():
        yield printable(f"  in the rules, and never seen here: {listed(unseen)}")
    if names.is_full:
        yield f"  there were more than {len(names.counts):,} names of events: the others are not counted"


def _rate(replayed: Replayed) -> float:
    return replayed.events / replayed.seconds if replayed.seconds else 0.0


def by_journey(replayed: Replayed) -> dict[str, dict[str, int]]:
    """Return how often each kind of decision came out, by journey."""
    journeys: dict[str, dict[str, int]] = {}
    for (kind, journey), count in sorted(replayed.counts.items(), key=lambda item: (item[0][1], item[0][0])):
        if kind != "dead letter" and journey:
            journeys.setdefault(journey, {})[kind] = count
    return journeys
