"""`cueline check`: find all errors of a rule folder in one run, without a connection."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, TextIO

import typer

from streams.cli.files import Event, Name, Separator, User, columns_of
from streams.cli.lines import as_json as json_of
from streams.cli.shapes import misfit, problem, result
from streams.cli.words import count_of
from streams.ingest.tables import Columns
from triggers.definitions.model import RuleSet
from triggers.language.documents import Problem, RuleErrors
from triggers.rules.checks import read
from triggers.rules.folder import SUFFIXES, read_folder
from triggers.rules.warnings import warnings
from triggers.rules.warnings.names import unseen
from triggers.rules.written import Written

Rules = Annotated[Path, typer.Argument(metavar="RULES", help="The folder with the rule files (*.yaml).", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]
NEWEST: Final = 64
"""MiB of the log that are searched for event names."""


class Unusable(Exception):  # noqa: N818 - what it says
    """A folder of rules is wrong, or cannot be read."""

    def __init__(self, folder: Path, problems: Sequence[Problem] = (), message: str = "") -> None:
        self.folder = folder
        self.problems = problems
        self.message = message
        """The problem with the folder as a whole."""
        super().__init__(message)

    def documents(self) -> list[dict[str, Any]]:
        """Return the problems as `--json` prints them."""
        return [misfit(self.folder, self.message)] if self.message else [problem(found, self.folder) for found in self.problems]


def read_rules(folder: Path, to: TextIO | None = None) -> RuleSet:
    """Return the rule set of a folder. If it is wrong, print all problems as `file:line:column: ...` and end the command with code 1.

    Problems go to stderr by default. `check` passes stdout, because there they are the result.
    """
    return read_written(folder, to).rules


def read_written(folder: Path, to: TextIO | None = None) -> Written:
    """Return the rule set of a folder with its places; end the command as `read_rules` does."""
    try:
        return written_of(folder)
    except Unusable as error:
        for found in error.problems:
            print(replace(found, file=str(folder / found.file)), file=to or sys.stderr)
        if error.message:
            print(f"{folder}: {error.message}", file=sys.stderr)
        else:
            print(count_of(len(error.problems), "problem"), file=to or sys.stderr)
    raise typer.Exit(1)


def written_of(folder: Path) -> Written:
    """Return the rule set of a folder with its places. Raises `Unusable`."""
    try:
        return read(read_folder(folder))
    except RuleErrors as errors:
        raise Unusable(folder, errors.problems) from None
    except NotADirectoryError:
        raise Unusable(folder, message=_no_folder(folder)) from None
    except OSError as error:
        raise Unusable(folder, message=f"cannot be read: {error.strerror}") from None


def _no_folder(path: Path) -> str:
    """Say what is wrong with a path that is no folder."""
    if not path.exists():
        return "does not exist"
    if path.name.endswith(SUFFIXES):
        return f"is a file of scenarios; cueline test {path.parent} runs it with the rules of its folder"
    return "is a file; name its folder"


def print_warnings(folder: Path, found: Iterable[Problem], to: TextIO | None = None) -> None:
    """Print warnings as `file:line:column: warning: ...`."""
    for each in found:
        print(replace(each, file=str(folder / each.file), message=f"warning: {each.message}"), file=to or sys.stderr)


def warnings_of(folder: Path, written: Written) -> list[Problem]:
    """Return all warnings for the rules of a folder and its scenario files."""
    return warnings(written, _scenarios(folder))


def scenario_files(folder: Path) -> list[Path]:
    hidden = (path for path in folder.rglob("*") if not any(part.startswith(".") for part in path.relative_to(folder).parts))
    return sorted(path for path in hidden if path.name.endswith(SUFFIXES) and path.is_file())


def _scenarios(folder: Path) -> Mapping[str, str]:
    """Return the texts of the readable scenario files. `cueline test` reports what is wrong with the others."""
    texts: dict[str, str] = {}
    for path in scenario_files(folder):
        with suppress(OSError, UnicodeDecodeError):
            texts[path.relative_to(folder).as_posix()] = path.read_text("utf-8")
    return texts


def check(
    rules: Rules,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 for warnings too.")] = False,
    topic: Annotated[bool, typer.Option("--topic", help="Report events in the rules that are new to the live log.")] = False,
    newest: Annotated[int, typer.Option("--newest", metavar="MIB", min=1, help="With --topic: how much of the log to search.")] = NEWEST,
    events: Annotated[
        list[str] | None,
        typer.Option(
            "--events", metavar="FILE", help="Report events in the rules that are not in this file of events.", show_default=False
        ),
    ] = None,
    user: User = None,
    event: Event = None,
    name: Name = None,
    separator: Separator = None,
    as_json: Json = False,
) -> None:
    """Check a folder of rules. Reports all errors with file, line, column and the correction.

    Also warns of rules that are valid but probably not intended: rules that can never act, names that look misspelt.

    Examples:

        cueline check examples/reading-app
        cueline check rules/ --strict
        cueline check rules/ --events january.jsonl
        cueline check rules/ --events orders.csv --user customer --event what
        cueline check rules/ --topic
        cueline check rules/ --json | jq '.problems[]'

    Without errors it prints a summary. Exit code 1 if there are errors; with --strict also if there are warnings.
    """
    columns = columns_of(user=user, event=event, name=name, separator=separator)
    try:
        written = written_of(rules) if as_json else read_written(rules, sys.stdout)
    except Unusable as error:
        print(json_of(result("check", ok=False, problems=error.documents())))
        raise typer.Exit(1) from None
    found = warnings_of(rules, written)
    if events:
        found += _unseen_in_files(written, events, columns)
    if topic:
        found += _unseen_in_topic(written, newest)
    ok = not (found and strict)
    if as_json:
        print(json_of(_document(rules, written, sorted(set(found)), ok=ok)))
    else:
        _print(rules, written, sorted(set(found)))
    if not ok:
        raise typer.Exit(1)


def _document(folder: Path, written: Written, found: Sequence[Problem], *, ok: bool) -> dict[str, Any]:
    checked = written.rules
    return result(
        "check",
        ok=ok,
        warnings=[problem(each, folder) for each in found],
        files=[str(folder / name) for name in checked.files],
        segments=list(checked.segments),
        journeys=list(checked.journeys),
        tiers={name: [level.name for level in tier.levels] for name, tier in checked.tiers.items()},
        made=[{"section": section, "name": name, "names": list(made)} for (section, name), made in sorted(written.made.items())],
        time_zone=checked.time_zone,
        rule_set=checked.hash,
    )


def _print(rules: Path, written: Written, found: Sequence[Problem]) -> None:
    checked = written.rules
    print_warnings(rules, found, sys.stdout)
    print(f"{rules}: {count_of(len(found), 'warning')}" if found else f"{rules}: all is well")
    print(f"  files     {len(checked.files)}")
    tiers = [f"{name} ({', '.join(level.name for level in tier.levels)})" for name, tier in checked.tiers.items()]
    for what, names in (("segments", checked.segments), ("journeys", checked.journeys), *([("tiers   ", tiers)] if tiers else [])):
        print(f"  {what}  {len(names)}" + (f"  {', '.join(names)}" if names else ""))
    for (section, name), made in sorted(written.made.items()):
        values = ", ".join(one.removeprefix(f"{name}-") for one in made)
        print(f"  each      the {section[:-1]} {name} makes {len(made)}: {values}")
    print(f"  time zone {checked.time_zone}")
    print(f"  rule set  {checked.hash}")


def _unseen_in_files(written: Written, files: list[str], columns: Columns) -> list[Problem]:
    from streams.browse.event_names import of_files
    from streams.ingest.calls import BadLine

    for file in files:
        if not Path(file).is_file():
            raise typer.BadParameter(f"there is no file {file}", param_hint="--events")
    try:
        return unseen(written, of_files(files, columns), ", ".join(Path(file).name for file in files))
    except BadLine as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from None


def _unseen_in_topic(written: Written, newest: int) -> list[Problem]:
    from streams.browse.event_names import MIB, of_topic
    from streams.settings import load

    settings = load()
    seen = asyncio.run(of_topic(settings, newest * MIB))
    return unseen(written, seen, f"the newest {newest} MiB of {settings.names.events}")
