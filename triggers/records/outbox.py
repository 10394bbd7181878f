"""The output of a fold: actions, decisions and dead letters, as the records that consumers read.

Field names are stable; every document carries a `schema` version. Ids and causes are repeated in headers, so that any Kafka tool shows
what a person needs.
"""

from collections import Counter
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from triggers.base.draws import ARM
from triggers.base.model import ENGINE, MAX_ACTION, MAX_DEAD_LETTER, Out, Place, Record
from triggers.base.moments import tz_version
from triggers.records.decisions import Kind
from triggers.records.events import dumps

SCHEMA: Final = 1


class TooBig(Exception):  # noqa: N818 -- an outcome, not an error of ours
    """An action exceeds `MAX_ACTION`."""


def named_arms(arms: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of a record about a run with these arms: `arm` for control and holdout, `arms` for its splits."""
    splits = {split: arm for split, arm in arms.items() if split != ARM}
    fields: dict[str, Any] = {"arm": arms[ARM]} if ARM in arms else {}
    return fields | ({"arms": splits} if splits else {})


class Outbox:
    """Collects what one checkpoint will write. `size` is its rough size in bytes; `counts` counts what was put in by (kind, journey)."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.actions: list[Out] = []
        self.decisions: list[Out] = []
        self.dead_letters: list[Out] = []
        self.size = 0
        self.counts: Counter[tuple[str, str]] = Counter()
        self._tz = tz_version()
        self._headers: dict[tuple[str, str], tuple[tuple[str, bytes], tuple[str, bytes]]] = {}

    def cause(self, offset: int) -> dict[str, Any]:
        return {"topic": self.place.topic, "partition": self.place.partition, "offset": offset}

    def decision(
        self,
        kind: Kind,
        reason: str | None,
        *,
        user: str | None,
        at: int,
        offset: int,
        rule_set: str | None,
        journey: str | None = None,
        version: str | None = None,
        run: str | None = None,
        step: str | None = None,
        due: int | None = None,
        values: dict[str, Any] | None = None,
        path: list[dict[str, Any]] | None = None,
        arms: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> None:
        """Put out a decision with its reason. `at` and `due` are ms; `offset` is that of the record that caused it.

        `path`: the branches that the run has taken since its last decision; `arms`: its own, and those of all splits; `key`: its key.
        """
        document: dict[str, Any] = {
            "schema": SCHEMA,
            "id": run if step is None or run is None else f"{run}:{step}",
            "kind": kind,
            "reason": reason,
            "user": user,
            "journey": journey,
            "version": version,
            "run": run,
            "step": step,
            "at": at,
            "due": due,
            "values": values or {},
            "cause": self.cause(offset),
            "rule_set": rule_set,
            "engine": ENGINE,
            "tzdata": self._tz,
        }
        if key is not None:
            document["key"] = key
        if arms:
            document |= named_arms(arms)
        if path:
            document["path"] = path
        try:
            value = dumps(document)
        except TypeError:  # a value that JSON cannot show must not stop the fold
            value = b""
        if not value or len(value) > MAX_ACTION:
            document |= {"values": {}, "cut": "the values were too big"}
            if path:
                document["path"] = [{**taken, "values": {}} for taken in path]
            value = dumps(document)
        what = kind, journey or ""
        headers = self._headers.get(what)
        if headers is None:
            headers = self._headers[what] = ("kind", kind.encode()), ("journey", what[1].encode())
        self.decisions.append(
            Out(None if user is None else user.encode(), value, [*headers, ("run", b"" if run is None else run.encode())])
        )
        self.counts[what] += 1
        self.size += len(value) + 100

    def action(self, document: dict[str, Any], *, dry: bool) -> None:
        """Put out an action. `dry`: only check that it could be put out. Raises `TooBig`."""
        value = dumps(document)
        if len(value) > MAX_ACTION:
            raise TooBig(f"the action has {len(value)} bytes, more than {MAX_ACTION}")
        if dry:
            return
        headers = [(name, str(document[name]).encode()) for name in ("id", "channel", "journey", "run")]
        self.actions.append(Out(document["user"].encode(), value, headers))
        self.size += len(value) + 300

    def dead_letter(self, record: Record, reason: str) -> None:
        """Put out a record that could not be read, with its place and what is wrong with it."""
        value = record.value or b""
        headers = [
            ("reason", reason.encode("utf-8", "backslashreplace")[:1024]),
            ("source-topic", self.place.topic.encode()),
            ("source-partition", str(self.place.partition).encode()),
            ("source-offset", str(record.offset).encode()),
            ("size", str(len(value)).encode()),
            ("sha256", sha256(value).hexdigest().encode()),
        ]
        key = record.key if record.key is None else record.key[:MAX_DEAD_LETTER]
        self.dead_letters.append(Out(key, value[:MAX_DEAD_LETTER], headers))
        self.counts["dead letter", reason.partition(":")[0]] += 1
        self.size += min(len(value), MAX_DEAD_LETTER) + len(key or b"") + 300
