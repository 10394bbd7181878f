"""Compare the results with a replay of the same log: nothing missing, extra or repeated, and the same states.

Both sides are read as any consumer would read them (`read_committed`), partition by partition: which partition something came out at
is part of what must be right, and so is the order in which one user was decided about.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

import msgspec
import orjson

from streams.browse.replay import replay_topic
from streams.kafka.clients import read, spans
from streams.settings import Settings
from tests.crash.traffic import GHOST
from triggers.base.model import NEVER, Out, Record
from triggers.engine.interface import Output
from triggers.state.encoding import due_of
from triggers.state.position import POSITION_KEY, Position

SHOWN: Final = 4
"""How many of a kind of difference are shown with their context."""

Item = tuple[int, bytes | None, bytes | None, tuple[tuple[str, bytes], ...]]
"""One record of an output: partition, key, value, headers."""


@dataclass
class Outputs:
    """The contents of the topics, or the expected ones."""

    actions: list[Item] = field(default_factory=list)
    decisions: list[Item] = field(default_factory=list)
    dead_letters: list[Item] = field(default_factory=list)
    states: dict[tuple[int, bytes], bytes] = field(default_factory=dict)
    """Last value of each key of the changelog, the positions left out."""
    positions: dict[int, Position] = field(default_factory=dict)

    def change(self, partition: int, key: bytes | None, value: bytes | None) -> None:
        """Take in one record of the changelog."""
        assert key is not None
        if key == POSITION_KEY:
            assert value is not None
            self.positions[partition] = Position.decode(value)
        elif value is None:
            self.states.pop((partition, key), None)
        else:
            self.states[partition, key] = value

    def next_due(self) -> int:
        """The earliest moment at which a saved state has a timer, ms."""
        return min(map(due_of, self.states.values()), default=NEVER)


class Difference(NamedTuple):
    """Something that is not as it must be."""

    what: str
    """Missing, extra, repeated..., and of what."""
    how_many: int
    context: str
    """The first few, with all that the log and the topics hold of their users."""


@dataclass
class Verdict:
    """The result of a comparison; it is right if there are no differences."""

    got: Outputs
    wanted: Outputs
    events: int
    """Committed records in `events`."""
    differences: list[Difference] = field(default_factory=list)

    def count(self, what: str) -> int:
        """How many differences of one kind there are."""
        return sum(difference.how_many for difference in self.differences if difference.what.startswith(what))

    def __str__(self) -> str:
        return "\n".join(f"{d.how_many} {d.what}\n{d.context}" for d in self.differences) or "as it should be"


async def everything(settings: Settings, topic: str) -> dict[int, list[Record]]:
    """All committed records of a topic."""
    return {
        tp.partition: [record async for batch in read(settings, topic, tp.partition, end=span.end) for record in batch]
        for tp, span in (await spans(settings, [topic])).items()
    }


async def written(settings: Settings) -> Outputs:
    """What the workers have put out."""
    names, outputs = settings.names, Outputs()
    for topic, into in ((names.actions, outputs.actions), (names.decisions, outputs.decisions), (names.dead_letters, outputs.dead_letters)):
        for partition, records in (await everything(settings, topic)).items():
            into.extend(_items(partition, records))
    for partition, records in (await everything(settings, names.changelog)).items():
        for record in records:
            outputs.change(partition, record.key, record.value)
    return outputs


async def wanted(settings: Settings, *, any_engine: bool = False) -> Outputs:
    """What a replay of the log puts out."""
    outputs = Outputs()

    def take(partition: int, output: Output) -> None:
        outputs.actions += _items(partition, output.actions)
        outputs.decisions += _items(partition, output.decisions)
        outputs.dead_letters += _items(partition, output.dead_letters)
        for out in output.changelog:
            outputs.change(partition, out.key, out.value)

    await replay_topic(settings, sink=take, any_engine=any_engine)
    return outputs


def _items(partition: int, records: Iterable[Record | Out]) -> Iterator[Item]:
    return ((partition, record.key, record.value, tuple((name, value or b"") for name, value in record.headers)) for record in records)


def without_engine(outputs: Outputs) -> Outputs:
    """The same without what says who decided."""

    def plain(item: Item) -> Item:
        document = {name: part for name, part in orjson.loads(item[2] or b"{}").items() if name not in ("engine", "tzdata")}
        return item[0], item[1], orjson.dumps(document), item[3]

    positions = {number: msgspec.structs.replace(position, engine=0, tzdata="") for number, position in outputs.positions.items()}
    return replace(outputs, decisions=[plain(item) for item in outputs.decisions], positions=positions)


async def judge(settings: Settings, *, any_engine: bool = False) -> Verdict:
    """Compare everything; with `any_engine` without what says who decided, because other engines than ours have."""
    log = await everything(settings, settings.names.events)
    got, right = await written(settings), await wanted(settings, any_engine=any_engine)
    verdict = Verdict(got, right, sum(map(len, log.values())))
    if any_engine:
        verdict = Verdict(without_engine(got), without_engine(right), verdict.events)
    context = _Context(log, verdict)
    for kind in ("actions", "decisions", "dead_letters"):
        _compare(verdict, kind, getattr(verdict.got, kind), getattr(verdict.wanted, kind), context)
    _compare_states(verdict, context)
    _look_for_ghosts(verdict, log)
    return replace(verdict, got=got, wanted=right)


def _compare(verdict: Verdict, kind: str, got: list[Item], right: list[Item], context: "_Context") -> None:
    have, want = Counter(got), Counter(right)
    ids = Counter(dict(headers)["id"] for *_, headers in got) if kind == "actions" else Counter()
    found: dict[str, Iterable[Item]] = {
        f"missing {kind}": (want - have).elements(),
        f"extra {kind}": (have - want).elements(),
        f"repeated ids of {kind}": [item for item in have if kind == "actions" and ids[dict(item[3])["id"]] > 1],
    }
    if have == want:
        mine, theirs = _by_user(got), _by_user(right)
        found[f"users with {kind} in another order"] = [mine[user][0] for user in mine if mine[user] != theirs[user]]
    for what, items in found.items():
        listed = list(items)
        if listed:
            verdict.differences.append(Difference(what, len(listed), "\n".join(context.of(item) for item in listed[:SHOWN])))


def _by_user(items: Iterable[Item]) -> Mapping[tuple[int, bytes | None], list[Item]]:
    ordered: dict[tuple[int, bytes | None], list[Item]] = defaultdict(list)
    for item in items:
        ordered[item[0], item[1]].append(item)
    return ordered


def _compare_states(verdict: Verdict, context: "_Context") -> None:
    got, right = verdict.got, verdict.wanted
    differing = [place for place in sorted({*got.states, *right.states}) if got.states.get(place) != right.states.get(place)]
    if differing:
        shown = "\n".join(context.of((*place, None, ())) for place in differing[:SHOWN])
        verdict.differences.append(Difference("differing states", len(differing), shown))
    lines = [
        f"  partition {number}\n    saved:    {got.positions.get(number)}\n    replayed: {position}"
        for number, position in sorted(right.positions.items())
        if got.positions.get(number) != position
    ]
    if lines:
        verdict.differences.append(Difference("differing positions", len(lines), "\n".join(lines)))


def _look_for_ghosts(verdict: Verdict, log: Mapping[int, list[Record]]) -> None:
    """Check aborted records: no reader may have seen them, not even the replay."""
    got = verdict.got
    keys = [key for _, key, *_ in (*got.actions, *got.decisions, *got.dead_letters)]
    keys += [key for _, key in got.states] + [record.key for records in log.values() for record in records]
    ghosts = [key for key in keys if key is not None and key.startswith(GHOST.encode())]
    if ghosts:
        verdict.differences.append(Difference("traces of aborted records", len(ghosts), repr(ghosts[:SHOWN])))


class _Context:
    """Describe a difference by all that the log and both sides have about its user."""

    def __init__(self, log: Mapping[int, list[Record]], verdict: Verdict) -> None:
        self._log = log
        self._verdict = verdict

    def of(self, item: Item) -> str:
        partition, key, value, headers = item
        lines = [f"  partition {partition}, key {key!r}: {_short(value)} {dict(headers).get('reason', b'').decode()}"]
        own = [record for record in self._log[partition] if record.key == key]
        lines += [f"    log      {record.offset:>6} {record.timestamp} {_short(record.value)}" for record in own[-12:]]
        for side, outputs in (("got", self._verdict.got), ("wanted", self._verdict.wanted)):
            lines += [f"    {side:<8} {_decision(found[2])}" for found in outputs.decisions if found[:2] == (partition, key)][-12:]
            if key is not None:
                lines.append(f"    {side:<8} state {outputs.states.get((partition, key))!r}"[:600])
        return "\n".join(lines)


def _short(value: bytes | None) -> str:
    return "" if value is None else repr(value[:160])


def _decision(value: bytes | None) -> str:
    try:
        document: dict[str, Any] = orjson.loads(value or b"{}")
    except orjson.JSONDecodeError:
        return _short(value)
    return " ".join(f"{name}={document.get(name)}" for name in ("at", "kind", "journey", "step", "reason", "run"))
