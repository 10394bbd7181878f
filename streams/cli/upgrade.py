"""`cueline upgrade`: move a log to this release."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from streams.cli.commands import At
from streams.cli.files import moment as moment_of
from streams.cli.words import count_of


def upgrade(
    *,
    snapshot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Copy all states and positions to this file first.", show_default="APP-N.snapshot"),
    ] = None,
    at: At = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, and write nothing.")] = False,
) -> None:
    """Move a log to this release, its time zone data and its setting accept_foreign_keys.

    Run it with the new release and the settings of its workers. It shows its plan, asks, copies all states and positions to a file, and
    writes one command into each partition.

    From release 0.1.0: stop all workers, upgrade, start the new workers. From a later release: upgrade, and start the new workers. The old
    workers fold up to the upgrade and exit with code 0. The new workers wait for that.

    The way back is `cueline rebase --all --from FILE`.

    Examples:

        cueline upgrade
        cueline upgrade --dry-run
        cueline upgrade --yes --snapshot /backup/shop.snapshot
    """
    from streams.cli.screen import Meter
    from streams.commands import upgrade as doing
    from streams.commands.write import Refused
    from streams.settings import load

    settings, moment = load(), moment_of(at, "--at")
    planned = asyncio.run(doing.plan(settings, at=moment))
    if not planned.written:
        print(planned.message)
        return
    file = snapshot or Path(f"{settings.app}-{planned.last}.snapshot")
    users = sum(position.users for position in planned.positions.values())
    whose = count_of(users, "user") if users else "all users"
    copy = f"first the states of {whose} and {count_of(len(planned.positions), 'position')} are copied to {file}"
    for line in (*planned.lines, copy if planned.positions else "no worker has saved anything yet, so no copy is made"):
        print(f"  {line}")
    if dry_run:
        print(f"{planned.message}; nothing was written (--dry-run)")
        return
    if not yes:
        if not sys.stdin.isatty():
            raise Refused("nothing was written: there is no terminal to ask on; say --yes (--dry-run only shows it)")
        typer.confirm(f"This moves {settings.names.events} to {planned.terms}. Continue?", abort=True, err=True)
    with Meter("copying", unit="records") as meter:
        done = asyncio.run(doing.upgrade(settings, planned, file, at=moment, progress=meter))
    print(done.message)
