"""Old and new workers die while a log goes over to the next release; what comes out is what a replay says."""

from pathlib import Path

import pytest

from streams.broker.kafka import KafkaBroker
from tests.conftest import SettingsFor
from tests.crash.test_storm import document
from tests.crash.upgrade import torture_upgrade
from triggers.base.model import ENGINE


@pytest.mark.timeout(400)
async def test_an_upgrade_in_the_middle_of_a_storm_loses_and_repeats_nothing(
    own_kafka: KafkaBroker, settings_for: SettingsFor, crash_folder: Path
) -> None:
    """`settings_for` clears the environment."""
    outcome = await torture_upgrade(own_kafka, crash_folder, 1)
    assert outcome.is_right, f"the logs are in {crash_folder}:\n{outcome.verdict}"
    got = outcome.verdict.got
    engines = [document(item[2])["engine"] for item in got.decisions]
    assert engines.count(ENGINE) > 100, "too little was decided before the upgrade to prove anything"
    assert engines.count(ENGINE + 1) > 100
    assert {position.engine for position in got.positions.values()} == {ENGINE + 1}
    assert outcome.faults["kill"] >= 3
