"""`cueline test`: the scenarios that lie beside the rules, in virtual time."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import typer

from streams.cli.check import Rules, read_rules
from triggers.scenarios import SUFFIXES, Result, ScenarioError, run_scenarios


def test(rules: Rules) -> None:
    """Run the scenarios of a rule folder (*.scenarios.yaml): invented events, and what must and must not follow.

    Examples:

        cueline test examples/reading-app

    A line for each scenario; a failing one with the timeline of its users. Exit code 1 when one fails, or the rules are wrong.
    """
    checked = read_rules(rules)
    begun = time.perf_counter()
    passed = failed = 0
    for path in _files(rules):
        try:
            results = run_scenarios(checked, {path.relative_to(rules).as_posix(): path.read_text("utf-8")})
        except (ScenarioError, OSError, UnicodeDecodeError) as error:
            print(f"FAIL  {error}", file=sys.stderr)
            failed += 1
            continue
        for result in results:
            _show(result)
            passed += result.passed
            failed += not result.passed
    if not passed + failed:
        print(f"{rules}: no scenarios; write some into a file such as welcome.scenarios.yaml", file=sys.stderr)
        return
    print(f"{passed} passed, {failed} failed in {time.perf_counter() - begun:.2f} s")
    if failed:
        raise typer.Exit(1)


def _files(folder: Path) -> list[Path]:
    hidden = (path for path in folder.rglob("*") if not any(part.startswith(".") for part in path.relative_to(folder).parts))
    return sorted(path for path in hidden if path.name.endswith(SUFFIXES) and path.is_file())


def _show(result: Result) -> None:
    print(f"{'ok   ' if result.passed else 'FAIL '} {result.file}: {result.name}")
    for failure in result.failures:
        print(f"      {failure}")
    for line in result.timeline.splitlines():
        print(f"      {line}")
