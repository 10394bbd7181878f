"""The guide shows the recipes as they are, and every recipe is in it."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.cli.main import app
from tests.unit.house.pages import ROOT, blocks
from triggers.rules.checks import load

GUIDE = ROOT / "docs" / "guide.md"
FOLDER = ROOT / "examples" / "recipes"
RECIPES = sorted(path for path in FOLDER.glob("*.yaml") if not path.name.endswith(".scenarios.yaml"))
LONGEST = 16
"""Lines of a recipe."""


def test_the_guide_shows_each_recipe_as_it_is() -> None:
    shown = {block.name: block.text for block in blocks(GUIDE, "yaml") if "scenarios:\n" not in block.text}
    files = {f"examples/recipes/{path.name}": path.read_text("utf-8") for path in RECIPES}
    assert shown == {name: f"# {name}\n{text}" for name, text in files.items()}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_short_and_can_be_copied_alone(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= LONGEST
    assert load({path.name: text}).journeys
    scenarios = FOLDER / f"{path.stem}.scenarios.yaml"
    journeys = [name.rpartition("-")[0] if "each:" in text else name for name in load({path.name: text}).journeys]
    assert any(f"journey: {name}" in scenarios.read_text("utf-8") for name in journeys)


def test_the_scenario_in_the_guide_is_that_of_its_recipe() -> None:
    shown = [block.text for block in blocks(GUIDE, "yaml") if "scenarios:\n" in block.text]
    assert shown == [(FOLDER / "nine-oclock.scenarios.yaml").read_text("utf-8")]


def test_the_picture_in_the_guide_is_what_the_command_prints() -> None:
    [(words, shown)] = re.findall(r"`cueline (draw [^`]+)`.*?^```mermaid\n(.*?)^```$", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    command, folder, journey = words.split()
    result = CliRunner().invoke(app, [command, str(ROOT / folder), journey])
    assert (result.exit_code, result.stdout) == (0, shown)
