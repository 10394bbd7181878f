"""The JSON Schemas for editors: what is right passes, what is misspelled does not, and no kind is missing."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from streams.cli.main import app
from tests.unit.house.pages import PAGES, ROOT, blocks, rules_of
from triggers.causes import KINDS as CAUSES
from triggers.rules import editor
from triggers.rules.checks import SECTIONS, SETTINGS
from triggers.rules.each import EACH
from triggers.rules.editor import rule_schema
from triggers.rules.journeys import JOURNEY, JOURNEY_2
from triggers.rules.policies import POLICIES
from triggers.scenarios.editor import scenario_schema
from triggers.steps import KINDS as STEPS
from triggers.steps.waits import FORMS

HEAD = "version: 2\n"
GO = "journeys:\n  j:\n    entry: {event: Go}\n"
SEND = "{send: {channel: push, text: Hi}}"


def failing(schema: dict[str, Any], files: dict[str, str], folder: Path) -> set[str]:
    """The names of the files that the schema refuses, as the tool says that editors and CI use."""
    (folder / "schema.json").write_text(json.dumps(schema), "utf-8")
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "-o", "json", "--schemafile", "schema.json", *files],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    result = json.loads(run.stdout)
    assert result.get("parse_errors", []) == [], run.stdout[:2_000]
    return {error["filename"] for error in result.get("errors", [])}


def test_all_examples_and_all_rules_of_the_pages_fit(tmp_path: Path) -> None:
    examples = [path for path in (ROOT / "examples").rglob("*.yaml") if ".scenarios." not in path.name]
    files = {f"{path.parent.name}-{path.name}": path.read_text("utf-8") for path in examples}
    for page in PAGES:
        files |= {f"{page.stem}-{block.line}.yaml": block.text for block in rules_of(page)}
    assert len(files) > 40
    assert failing(rule_schema(), files, tmp_path) == set()


def test_all_scenarios_of_examples_and_pages_fit(tmp_path: Path) -> None:
    files = {f"{path.parent.name}-{path.name}": path.read_text("utf-8") for path in (ROOT / "examples").rglob("*.scenarios.yaml")}
    for page in PAGES:
        files |= {f"{page.stem}-{block.line}.yaml": block.text for block in blocks(page, "yaml") if "\nscenarios:\n" in block.text}
    assert len(files) > 10
    assert failing(scenario_schema(), files, tmp_path) == set()


WRONG = {
    "section": "segmens: {a: did('A')}",
    "version": "",
    "journey-key": f"{GO}    re_enrty: never\n    steps: [{SEND}]",
    "no-entry": f"journeys: {{j: {{steps: [{SEND}]}}}}",
    "no-steps": GO,
    "cause-key": f"journeys: {{j: {{entry: {{evnt: Go}}, steps: [{SEND}]}}}}",
    "cause-two": f"journeys: {{j: {{entry: {{event: Go, enters: s}}, steps: [{SEND}]}}}}",
    "schedule-without-time": f"journeys: {{j: {{entry: {{every: day}}, steps: [{SEND}]}}}}",
    "period": f"journeys: {{j: {{entry: {{every: hour, at: '09:00'}}, steps: [{SEND}]}}}}",
    "step-key": f"{GO}    steps: [{{snd: {{channel: push, text: Hi}}}}]",
    "two-steps-in-one": f"{GO}    steps: [{{wait: 1d, send: {{channel: push, text: Hi}}}}]",
    "then-without-if": f"{GO}    steps: [{{then: [{SEND}]}}]",
    "no-channel": f"{GO}    steps: [{{send: {{text: Hi}}}}]",
    "duration": f"{GO}    steps: [{{wait: 3 days}}, {SEND}]",
    "wait-key": f"{GO}    steps: [{{wait: {{day: 3}}}}, {SEND}]",
    "wait-without-timeout": f"{GO}    steps: [{{wait: {{event: A}}}}, {SEND}]",
    "weekday": f"{GO}    steps: [{{wait: {{at: '09:00', on: [mon]}}}}, {SEND}]",
    "time": f"{GO}    steps: [{{wait: {{at: '9:00'}}}}, {SEND}]",
    "priority": f"{GO}    priority: 101\n    steps: [{SEND}]",
    "share": f"{GO}    holdout: ten\n    steps: [{SEND}]",
    "weight": f"{GO}    steps: [{{split: s, arms: {{a: {{steps: [{SEND}]}}, b: {{weight: 1}}}}}}]",
    "cap": "policies: {caps: {most: 1, per: day}}",
    "cap-period": "policies: {caps: {a: {most: 1, per: weekly}}}",
    "quiet": "policies: {quiet_hours: {night: {from: '22:00'}}}",
    "setting": "settings: {timezone: UTC}",
    "tier": "tiers: {member: {levels: [{gold: did('A')}]}}",
    "type": "schema: {events: {A: {n: integer}}}",
}


def test_typical_slips_do_not_fit(tmp_path: Path) -> None:
    files = {f"{name}.yaml": ("" if name == "version" else HEAD) + (text or "segments: {}") + "\n" for name, text in WRONG.items()}
    right = {"right.yaml": f"{HEAD}{GO}    steps: [{SEND}]\n"}
    assert failing(rule_schema(), files | right, tmp_path) == set(files)


def test_slips_in_scenarios_do_not_fit(tmp_path: Path) -> None:
    given = "given: [{at: 2026-01-01T00:00Z, user: ann, event: Go}]"
    scenarios = {
        "right": f"{{{given}, then: [{{user: ann, journey: j}}]}}",
        "nothing": f"{{{given}}}",
        "key": f"{{{given}, than: [{{user: ann}}]}}",
        "kind": f"{{{given}, then: [{{user: ann, kind: send}}]}}",
        "two": "{given: [{at: 2026-01-01T00:00Z, user: ann, event: Go, traits: {a: 1}}], then: [{user: ann}]}",
        "every": "{given: [{at: 2026-01-01T00:00Z, user: ann, event: Go, every: daily}], then: [{user: ann}]}",
    }
    files = {f"{name}.yaml": f"version: 1\nscenarios:\n  s: {text}\n" for name, text in scenarios.items()}
    assert failing(scenario_schema(), files, tmp_path) == set(files) - {"right.yaml"}


def test_the_frame_has_the_keys_that_the_readers_know() -> None:
    assert set(editor.SECTIONS) == set(SECTIONS)
    assert set(editor.SETTINGS) == set(SETTINGS)
    assert set(editor.JOURNEY) == {*JOURNEY, *JOURNEY_2}
    assert set(editor.POLICIES) == set(POLICIES)
    journey = rule_schema()["properties"]["journeys"]["anyOf"][0]["additionalProperties"]
    assert set(journey["properties"]) == {EACH, *JOURNEY, *JOURNEY_2}


@pytest.mark.parametrize("word", CAUSES)
def test_a_cause_gives_the_shape_of_each_of_its_words(word: str) -> None:
    kind = CAUSES[word]
    assert set(kind.keys()) == {*kind.example, *kind.also}
    assert set(kind.must) <= set(kind.also)


@pytest.mark.parametrize("word", STEPS)
def test_a_step_gives_the_shape_of_each_of_its_words(word: str) -> None:
    assert set(STEPS[word].keys()) == {"", *STEPS[word].also}


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_a_wait_gives_the_shape_of_each_of_its_marks(form: Any) -> None:
    shape = json.dumps(form.shape())
    assert [mark for mark in form.marks if f'"{mark}"' not in shape] == []


def test_the_command_prints_both() -> None:
    for words, made in ((["schema"], rule_schema()), (["schema", "rules"], rule_schema()), (["schema", "scenarios"], scenario_schema())):
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0
        assert json.loads(result.stdout) == made
