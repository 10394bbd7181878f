"""The examples are right, and so are their scenarios."""

import time
from pathlib import Path

import pytest

from triggers.rules.folder import read_folder
from triggers.scenarios.running import run_scenarios

EXAMPLES = Path(__file__).parents[3] / "examples"
FOLDERS = sorted(path for path in EXAMPLES.iterdir() if path.is_dir())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_every_scenario_of_an_example_holds(folder: Path) -> None:
    """Months of virtual time take less than a second."""
    scenarios = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.scenarios.yaml"))}
    began = time.process_time()
    results = run_scenarios(read_folder(folder), scenarios)
    assert time.process_time() - began < 1
    assert len(results) >= 4
    for result in results:
        assert result.passed, f"{result.name}: {result.failures}\n{result.timeline}"


def test_the_examples_are_those_that_the_docs_speak_of() -> None:
    assert [folder.name for folder in FOLDERS] == ["cart", "cdnow", "quickstart", "reading-app", "recipes"]
