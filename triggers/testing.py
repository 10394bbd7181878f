"""Rules tried in virtual time: give records at times, expect decisions. Months run in milliseconds.

>>> from triggers import Story
>>> story = Story({"hello.yaml": '''
... version: 1
... journeys:
...   hello:
...     entry: {event: Signed Up}
...     steps: [{wait: 3d}, {send: {channel: push, text: "Hello {{ user }}"}}]
... '''}, start="2026-01-01T00:00Z")
>>> signed_up = story.track("ann", "Signed Up", at="2026-01-01T09:00Z")
>>> story.until("2026-01-05T00:00Z")
>>> story.expect(user="ann", journey="hello", at="2026-01-04T09:00Z", message={"text": "Hello ann"})
>>> story.expect(kind="exited", reason="completed", never=[{"journey": "win-back"}])

Cueline's own tests use it, and `triggers.scenarios` runs YAML scenario files on it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson

from triggers.base.model import LogRecord, Out, Place
from triggers.base.moments import iso, parse_duration, parse_moment
from triggers.definitions.model import RuleSet
from triggers.engine.driver import PLACE, Engine, run
from triggers.engine.interface import Options, Output
from triggers.engine.partition import Partition
from triggers.journeys.library import Library
from triggers.records.control import TICK, Kind, command_after, command_headers, command_value
from triggers.records.expectations import Expectation, misses, wanted
from triggers.records.timelines import reason, timeline
from triggers.records.user_commands import user_command, user_command_headers, user_command_value
from triggers.rules.checks import load
from triggers.state.position import Position
from triggers.state.table import Table

__all__ = ["Story", "documents", "run"]


class Story:
    """A log that is written record by record, and what the engine makes of it.

    Moments are ISO texts, ms, or `+3d`: so much after the latest. `live=False` begins before go-live.
    """

    def __init__(
        self,
        rules: Mapping[str, str] | RuleSet,
        *,
        start: str | int = "2026-01-01T00:00:00Z",
        live: bool = True,
        place: Place = PLACE,
        options: Options | None = None,
    ) -> None:
        self.library = Library()
        self.place = place
        self.options = options
        self.log: list[LogRecord] = []
        self.now = parse_moment(start) if isinstance(start, str) else start
        self._commands = 0
        self._messages = 0
        self._user_commands = 0
        self._so_far: _Come | None = None
        self.apply(rules)
        if live:
            self.go_live()

    # ---- writing ---------------------------------------------------------------------------------------------------

    def moment(self, at: str | int | None) -> int:
        """Return the ms of an ISO text, or of `+3d` after now; a number is ms already; None is now."""
        if at is None:
            return self.now
        if isinstance(at, int):
            return at
        return self.now + parse_duration(at[1:]) if at.startswith("+") else parse_moment(at)

    def record(
        self, key: bytes | None, value: bytes | None, at: str | int | None = None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> LogRecord:
        """Append any record."""
        moment = self.moment(at)
        self.now = max(self.now, moment)
        record = LogRecord(len(self.log), moment, key, value, headers)
        self.log.append(record)
        return record

    def call(self, user: str, at: str | int | None = None, happened: str | int | None = None, **fields: object) -> LogRecord:
        """Append a Segment call. `happened`: its event time, if it is not the record's. `messageId` counts up unless it is given."""
        self._messages += 1
        document: dict[str, Any] = {"userId": user, "messageId": f"m{self._messages}", **fields}
        if happened is not None:
            document["timestamp"] = iso(self.moment(happened))
        return self.record(user.encode(), orjson.dumps(document), at)

    def track(self, user: str, event: str, properties: Mapping[str, Any] | None = None, **how: Any) -> LogRecord:  # noqa: ANN401 -- what `call` takes
        """Append an event. Other arguments are those of `call`, such as `at`."""
        return self.call(user, type="track", event=event, properties=dict(properties or {}), **how)

    def identify(self, user: str, traits: Mapping[str, Any], **how: Any) -> LogRecord:  # noqa: ANN401 -- what `call` takes
        """Append traits of a user. Other arguments are those of `call`, such as `at`."""
        return self.call(user, type="identify", traits=dict(traits), **how)

    def user_command(
        self,
        kind: str,
        user: str,
        at: str | int | None = None,
        *,
        id_: str | None = None,
        channel: str | None = None,
        journey: str | None = None,
        reason: str | None = None,
    ) -> LogRecord:
        """Append any command about one user. Its id counts up unless it is given."""
        self._user_commands += 1
        moment = self.moment(at)
        given = f"c{self._user_commands}" if id_ is None else id_
        value = user_command_value(user_command(kind, user, given, moment, channel=channel, journey=journey, reason=reason))
        return self.record(user.encode(), value, moment, user_command_headers(value, self.place.topic, None))

    def suppress(self, user: str, at: str | int | None = None, *, channel: str | None = None, reason: str | None = None) -> None:
        """Send nothing to a user from now on, or nothing by one channel."""
        self.user_command("suppress", user, at, channel=channel, reason=reason)

    def unsuppress(self, user: str, at: str | int | None = None, *, channel: str | None = None) -> None:
        """Lift the suppression of one channel, or all of a user's."""
        self.user_command("unsuppress", user, at, channel=channel)

    def erase(self, user: str, at: str | int | None = None) -> None:
        self.user_command("erase", user, at)

    def enter(self, user: str, journey: str, at: str | int | None = None) -> None:
        """Let a user enter a journey by hand."""
        self.user_command("enter", user, at, journey=journey)

    def until(self, at: str | int) -> None:
        """Let time pass: append a tick."""
        self.record(None, b"", at, TICK)

    def command(self, kind: Kind, at: str | int | None = None, *, rule_set: str | None = None, journey: str | None = None) -> None:
        """Append any command; `apply`, `pause`, `resume` and `go_live` are shorter."""
        value = command_value(command_after(self._commands, kind, rule_set=rule_set, journey=journey, app="cueline"))
        self._commands += 1
        self.record(None, value, at, command_headers(value, self.place.topic, None))

    def apply(self, rules: Mapping[str, str] | RuleSet, at: str | int | None = None) -> RuleSet:
        """Apply a rule set. Raises `RuleErrors` for a wrong one."""
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
        """Fold the whole log from its beginning with a new partition; return that and all its output."""
        partition = self._partition()
        run(partition, self.log)
        return partition, partition.take()

    def _partition(self) -> Partition:
        return Partition(self.place, Table(), self.library, Position(), self.options)

    def _come(self) -> "_Come":
        """Return what has come of the log so far. Only records that are new since the last question are folded."""
        if self._so_far is None:
            self._so_far = _Come(Engine(self._partition()))
        if self.options is not None:
            self._so_far.engine.partition.options = self.options
        self._so_far.go_on(self.log)
        return self._so_far

    def actions(self, user: str | None = None) -> list[dict[str, Any]]:
        """Return the actions as JSON documents, of one user or of all."""
        return _of(self._come().actions, user)

    def decisions(self, user: str | None = None, kind: str | None = None) -> list[dict[str, Any]]:
        """Return the decisions in their order, of one user or of all. Those of commands have no user; a `kind` leaves them out."""
        found = _of(self._come().decisions, user)
        return [d for d in found if kind is None or (d["kind"] == kind and d["user"] is not None)]

    def sent(self, user: str | None = None) -> list[tuple[str, str, str]]:
        """Return user, journey and moment (ISO text) of each action."""
        return [(a["user"], a["journey"], iso(a["at"])) for a in self.actions(user)]

    def dead_letters(self) -> list[str]:
        """Return the reasons of the dead letters."""
        return list(map(reason, self._come().dead_letters))

    def timeline(self, user: str) -> str:
        """Return one user's records and decisions, a line each, in the order of time."""
        come = self._come()
        return timeline(user, self.log, come.actions, come.decisions, come.dead_letters)

    def expect(self, *then: Mapping[str, Any], never: Iterable[Mapping[str, Any]] = (), **one: object) -> None:
        """Raise `AssertionError`, with what came nearest and the timelines, unless all of this came, and nothing of `never`.

        An expectation names fields of an action or, where it names a `kind`, of a decision; what it does not name may be anything.
        Moments are ms or ISO texts. Each expectation of one call wants an outcome of its own, in any order.
        """
        mappings, unwanted = [*then, one] if one else list(then), list(never)
        failures = self.failures(map(wanted, mappings), map(wanted, unwanted))
        if failures:
            named = dict.fromkeys(str(mapping["user"]) for mapping in (*mappings, *unwanted) if "user" in mapping)
            users = named or dict.fromkeys(record.key.decode(errors="replace") for record in self.log if record.key)
            raise AssertionError("\n".join([*failures, *map(self.timeline, users)]))

    def failures(
        self,
        then: Iterable[Expectation],
        never: Iterable[Expectation] = (),
        dead: Callable[[Out], str] | None = None,
    ) -> list[str]:
        """Return a line for each expectation that was not met. `dead`: words for a dead letter, where each is a failure too."""
        come = self._come()
        lines = misses(list(then), list(never), come.actions, come.decisions)
        return lines if dead is None else lines + [f"dead letter: {dead(out)}: {reason(out)}" for out in come.dead_letters]


class _Come:
    """What has come of a story so far."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.actions: list[dict[str, Any]] = []
        self.decisions: list[dict[str, Any]] = []
        self.dead_letters: list[Out] = []
        self._folded = 0

    def go_on(self, log: Sequence[LogRecord]) -> None:
        """Fold what is new in the log; after an error what was folded before it is not folded again."""
        if self._folded == len(log):
            return
        self.engine.fold(log[self._folded :])
        self.engine.settle()
        self._folded = len(log)
        output = self.engine.take()
        self.actions += documents(output.actions)
        self.decisions += documents(output.decisions)
        self.dead_letters += output.dead_letters


def _of(found: list[dict[str, Any]], user: str | None) -> list[dict[str, Any]]:
    return [document for document in found if user is None or document.get("user") == user]


def documents(outs: Iterable[Out], user: str | None = None) -> list[dict[str, Any]]:
    """Read the JSON documents of records, of one user or of all."""
    return _of([orjson.loads(out.value) for out in outs if out.value is not None], user)
