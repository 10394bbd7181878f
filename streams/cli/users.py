"""`cueline suppress`, `unsuppress`, `erase`, `enter`: commands about single users."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from streams.commands.to_users import Order

SHOWN: Final = 5
"""Users that are named before the question."""

Users = Annotated[list[str] | None, typer.Argument(metavar="USER...", help="User ids.", show_default=False)]
File = Annotated[
    Path | None, typer.Option("--file", "-f", metavar="FILE", help="A file of user ids, one a line; - is stdin.", show_default=False)
]
Channel = Annotated[str | None, typer.Option(metavar="CHANNEL", help="Only this channel; otherwise all.", show_default=False)]
At = Annotated[
    str | None, typer.Option(help="Moment of the command, if the log has its own clock (clock=log).", metavar="ISO", show_default=False)
]
Id = Annotated[
    str | None,
    typer.Option(
        "--id", metavar="NAME", help="Name of this command. The same name again changes nothing, within a day.", show_default=False
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def suppress(
    users: Users = None,
    *,
    file: File = None,
    channel: Channel = None,
    reason: Annotated[str | None, typer.Option(help="Why. The user's state and the decision keep it.", show_default=False)] = None,
    at: At = None,
    name: Id = None,
    yes: Yes = False,
) -> None:
    """Send nothing to these users any more: by no channel, or not by one. Journeys continue; their sends are blocked.

    It holds also for transactional messages, and for users without events.

    Examples:

        cueline suppress ann --reason "asked by phone"
        cueline suppress ann bob --channel sms
        cueline suppress --file complaints.txt --reason "complaint" --yes
    """
    _write("suppress", users, file, at=at, yes=yes, batch=name, channel=channel, reason=reason)


def unsuppress(
    users: Users = None, *, file: File = None, channel: Channel = None, at: At = None, name: Id = None, yes: Yes = False
) -> None:
    """Lift the suppression of these users: of one channel, or all. What was blocked is not made up for.

    Examples:

        cueline unsuppress ann
        cueline unsuppress ann --channel sms
    """
    _write("unsuppress", users, file, at=at, yes=yes, batch=name, channel=channel)


def erase(users: Users = None, *, file: File = None, at: At = None, name: Id = None, yes: Yes = False) -> None:
    """Remove all that is known of these users: traits, windows, runs. Only a suppression stays. The next event is a first record.

    Records in the topics stay until their retention ends.

    Examples:

        cueline erase ann
        cueline erase --file deletions.txt --yes --id ticket-815
    """
    _write("erase", users, file, at=at, yes=yes, batch=name)


def enter(
    users: Users = None,
    *,
    journey: Annotated[str, typer.Option(metavar="JOURNEY", help="Name of a journey of the active rules.", show_default=False)],
    file: File = None,
    at: At = None,
    name: Id = None,
    yes: Yes = False,
) -> None:
    """Let these users enter a journey now, by hand. What refuses any entry refuses this one: a pause, a running run, re_entry.

    Examples:

        cueline enter ann --journey welcome
        cueline enter --file invited.txt --journey beta --yes
    """
    _write("enter", users, file, at=at, yes=yes, batch=name, journey=journey)


def _write(
    kind: str,
    users: list[str] | None,
    file: Path | None,
    *,
    at: str | None,
    yes: bool,
    batch: str | None = None,
    channel: str | None = None,
    journey: str | None = None,
    reason: str | None = None,
) -> None:
    from streams.cli.commands import _moment
    from streams.cli.screen import Meter
    from streams.cli.words import count_of
    from streams.commands import to_users
    from streams.settings import load

    settings, moment = load(), _moment(at)
    found = to_users.distinct([*(users or ()), *_read(file)])
    wanted = to_users.order(kind, at=moment, batch=batch, channel=channel, journey=journey, reason=reason)
    if not yes:
        _ask(wanted, found)
    with Meter(kind, len(found), "users") as meter:
        written = asyncio.run(to_users.send(settings, wanted, found, timed=moment is not None, progress=meter))
    print(f"{kind} written for {count_of(len(found), 'user')} in {count_of(written, 'record')}, id {wanted.name}")


def _ask(wanted: Order, users: list[str]) -> None:
    """Show what will happen, and ask. Raises `Refused` without a terminal."""
    from streams.cli.words import count_of, printable
    from streams.commands.to_users import what_it_does
    from streams.commands.write import Refused

    more = f" and {len(users) - SHOWN:,} more" if len(users) > SHOWN else ""
    names = f"{', '.join(map(printable, users[:SHOWN]))}{more}"
    what = f"{wanted.kind} {count_of(len(users), 'user')} ({names}): {what_it_does(wanted)}"
    if not sys.stdin.isatty():
        raise Refused(f"nothing was written, because there is no terminal to ask on; give --yes. It would {what}")
    print(what)
    typer.confirm("Continue?", abort=True, err=True)


def _read(file: Path | None) -> list[str]:
    """Read the user ids of a file. Empty lines are skipped."""
    if file is None:
        return []
    text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8-sig")
    return [line for line in text.splitlines() if line]
