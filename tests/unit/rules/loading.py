"""Load rule files, and list the problems that they have."""

from pathlib import Path

import pytest

from triggers.definitions.model import Journey, RuleSet
from triggers.journeys.plan import compile_plan
from triggers.language.documents import Problem, RuleErrors
from triggers.rules.checks import load

EXAMPLES = Path(__file__).parents[3] / "examples"


def problems(*texts: str, **files: str) -> list[str]:
    """List all problems of these files; positional ones are called a.yaml, b.yaml ..."""
    named = {f"{letter}.yaml": text for letter, text in zip("abcdef", texts, strict=False)} | files
    with pytest.raises(RuleErrors) as caught:
        load(named)
    assert all(isinstance(problem, Problem) for problem in caught.value.problems)
    return str(caught.value).split("\n")


def loaded(body: str) -> RuleSet:
    rules = load({"a.yaml": "version: 1\n" + body})
    compile_plan(rules)
    return rules


def journey(body: str, entry: str = "{event: A}", steps: str = "[{wait: 1d}]") -> Journey:
    return loaded(f"segments: {{s: 'did(\"A\")'}}\njourneys:\n  j:\n    entry: {entry}\n    steps: {steps}\n    {body}\n").journeys["j"]


def journey_problems(body: str, entry: str = "{event: A}", steps: str = "[{wait: 1d}]") -> list[str]:
    """List the problems as `line:column: ...`; entry is on line 5, steps on line 6, the body from line 7."""
    found = problems(f"version: 1\nsegments: {{s: 'did(\"A\")'}}\njourneys:\n  j:\n    entry: {entry}\n    steps: {steps}\n    {body}\n")
    return [problem.removeprefix("a.yaml:") for problem in found]
