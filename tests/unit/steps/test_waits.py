"""A form of `wait` is one class in its own module, and an item of the registry."""

from __future__ import annotations

from pathlib import Path

import pytest

from triggers.language.documents import RuleErrors
from triggers.rules.checks import load
from triggers.steps import waits
from triggers.steps.waits.delay import Delay

RULES = """version: 1
journeys:
  j:
    entry: {event: E}
    steps: [{wait: WAIT}, {send: {channel: push, text: x}}]
"""


def test_a_form_has_a_module_of_its_own_and_marks_of_its_own() -> None:
    modules = {form.__module__.rpartition(".")[2] for form in waits.FORMS}
    assert modules == {path.stem for path in Path(waits.__file__).parent.glob("*.py")} - {"__init__", "form"}
    marks = [mark for form in waits.FORMS for mark in form.marks]
    assert len(marks) == len(set(marks))
    assert all(form.example for form in waits.FORMS)


def test_a_length_of_time_is_a_delay() -> None:
    assert load({"r.yaml": RULES.replace("WAIT", "3d")}).journeys["j"].steps[0] == Delay("1", 3 * 86_400_000)


@pytest.mark.parametrize("written", ["{}", "{hours_: 3}", "[3d]"])
def test_what_no_form_knows_is_no_duration(written: str) -> None:
    with pytest.raises(RuleErrors) as caught:
        load({"r.yaml": RULES.replace("WAIT", written)})
    [problem] = caught.value.problems
    assert "which is no duration" in problem.message
