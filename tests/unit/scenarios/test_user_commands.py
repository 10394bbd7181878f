"""Scenario files know the commands about one user."""

import pytest

from triggers.rules.checks import load
from triggers.scenarios.files import ScenarioErrors
from triggers.scenarios.running import run_scenarios

RULES = load(
    {
        "rules.yaml": """version: 1
journeys:
  welcome:
    entry: {event: Signed Up}
    steps: [{wait: 1d}, {send: {channel: push, text: Hello}, name: hello}]
"""
    }
)


def results(text: str) -> list[tuple[str, ...]]:
    return [result.failures for result in run_scenarios(RULES, {"s.yaml": text})]


def test_each_form_is_obeyed() -> None:
    text = """version: 1
scenarios:
  suppressed:
    given:
      - {at: 2026-01-05T09:00Z, suppress: ann, channel: push, reason: asked, messageId: x}
      - {at: +1h, user: ann, event: Signed Up}
    until: +2d
    then:
      - {user: ann, kind: met, reason: command suppress, values: {id: x, channel: push, reason: asked}}
      - {user: ann, kind: blocked, reason: suppressed, step: hello}
    never: [{user: ann, journey: welcome}]
  lifted:
    given:
      - {at: 2026-01-05T09:00Z, suppress: ann}
      - {at: +1h, user: ann, event: Signed Up}
      - {unsuppress: ann}
    until: +2d
    then: [{user: ann, journey: welcome}]
  erased:
    given:
      - {at: 2026-01-05T09:00Z, user: ann, event: Signed Up}
      - {at: +1h, erase: ann}
    until: +2d
    then: [{user: ann, kind: met, reason: command erase}]
    never: [{user: ann, journey: welcome}]
  entered:
    given:
      - {at: 2026-01-05T09:00Z, user: ann, traits: {name: Ann}}
      - {at: +1h, user: ann, enter: welcome}
    until: +2d
    then: [{user: ann, journey: welcome, at: 2026-01-06T10:00Z}]
"""
    assert results(text) == [(), (), (), ()]


def test_a_failed_scenario_shows_the_command() -> None:
    text = """version: 1
scenarios:
  x:
    given: [{at: 2026-01-05T09:00Z, suppress: ann}]
    then: [{user: ann, journey: welcome}]
"""
    [result] = run_scenarios(RULES, {"s.yaml": text})
    assert "command  suppress" in result.timeline


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("suppress: ann, channel: pusch", 'unknown channel "pusch"'),
        ("erase: ann, channel: push", '"channel" with erase'),
        ("suppress: ann, user: ann", '"user" with suppress'),
        ("enter: welcom, user: ann", 'unknown journey "welcom"'),
        ("enter: welcome", 'a record of given has no "user"'),
        ("suppress: ann, times: 2", '"times" with suppress'),
    ],
)
def test_what_is_wrong_is_refused(record: str, message: str) -> None:
    text = f"version: 1\nscenarios: {{x: {{given: [{{at: 2026-01-05, {record}}}], never: [{{user: ann}}]}}}}\n"
    with pytest.raises(ScenarioErrors) as refused:
        results(text)
    assert message in str(refused.value.problems[0])
