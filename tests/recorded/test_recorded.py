"""Logs that earlier revisions have recorded (`record.py`) are decided as they were."""

import gzip
import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import orjson
import pytest

from triggers.base.model import LogRecord, Out, Place
from triggers.engine.interface import Output
from triggers.engine.partition import Partition
from triggers.journeys.library import Library
from triggers.rules.checks import load
from triggers.state.table import Table
from triggers.testing import run

HERE = Path(__file__).parent
OF_THE_RELEASE = ("engine", "tzdata")
"""Fields that say who decided."""


def recorded(engine: int) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(gzip.decompress((HERE / f"engine-{engine}.json.gz").read_bytes()))
    assert document["engine"] == engine
    return document


def folded(document: dict[str, Any]) -> Output:
    """What comes out of the log today."""
    library = Library([load({"rules.yaml": text}, applied=True) for text in document["rules"]])
    partition = Partition(Place("events", 0), Table(), library)
    log = [
        LogRecord(offset, timestamp, _bytes(key), _bytes(value), tuple((name, _bytes(content)) for name, content in headers))
        for offset, timestamp, key, value, headers in document["log"]
    ]
    run(partition, log)
    return partition.take()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)


def by_key(outs: list[tuple[bytes | None, bytes | None]]) -> dict[bytes, list[dict[str, Any]]]:
    """Each user's documents in their order, without what says who decided."""
    found: dict[bytes, list[dict[str, Any]]] = {}
    for key, value in outs:
        document = orjson.loads(value or b"null")
        found.setdefault(key or b"", []).append({name: part for name, part in document.items() if name not in OF_THE_RELEASE})
    return found


def then(outs: list[list[str | None]]) -> list[tuple[bytes | None, bytes | None]]:
    return [(_bytes(key), _bytes(value)) for key, value in outs]


def now(outs: list[Out]) -> list[tuple[bytes | None, bytes | None]]:
    return [(out.key, out.value) for out in outs]


def test_a_log_of_engine_2_is_decided_as_it_was_recorded() -> None:
    """Byte for byte but for the release: engine 3 adds to the language, and changes nothing for rules of version 1."""
    document = recorded(2)
    output = folded(document)
    assert by_key(now(output.actions)) == by_key(then(document["actions"]))
    assert by_key(now(output.decisions)) == by_key(then(document["decisions"]))
    assert now(output.dead_letters) == then(document["dead letters"])


def told(decisions: dict[bytes, list[dict[str, Any]]]) -> dict[bytes, list[dict[str, Any]]]:
    """Remove what engine 2 reports less or more often: refusals once a day, unknown time zones."""

    def is_told(one: dict[str, Any]) -> bool:
        return one["kind"] != "refused" and "time zone" not in (one["reason"] or "")

    kept = {key: list(filter(is_told, found)) for key, found in decisions.items()}
    return {key: found for key, found in kept.items() if found}


def test_a_log_of_the_first_release_is_decided_as_it_was() -> None:
    """Its calls have no cause to be read otherwise today: their times, numbers and ids are plain."""
    document = recorded(1)
    output = folded(document)
    assert by_key(now(output.actions)) == by_key(then(document["actions"]))
    assert told(by_key(now(output.decisions))) == told(by_key(then(document["decisions"])))
    assert [key for key, _ in now(output.dead_letters)] == [key for key, _ in then(document["dead letters"])]


@pytest.mark.parametrize("engine", [1, 2])
def test_the_recording_has_what_it_is_kept_for(engine: int) -> None:
    kinds = {orjson.loads(value or b"{}")["kind"] for _, value in then(recorded(engine)["decisions"])}
    assert {"entered", "waiting", "sent", "exited", "refused", "met"} <= kinds
