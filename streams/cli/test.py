"""`cueline test`: the scenarios that lie beside the rules, in virtual time."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import typer

from streams.cli.check import Rules, read_rules, scenario_files
from streams.cli.words import count_of
from triggers.rules.checks import load
from triggers.rules.folder import read_folder
from triggers.rules.model import RuleSet
from triggers.scenarios.running import Result, ScenarioErrors, run_scenarios


def test(rules: Rules) -> None:
    """Run the scenarios of a rule folder (*.scenarios.yaml): invented events, and what must and must not follow.

    Examples:

        cueline test examples/reading-app

    A line for each scenario; a failing one with the timeline of its users. Scenario files are checked like rules: all that is wrong, with
    file, line, column and what would be right. A wrong file counts as failed, and none of its scenarios is run. Exit code 1 when one fails,
    or the rules are wrong.
    """
    checked = read_rules(rules)
    begun = time.perf_counter()
    passed = failed = 0
    for path in scenario_files(rules):
        results = _run(checked, rules, path)
        failed += results is None
        for result in results or ():
            _show(result)
            passed += result.passed
            failed += not result.passed
    if not passed + failed:
        print(f"{rules}: no scenarios; write some into a file such as welcome.scenarios.yaml", file=sys.stderr)
        return
    print(f"{passed} passed, {failed} failed in {time.perf_counter() - begun:.2f} s")
    if failed:
        raise typer.Exit(1)


def _run(rules: RuleSet, folder: Path, path: Path) -> list[Result] | None:
    """What became of the scenarios of one file; None: it is wrong, and stderr says how."""
    try:
        return run_scenarios(rules, {path.relative_to(folder).as_posix(): path.read_text("utf-8")}, partial(_others, folder))
    except ScenarioErrors as errors:
        for problem in errors.problems:
            print(replace(problem, file=str(path)), file=sys.stderr)
        print(f"FAIL  {path}: {count_of(len(errors.problems), 'problem')}, so none of its scenarios was run", file=sys.stderr)
    except UnicodeDecodeError as error:
        print(f"FAIL  {path}: not UTF-8: byte 0x{error.object[error.start]:02X}; save the file as UTF-8", file=sys.stderr)
    except OSError as error:
        print(f"FAIL  {path}: cannot be read: {error.strerror}", file=sys.stderr)
    return None


def _others(folder: Path, file: str, name: str) -> RuleSet:
    """The rules that a scenario file applies in mid-story: a folder, or one file."""
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
