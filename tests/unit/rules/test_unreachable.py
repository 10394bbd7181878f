"""`check` warns of steps that no run can reach."""

import pytest

from triggers.rules.checks import read
from triggers.rules.warnings.unreachable import unreachable

SEND = "{send: {channel: push, text: x}}"
REST = "no run reaches this step: all runs end before it; leave it out"


def told(steps: str) -> list[str]:
    text = f"version: 2\njourneys:\n  j:\n    entry: {{event: A}}\n    steps: {steps}\n"
    return [str(problem).removeprefix("r.yaml:5:") for problem in unreachable(read({"r.yaml": text}))]


@pytest.mark.parametrize(
    ("steps", "column"),
    [
        (f"[{{end: x}}, {SEND}, {SEND}]", 23),
        (f"[{{if: traits.a, then: [{{end: x}}], else: [{{wait: 1d}}, {{end: y}}]}}, {SEND}]", 77),
        (f"[{{choose: [{{if: traits.a, steps: [{{end: x}}]}}, {{steps: [{{end: y}}]}}]}}, {SEND}]", 81),
        (f"[{{split: s, arms: {{a: {{weight: 1, steps: [{{end: x}}]}}, b: {{weight: 1, steps: [{{end: y}}]}}}}}}, {SEND}]", 103),
        (f"[{{if: traits.a, then: [{{end: x, when: traits.b}}, {SEND}]}}]", 61),
    ],
)
def test_what_comes_after_an_end_is_told(steps: str, column: int) -> None:
    assert told(steps) == [f"{column}: {REST}"]


@pytest.mark.parametrize(
    "steps",
    [
        f"[{{if: traits.a, then: [{{end: x}}]}}, {SEND}]",
        f"[{{choose: [{{if: traits.a, steps: [{{end: x}}]}}, {{if: traits.b, steps: [{{end: y}}]}}]}}, {SEND}]",
        f"[{{split: s, arms: {{a: {{weight: 1, steps: [{{end: x}}]}}, b: {{weight: 1}}}}}}, {SEND}]",
        f"[{SEND}, {{end: x}}]",
        "[{split: s, arms: {a: {weight: 1}, b: {weight: 0}}}]",
    ],
)
def test_what_can_be_reached_is_not_told(steps: str) -> None:
    assert told(steps) == []


def test_the_steps_of_an_arm_without_weight_are_told() -> None:
    assert told(f"[{{split: s, arms: {{a: {{weight: 1}}, b: {{weight: 0, steps: [{SEND}]}}}}}}]") == [
        '59: no run reaches the steps of the arm "b": its weight is 0; leave them out'
    ]
