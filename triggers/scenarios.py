"""Scenario files: rules tried by people who write rules, in YAML beside them (`*.scenarios.yaml`), in virtual time.

    version: 1
    scenarios:
      the welcome comes three days after sign-up:
        given:
          - {at: 2026-01-01T09:00Z, user: ann, event: Signed Up}
          - {at: 2026-01-01T09:00Z, user: ann, traits: {name: Ann}}
        until: 2026-01-10T00:00Z
        then:
          - {user: ann, journey: signup-welcome, at: 2026-01-04T09:00Z, message: {text: Welcome Ann}}
        never:
          - {user: ann, journey: trial}

`given` are records in the order of the log: an `event` with `properties`, `traits`, or a command (`pause: JOURNEY`, `resume: JOURNEY`,
`go-live: true`). `at` is an ISO moment, or `+3d` after the one before; `happened` is the event time where it is another; `every: 1d` with
`times: 30` repeats a record. `then` must all be among the actions, each once; `never` must not be. What an expectation does not name may be
anything. An expectation with a `kind` looks at the decisions instead of the actions. `live: false` begins before go-live. `start`: when the
rules are applied (by default a day before the first record).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from triggers.model import DAY
from triggers.moments import iso, parse_duration, parse_moment
from triggers.rules.checks import load
from triggers.rules.model import RuleSet
from triggers.testing import Story, documents

SUFFIXES: Final = (".scenarios.yaml", ".scenarios.yml")
_SCENARIO_KEYS: Final = {"given", "then", "never", "until", "start", "live"}
_GIVEN_KEYS: Final = {
    "at",
    "user",
    "event",
    "properties",
    "traits",
    "happened",
    "messageId",
    "pause",
    "resume",
    "go-live",
    "every",
    "times",
}


class ScenarioError(ValueError):
    """A scenario file that cannot be run; the message names file and scenario."""


@dataclass(frozen=True)
class Result:
    """What became of one scenario."""

    file: str
    name: str
    failures: tuple[str, ...]
    timeline: str
    """What happened, a line each; empty when all is well."""

    @property
    def passed(self) -> bool:
        return not self.failures


def run_scenarios(rules: Mapping[str, str] | RuleSet, files: Mapping[str, str]) -> list[Result]:
    """Runs all scenarios of the files, in their order. Raises `RuleErrors` and `ScenarioError`."""
    checked = rules if isinstance(rules, RuleSet) else load(rules)
    return [_run(checked, file, name, scenario) for file, text in sorted(files.items()) for name, scenario in _read(file, text).items()]


def _read(file: str, text: str) -> dict[str, dict[str, Any]]:
    try:
        document = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise ScenarioError(f"{file}: not YAML: {error}") from None
    scenarios = document.get("scenarios") if isinstance(document, dict) and document.get("version") == 1 else None
    if not isinstance(scenarios, dict):
        raise ScenarioError(f"{file}: expected `version: 1` and a mapping `scenarios`")
    for name, scenario in scenarios.items():
        _check_keys(f"{file}: {name}", scenario, _SCENARIO_KEYS)
        for given in scenario.get("given") or ():
            _check_keys(f"{file}: {name}: given", given, _GIVEN_KEYS)
    return scenarios


def _check_keys(place: str, mapping: object, allowed: set[str]) -> None:
    if not isinstance(mapping, dict):
        raise ScenarioError(f"{place}: expected a mapping, got {mapping!r}")
    unknown = [str(key) for key in mapping if key not in allowed]
    if unknown:
        raise ScenarioError(f"{place}: unknown key {', '.join(unknown)}; known are {', '.join(sorted(allowed))}")


def _run(rules: RuleSet, file: str, name: str, scenario: Mapping[str, Any]) -> Result:
    place = f"{file}: {name}"
    try:
        story = _tell(rules, scenario)
    except (ValueError, KeyError, TypeError) as error:
        raise ScenarioError(f"{place}: {error}") from None
    output = story.fold()[1]
    outcomes = {"action": documents(output.actions), "decision": documents(output.decisions)}
    failures = [f"expected, but it did not come: {_show(e)}" for e in _missing(scenario.get("then") or (), outcomes)]
    failures += [f"it should never have come: {_show(e)}" for e in scenario.get("never") or () if _matching(e, outcomes)]
    failures += [f"dead letter: {dict(out.headers)['reason'].decode()}" for out in output.dead_letters]
    users = list(dict.fromkeys(record.key.decode() for record in story.log if record.key))
    return Result(file, name, tuple(failures), "\n".join(map(story.timeline, users)) if failures else "")


def _tell(rules: RuleSet, scenario: Mapping[str, Any]) -> Story:
    given = list(scenario.get("given") or ())
    first = next((_moment(g["at"], 0) for g in given if "at" in g), 0)
    start = _moment(scenario["start"], 0) if "start" in scenario else max(0, first - DAY)
    story = Story(rules, start=start, live=scenario.get("live", True))
    at = first
    for record in given:
        at = _moment(record["at"], at) if "at" in record else at
        for _ in range(int(record.get("times", 1))):
            _tell_one(story, record, at)
            if "every" in record:
                at += parse_duration(str(record["every"]))
    if "until" in scenario:
        story.until(_moment(scenario["until"], at))
    return story


def _tell_one(story: Story, record: Mapping[str, Any], at: int) -> None:
    for command in ("pause", "resume"):
        if command in record:
            story.command(command, at, journey=str(record[command]))
            return
    if "go-live" in record:
        story.go_live(at)
        return
    how: dict[str, Any] = {"at": at}
    if "happened" in record:
        how["happened"] = _moment(record["happened"], at)
    if "messageId" in record:
        how["messageId"] = record["messageId"]
    if "traits" in record:
        story.identify(str(record["user"]), record["traits"], **how)
    if "event" in record:
        story.track(str(record["user"]), str(record["event"]), record.get("properties") or {}, **how)


def _moment(value: object, before: int) -> int:
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return before + parse_duration(text[1:]) if text.startswith("+") else parse_moment(text)


def _missing(expected: Iterable[Mapping[str, Any]], outcomes: Mapping[str, list[dict[str, Any]]]) -> list[Mapping[str, Any]]:
    """Each expectation takes one outcome for itself: two equal ones want two."""
    taken: set[int] = set()
    missing = []
    for expectation in expected:
        found = next((outcome for outcome in _matching(expectation, outcomes) if id(outcome) not in taken), None)
        if found is None:
            missing.append(expectation)
        else:
            taken.add(id(found))
    return missing


def _matching(expectation: Mapping[str, Any], outcomes: Mapping[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [outcome for outcome in outcomes["decision" if "kind" in expectation else "action"] if _fits(expectation, outcome)]


def _fits(expectation: Mapping[str, Any], outcome: Mapping[str, Any]) -> bool:
    for key, wanted in expectation.items():
        got = outcome.get(key)
        if key in ("at", "due", "not_after"):
            if got is None or got != _moment(wanted, 0):
                return False
        elif isinstance(wanted, dict):
            if not isinstance(got, dict) or not _fits(wanted, got):
                return False
        elif got != wanted and str(got) != str(wanted):
            return False
    return True


def _show(expectation: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}: {iso(_moment(v, 0)) if key in ('at', 'due', 'not_after') else v}" for key, v in expectation.items())
