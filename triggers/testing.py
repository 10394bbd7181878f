"""Rules tried in virtual time: given records at times, expect decisions. Months run in milliseconds.

    story = Story({"rules.yaml": text}, start="2026-01-01T00:00Z")
    story.track("ann", "Signed Up", at="2026-01-01T09:00Z")
    story.until("2026-01-05T00:00Z")
    assert [a["step"] for a in story.actions()] == ["2"]

Cueline's own tests use it; `triggers.scenarios` runs YAML scenario files on it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson

from triggers.base.model import CONTROL_HEADER, LogRecord, Out, Place, Record
from triggers.base.moments import iso, parse_duration, parse_moment
from triggers.definitions.model import RuleSet
from triggers.engine.partition import Options, Output, Partition
from triggers.journeys.plan import Library
from triggers.records.events import NeedsNewer
from triggers.records.timelines import reason, timeline
from triggers.rules.checks import load
from triggers.state.position import Position
from triggers.state.table import Table

TICK: Final = ((CONTROL_HEADER, b"tick"),)
COMMAND: Final = ((CONTROL_HEADER, b"command"),)


def run(partition: Partition, records: Sequence[Record], slice_of: int = 10_000) -> None:
    """Folds all the records and fires all that is due by the end: the straight way through a log, for tests and replays.

    Raises `KeyError` for a command whose rule set is not in the library, and `NeedsNewer` for what a newer release has written.
    """
    at = 0
    while at < len(records):
        before, at = at, partition.advance(records, at, slice_of)
        if partition.blocked is not None:
            raise KeyError(f"rule set {partition.blocked} is not in the library")
        if partition.newer is not None:
            raise NeedsNewer(partition.newer)
        if partition.position.handed_to is not None and at < len(records):
            raise NeedsNewer(f"handed over: {partition.position.handed_to}")
        if at == before:
            partition.drain(slice_of)
    while partition.drain(slice_of):
        pass


class Story:
    """A log that is written as it is told, and what the engine makes of it.

    Moments are ISO texts, ms, or `+3d`: so much after the latest. `live=False` begins before go-live.
    """

    def __init__(
        self,
        rules: Mapping[str, str] | RuleSet,
        *,
        start: str | int = "2026-01-01T00:00:00Z",
        live: bool = True,
        place: Place = Place("events", 0),  # noqa: B008 -- immutable
        options: Options | None = None,
    ) -> None:
        self.library = Library()
        self.place = place
        self.options = options
        self.log: list[LogRecord] = []
        self.now = parse_moment(start) if isinstance(start, str) else start
        self._commands = 0
        self._messages = 0
        self.apply(rules)
        if live:
            self.go_live()

    # ---- telling ---------------------------------------------------------------------------------------------------

    def moment(self, at: str | int | None) -> int:
        """Milliseconds of an ISO text, of `+3d` after now, or as it is; None: now."""
        if at is None:
            return self.now
        if isinstance(at, int):
            return at
        return self.now + parse_duration(at[1:]) if at.startswith("+") else parse_moment(at)

    def record(
        self, key: bytes | None, value: bytes | None, at: str | int | None = None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> LogRecord:
        """Appends any record."""
        moment = self.moment(at)
        self.now = max(self.now, moment)
        record = LogRecord(len(self.log), moment, key, value, headers)
        self.log.append(record)
        return record

    def call(self, user: str, at: str | int | None = None, happened: str | int | None = None, **fields: object) -> LogRecord:
        """Appends a Segment call; `happened`: its event time where it is not the record's; `messageId` counts up unless it is given."""
        self._messages += 1
        document: dict[str, Any] = {"userId": user, "messageId": f"m{self._messages}", **fields}
        if happened is not None:
            document["timestamp"] = iso(self.moment(happened))
        return self.record(user.encode(), orjson.dumps(document), at)

    def track(self, user: str, event: str, properties: Mapping[str, Any] | None = None, **how: Any) -> LogRecord:  # noqa: ANN401 -- what `call` takes
        return self.call(user, type="track", event=event, properties=dict(properties or {}), **how)

    def identify(self, user: str, traits: Mapping[str, Any], **how: Any) -> LogRecord:  # noqa: ANN401 -- what `call` takes
        return self.call(user, type="identify", traits=dict(traits), **how)

    def until(self, at: str | int) -> None:
        """Lets time pass: a tick."""
        self.record(None, b"", at, TICK)

    def command(self, kind: str, at: str | int | None = None, *, rule_set: str | None = None, journey: str | None = None) -> None:
        self._commands += 1
        document = {
            "schema": 1,
            "kind": kind,
            "seq": self._commands,
            "previous": self._commands - 1,
            "rule_set": rule_set,
            "journey": journey,
        }
        self.record(None, orjson.dumps(document), at, COMMAND)

    def apply(self, rules: Mapping[str, str] | RuleSet, at: str | int | None = None) -> RuleSet:
        """Applies a rule set; raises `RuleErrors` for a bad one."""
        checked = rules if isinstance(rules, RuleSet) else load(rules)
        self.library.add(checked)
        self.command("apply", at, rule_set=checked.hash)
        return checked

    def pause(self, journey: str, at: str | int | None = None) -> None:
        self.command("pause", at, journey=journey)

    def resume(self, journey: str, at: str | int | None = None) -> None:
        self.command("resume", at, journey=journey)

    def go_live(self, at: str | int | None = None) -> None:
        self.command("go-live", at)

    # ---- asking ------------------------------------------------------------------------------------------------------

    def fold(self) -> tuple[Partition, Output]:
        """The whole log folded in one go."""
        partition = Partition(self.place, Table(), self.library, Position(), self.options)
        run(partition, self.log)
        return partition, partition.take()

    def actions(self, user: str | None = None) -> list[dict[str, Any]]:
        return documents(self.fold()[1].actions, user)

    def decisions(self, user: str | None = None, kind: str | None = None) -> list[dict[str, Any]]:
        """Decisions in the order in which they were made; commands' own ones (without a user) only when nobody is asked for."""
        return [
            d
            for d in documents(self.fold()[1].decisions, user)
            if (kind is None or d["kind"] == kind) and (d["user"] is not None or kind is None)
        ]

    def sent(self, user: str | None = None) -> list[tuple[str, str, str]]:
        """(user, journey, moment as ISO text) of each action."""
        return [(a["user"], a["journey"], iso(a["at"])) for a in self.actions(user)]

    def dead_letters(self) -> list[str]:
        """Their reasons."""
        return list(map(reason, self.fold()[1].dead_letters))

    def timeline(self, user: str) -> str:
        """One user's records and decisions, a line each, in the order of time: what a failing test prints."""
        output = self.fold()[1]
        return timeline(user, self.log, documents(output.actions), documents(output.decisions), output.dead_letters)


def documents(outs: Iterable[Out], user: str | None = None) -> list[dict[str, Any]]:
    """The JSON documents of records, of one user or of all."""
    found = [orjson.loads(out.value) for out in outs if out.value is not None]
    return [document for document in found if user is None or document.get("user") == user]
