"""`cueline check`: everything that is wrong in a rule folder, at once; nothing is connected to."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, TextIO

import typer

from streams.cli.words import count_of
from triggers.rules.checks import load
from triggers.rules.documents import RuleErrors
from triggers.rules.folder import read_folder
from triggers.rules.model import RuleSet

Rules = Annotated[Path, typer.Argument(metavar="RULES", help="The folder with the rule files (*.yaml).", show_default=False)]


def read_rules(folder: Path, to: TextIO | None = None) -> RuleSet:
    """The rule set of a folder. Where it is wrong, tells all problems as `file:line:column: ...` and ends the command with code 1.

    They go to stderr, for whoever wants something else of the rules; of a check they are the result, so it has them on stdout.
    """
    try:
        return load(read_folder(folder))
    except RuleErrors as errors:
        for problem in errors.problems:
            print(replace(problem, file=str(folder / problem.file)), file=to or sys.stderr)
        print(count_of(len(errors.problems), "problem"), file=to or sys.stderr)
    except NotADirectoryError:
        what = "is a file; name the folder it lies in" if folder.exists() else "does not exist"
        print(f"{folder}: {what}", file=sys.stderr)
    except OSError as error:
        print(f"{folder}: cannot be read: {error.strerror}", file=sys.stderr)
    raise typer.Exit(1)


def check(rules: Rules) -> None:
    """Check a folder of rules: all that is wrong, with file, line, column and what would be right.

    Examples:

        cueline check examples/reading-app

    Prints what is in it when all is well. Exit code 1 when something is wrong.
    """
    checked = read_rules(rules, sys.stdout)
    print(f"{rules}: all is well")
    print(f"  files     {len(checked.files)}")
    for what, names in (("segments", checked.segments), ("journeys", checked.journeys)):
        print(f"  {what}  {len(names)}" + (f"  {', '.join(names)}" if names else ""))
    print(f"  time zone {checked.time_zone}")
    print(f"  rule set  {checked.hash}")
