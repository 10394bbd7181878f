"""Scenario files: tests of rules by the people who write them, in YAML next to the rules (`*.scenarios.yaml`), in virtual time.

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
`go-live: true`, `apply: ../newer-rules`), or a command about one user (`suppress: ann`, `unsuppress: ann`, `erase: ann`,
`{user: ann, enter: JOURNEY}`). `at` is an ISO moment, or `+3d` after the record before; `happened` is the event time where it is
another; `every: 1d` with `times: 30` repeats a record. `then` must all be among the actions, each once, in any order; `never` must not be.
What an expectation does not name may be anything. An expectation with a `kind` looks at the decisions instead of the actions. `live: false`
begins before go-live. `start`: when the rules are applied (by default a day before the first record).

The files are read and checked by `triggers.scenarios.files` before anything runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from triggers.base.moments import iso
from triggers.definitions.model import RuleSet
from triggers.records.timelines import source_offset
from triggers.rules.checks import load
from triggers.scenarios.files import Scenario, ScenarioErrors, read_scenarios
from triggers.scenarios.given import Fetch, Given
from triggers.testing import Story

__all__ = ["Result", "ScenarioErrors", "run_scenarios"]


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


def run_scenarios(rules: Mapping[str, str] | RuleSet, files: Mapping[str, str], fetch: Fetch | None = None) -> list[Result]:
    """Run all scenarios of the files, in their order. `fetch` returns the rules that they apply in mid-story.

    Raises `RuleErrors`, and `ScenarioErrors` before any has run.
    """
    checked = rules if isinstance(rules, RuleSet) else load(rules)
    return [_run(checked, scenario) for scenario in read_scenarios(checked, files, fetch)]


def _run(rules: RuleSet, scenario: Scenario) -> Result:
    story = Story(rules, start=scenario.start, live=scenario.live)
    by_offset: dict[int, Given] = {}
    for given in scenario.given:
        by_offset[len(story.log)] = given
        _tell(story, given)
    if scenario.until is not None:
        story.until(scenario.until)
    failures = story.failures(scenario.then, scenario.never, lambda out: _words(by_offset[source_offset(out)]))
    users = dict.fromkeys(given.user for given in scenario.given if given.user and failures)
    return Result(scenario.file, scenario.name, tuple(failures), "\n".join(map(story.timeline, users)))


def _words(given: Given) -> str:
    """Say which record of the file it was: `line 5, Order Completed of ann at 2026-01-05T09:00:00.000Z`."""
    name = given.name or given.kind
    return f"line {given.line}, {f'{name} of {given.user}' if given.user else name} at {iso(given.at)}"


def _tell(story: Story, given: Given) -> None:
    how: dict[str, Any] = {"at": given.at}
    if given.happened is not None:
        how["happened"] = given.happened
    if given.message_id is not None:
        how["messageId"] = given.message_id
    if given.kind == "event":
        context = {"context": dict(given.context)} if given.context else {}
        story.track(given.user, given.name, given.content, **context, **how)
    elif given.kind == "traits":
        story.identify(given.user, given.content, **how)
    elif given.kind == "go-live":
        story.go_live(given.at)
    elif given.rules is not None:
        story.apply(given.rules, given.at)
    elif given.kind == "pause":
        story.pause(given.name, given.at)
    elif given.kind == "resume":
        story.resume(given.name, given.at)
    else:
        words: dict[str, Any] = {"channel": given.channel, "journey": given.name or None, "reason": given.reason}
        story.user_command(given.kind, given.user, given.at, id_=given.message_id, **words)
