"""`cueline test`: run the scenarios of a rule folder in virtual time."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import typer

from streams.cli.check import Json, Rules, Unusable, read_rules, scenario_files, written_of
from streams.cli.lines import as_json as json_of
from streams.cli.shapes import misfit, problem, result
from streams.cli.words import count_of
from triggers.definitions.model import RuleSet
from triggers.language.documents import Problem
from triggers.rules.checks import load
from triggers.rules.folder import read_folder
from triggers.scenarios.running import Result, ScenarioErrors, run_scenarios


class Results:
    """The results of the scenarios of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.scenarios: list[Result] = []
        self.problems: list[dict[str, Any]] = []
        self.wrong_files = 0

    @property
    def passed(self) -> int:
        return sum(each.passed for each in self.scenarios)

    @property
    def failed(self) -> int:
        """Scenarios that failed, and files that are wrong."""
        return len(self.scenarios) - self.passed + self.wrong_files

    def document(self, seconds: float = 0.0) -> dict[str, Any]:
        """Return the results as `--json` prints them."""
        return result(
            "test",
            ok=not self.failed,
            problems=self.problems,
            passed=self.passed,
            failed=self.failed,
            seconds=round(seconds, 3),
            scenarios=[
                {
                    "file": str(self._folder / each.file),
                    "name": each.name,
                    "ok": each.passed,
                    "failures": each.failures,
                    "timeline": each.timeline.splitlines(),
                }
                for each in self.scenarios
            ],
        )


def test(rules: Rules, *, as_json: Json = False) -> None:  # noqa: PT028 - a command; pytest never sees it
    """Run the scenarios of a rule folder (*.scenarios.yaml): invented events, and what must and must not follow.

    Examples:

        cueline test examples/reading-app
        cueline test rules/ --json | jq '.scenarios[] | select(.ok | not)'

    Prints a line for each scenario; for a failed one also the timeline of its users. Scenario files are checked like rules, with file,
    line, column and the correction. A wrong file counts as failed, and none of its scenarios runs. Exit code 1 if one fails, or the rules
    are wrong.
    """
    results = Results(rules)
    try:
        checked = written_of(rules).rules if as_json else read_rules(rules)
    except Unusable as error:
        results.problems, results.wrong_files = error.documents(), 1
        print(json_of(results.document()))
        raise typer.Exit(1) from None
    begun = time.perf_counter()
    for path in scenario_files(rules):
        _run(checked, rules, path, results, as_json=as_json)
    if as_json:
        print(json_of(results.document(time.perf_counter() - begun)))
    elif results.scenarios or results.failed:
        print(f"{results.passed} passed, {results.failed} failed in {time.perf_counter() - begun:.2f} s")
    else:
        print(f"{rules}: no scenarios; write some into a file such as welcome.scenarios.yaml", file=sys.stderr)
    if results.failed:
        raise typer.Exit(1)


def _run(rules: RuleSet, folder: Path, path: Path, results: Results, *, as_json: bool) -> None:
    """Add the results of the scenarios of one file, or the problems of a wrong file."""
    problems: Sequence[Problem] = ()
    try:
        found = run_scenarios(rules, {path.relative_to(folder).as_posix(): path.read_text("utf-8")}, partial(_others, folder))
    except ScenarioErrors as errors:
        problems = [replace(each, file=str(path)) for each in errors.problems]
        why = f"{count_of(len(problems), 'problem')}, so none of its scenarios was run"
    except UnicodeDecodeError as error:
        why = f"not UTF-8: byte 0x{error.object[error.start]:02X}; save the file as UTF-8"
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
    else:
        results.scenarios += found
        if not as_json:
            for each in found:
                _show(each)
        return
    results.wrong_files += 1
    results.problems += [problem(each) for each in problems] or [misfit(path, why)]
    if not as_json:
        for wrong in problems:
            print(wrong, file=sys.stderr)
        print(f"FAIL  {path}: {why}", file=sys.stderr)


def _others(folder: Path, file: str, name: str) -> RuleSet:
    """Return the rules that a scenario file applies during a story: a folder, or one file."""
    return _loaded(((folder / file).parent / name).resolve())


@cache
def _loaded(path: Path) -> RuleSet:
    return load({path.name: path.read_text("utf-8")} if path.is_file() else read_folder(path))


def _show(result: Result) -> None:
    print(f"{'ok   ' if result.passed else 'FAIL '} {result.file}: {result.name}")
    for failure in result.failures:
        print(f"      {failure}")
    for line in result.timeline.splitlines():
        print(f"      {line}")
