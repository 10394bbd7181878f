"""`cueline apply`, `pause`, `resume`, `go-live`, `override`: write commands into the log."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from streams.commands.send import Done

At = Annotated[
    str | None, typer.Option(help="Moment of the command, if the log has its own clock (clock=log).", metavar="ISO", show_default=False)
]
Force = Annotated[bool, typer.Option("--force", help="Write the command even if it changes nothing.")]
Journey = Annotated[str, typer.Argument(metavar="JOURNEY", help="Name of the journey.", show_default=False)]


def apply(
    rules: Annotated[Path, typer.Argument(metavar="RULES", help="The folder with the rule files (*.yaml).", show_default=False)],
    *,
    at: At = None,
    force: Force = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the changes, and write nothing.")] = False,
    no_count: Annotated[bool, typer.Option("--no-count", help="Do not count the users who are inside runs that change.")] = False,
) -> None:
    """Check rules, show the changes, publish the rules, and switch every partition to them at one place in its log.

    A rule set with an error is never published: all errors are reported, and the active rule set continues. If a journey changes that was
    there before, the users who are inside its runs are counted, from the states in the changelog.

    Examples:

        cueline apply rules/
        cueline apply rules/ --dry-run
        cueline apply rules/ --yes
        CUELINE_CLOCK=log cueline apply examples/cdnow --at 1996-12-31T00:00Z

    On a terminal it asks before it replaces rules. In a script, give --yes: without it, an apply is refused if journeys disappear or runs
    end. Every user is migrated to the new rules, also users without events. A user who is already inside a segment then has not entered it.
    """
    from streams.cli.check import print_warnings, read_written, warnings_of
    from streams.cli.screen import Meter
    from streams.commands import send as control
    from streams.settings import load

    written = read_written(rules)
    checked = written.rules
    print_warnings(rules, warnings_of(rules, written))
    settings, moment = load(), _moment(at)
    count = None if no_count else partial(Meter, "counting users inside runs", unit="records")
    seen = asyncio.run(control.preview(settings, checked.files, at=moment, force=force, count=count))
    if not seen.written:
        print(seen.message)
        return
    for line in seen.changes.lines:
        print(f"  {line}")
    if dry_run:
        print(f"{seen.message}; nothing was written (--dry-run)")
        return
    if not yes and (seen.changes.loses or (seen.replaces and sys.stdin.isatty())):
        _confirm(seen.changes.loses or "replaces the active rules", " (--dry-run only shows it)")
    done = asyncio.run(control.apply(settings, checked.files, at=moment, force=force, after=seen.last))
    print(done.message)


def _confirm(loses: str, instead: str = "") -> None:
    """Ask whether to continue although something is lost. Raises `Refused` without a terminal."""
    from streams.commands.send import Refused

    if not sys.stdin.isatty():
        raise Refused(f"nothing was written: this {loses}, and there is no terminal to ask on; give --yes{instead}")
    typer.confirm(f"This {loses}. Continue?", abort=True, err=True)


def pause(journey: Journey, *, at: At = None, force: Force = False) -> None:
    """Pause a journey: no user enters, and runs are held at their current wait.

    Examples:

        cueline pause win-back
    """
    from streams.commands import send as control
    from streams.settings import load

    _print(control.pause(load(), journey, at=_moment(at), force=force))


def resume(journey: Journey, *, at: At = None, force: Force = False) -> None:
    """Resume a paused journey. Held runs continue by the journey's late policy.

    Examples:

        cueline resume win-back
    """
    from streams.commands import send as control
    from streams.settings import load

    _print(control.resume(load(), journey, at=_moment(at), force=force))


def go_live(*, at: At = None, force: Force = False) -> None:
    """Send decisions from here on. Before it, everything is dry: decisions, but no actions.

    So you can feed history and check the decisions first, without messages to users about last year.

    Examples:

        cueline go-live
    """
    from streams.commands import send as control
    from streams.settings import load

    _print(control.go_live(load(), at=_moment(at), force=force))


def override(
    partition: Annotated[int, typer.Argument(help="Partition of `events`.", show_default=False)],
    offset: Annotated[
        str, typer.Argument(metavar="OFFSET|FIRST-LAST", help="Offset of the record; offsets of the batch.", show_default=False)
    ],
    reason: Annotated[str, typer.Option(help="Why. The topic `rules` keeps it for later questions.", show_default=False)],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before skipping a batch.")] = False,
) -> None:
    """Let a partition continue that has stopped before a record or a batch. Every replay follows the override too.

    OFFSET: a record whose timestamp is far ahead of the worker's clock (a wrong broker clock would fire a day of timers). It is folded, and
    does not move the log's clock. FIRST-LAST: a batch that cannot be read. It is skipped, and its records are lost; refused if the batch
    can be read. The worker's log names both.

    Examples:

        cueline override 3 184467 --reason "broker 2 had the year 2031, ticket 815"
        cueline override 3 184467-184502 --reason "disk of broker 2, ticket 816"
    """
    from streams.commands import send as control
    from streams.settings import load

    first, last = _offsets(offset)
    if last is None:
        _print(control.override(load(), partition, first, reason))
    else:
        _skip(partition, first, last, reason, yes=yes)


def _offsets(text: str) -> tuple[int, int | None]:
    first, dash, last = text.partition("-")
    if not all(number.isdecimal() and number.isascii() and len(number) <= 19 for number in ((first, last) if dash else (first,))):
        raise typer.BadParameter("write one offset as 184467, a batch as 184467-184502", param_hint="OFFSET")
    return int(first), int(last) if dash else None


def _skip(partition: int, first: int, last: int, reason: str, *, yes: bool) -> None:
    from streams.commands import skipping
    from streams.settings import load

    settings = load()
    loss = asyncio.run(skipping.look(settings, partition, first, last))
    for line in loss.lines:
        print(f"  {line}")
    if not yes:
        _confirm(f"loses the records at offsets {first} to {last}")
    print(asyncio.run(skipping.skip(settings, loss, reason)))


def _print(command: Coroutine[None, None, Done]) -> None:
    print(asyncio.run(command).message)


def _moment(text: str | None) -> int | None:
    from triggers.base.moments import parse_moment

    if text is None:
        return None
    try:
        return parse_moment(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}; write it as 1996-12-31T00:00Z", param_hint="--at") from None
