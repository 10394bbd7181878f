"""Workers and broker die, sleep, come and go; what comes out is what a replay of the log says."""

from collections import Counter
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from streams.broker.kafka import KafkaBroker
from tests.conftest import SettingsFor
from tests.crash.rig import Outcome, torture

JOURNEYS: Final = {"welcome", "long-read", "busy", "quiet", "collector", "thanks", "receipt", "second-visit"}
"""What must have acted in every storm. `rested` does only where a minute ends before the second rule set takes it away."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 2])
async def test_nothing_is_missing_extra_or_repeated_whatever_dies(
    own_kafka: KafkaBroker, settings_for: SettingsFor, crash_folder: Path, seed: int
) -> None:
    """Actions, decisions, dead letters and states are those of a replay, byte for byte; `settings_for` clears the environment."""
    outcome = await torture(own_kafka, crash_folder, seed)
    assert outcome.is_right, f"seed {seed}, all logs are in {crash_folder}:\n{outcome.verdict}"
    _look_whether_it_was_a_storm(outcome)


def _look_whether_it_was_a_storm(outcome: Outcome) -> None:
    """A run in which little happened would prove nothing."""
    got, traffic = outcome.verdict.got, outcome.traffic
    assert traffic is not None
    assert traffic.written > 1_500
    assert traffic.aborted > 50
    assert traffic.committed > 50
    assert outcome.faults["kill"] >= 4
    assert outcome.faults["broker"] == 1
    actions = Counter(document(item[2])["journey"] for item in got.actions)
    assert set(actions) >= JOURNEYS
    assert {document(item[2])["kind"] for item in got.decisions} >= {
        "entered",
        "waiting",
        "sent",
        "exited",
        "refused",
        "skipped",
        "paused",
        "met",
    }
    assert len({dict(item[3])["reason"] for item in got.dead_letters}) > 5


def document(value: bytes | None) -> dict[str, Any]:
    assert value is not None
    document: dict[str, Any] = orjson.loads(value)
    return document
