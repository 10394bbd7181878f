"""`cueline inspect`: what stands in the topics, readable."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import ExitStack, aclosing
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from streams import inspect as looking
from streams.cli.files import moment
from streams.cli.lines import as_json as json_of
from streams.cli.lines import of_position, of_record, of_user, of_user_line
from streams.cli.screen import Meter
from streams.cli.words import printable
from streams.settings import load
from triggers.user import WrongSchema, decode

if TYPE_CHECKING:
    from streams.settings import Settings
    from triggers.plan import Library

OPTIONS: Final = {
    "--user": ("events", "actions", "decisions", "receipts", "dead-letters", "users"),
    "--journey": ("actions", "decisions", "receipts", "users"),
    "--from": ("events", "actions", "decisions", "receipts", "dead-letters", "rules", "users"),
    "--follow": ("events", "actions", "decisions", "receipts", "dead-letters", "rules", "users"),
}
"""Which topics an option says something about. An option that would only be passed over is refused."""

Show = Callable[[object, str], None]
"""Prints a document: as JSON, or in these words."""


def inspect(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help=f"One of {', '.join(looking.WORDS)}.", show_default=False)],
    *,
    user: Annotated[str | None, typer.Option(metavar="ID", help="Only what is about this user.", show_default=False)] = None,
    rule: Annotated[
        str | None, typer.Option("--journey", metavar="JOURNEY", help="Only what is about this journey.", show_default=False)
    ] = None,
    since: Annotated[
        str | None, typer.Option("--from", metavar="ISO", help="Only records from this moment on.", show_default=False)
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what arrives, until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")] = False,
) -> None:
    """Show the records of a topic, each on a line, or the users table.

    Only committed records are shown. `users` lists everybody with the moment that they wait for; with --user it shows all that is kept of
    one user: windows, segments, runs, timers. `positions` shows how far each partition has been folded.

    Examples:

        cueline inspect actions --follow
        cueline inspect decisions --user ann --journey welcome
        cueline inspect users --user ann
        cueline inspect dead-letters --from 2026-01-31T18:00Z
        cueline inspect decisions --json | jq 'select(.value.kind == "refused")'
    """
    if topic not in looking.WORDS:
        raise typer.BadParameter(f"there is no {topic!r} to look at; there are {', '.join(looking.WORDS)}", param_hint="TOPIC")
    given = {"--user": user, "--journey": rule, "--from": since, "--follow": follow or None}
    for option, topics in OPTIONS.items():
        if given[option] is not None and topic not in topics:
            raise typer.BadParameter(f"it says nothing about {topic}; it goes with {', '.join(topics)}", param_hint=option)
    at = moment(since, "--from")
    settings = load()
    show = _show(as_json=as_json)
    if topic == "positions":
        asyncio.run(_positions(settings, show))
    elif topic == "users":
        asyncio.run(_users(settings, show, user=user, rule=rule, since=at, follow=follow))
    else:
        asyncio.run(_records(settings, topic, show, user=user, rule=rule, since=at, follow=follow))


def _show(*, as_json: bool) -> Show:
    """How things are printed: coloured on a terminal, plain in a pipe."""
    if as_json:
        return lambda document, _: print(json_of(document))
    if not sys.stdout.isatty():
        return lambda _, line: print(line)
    from rich.console import Console

    console = Console(soft_wrap=True)
    return lambda _, line: console.print(line, markup=False, emoji=False)


async def _read(
    settings: Settings, topic: str, partition: int | None, since: int | None, *, follow: bool, bar: bool
) -> AsyncGenerator[list[Any], None]:
    """The records; the bar goes when all there was has been read."""
    with ExitStack() as stack:
        meter = stack.enter_context(Meter(f"reading {topic}", unit="offsets")) if bar else None
        progress = meter or (lambda _done, _of: None)
        batches = looking.read(settings, topic, partition=partition, since=since, follow=follow, progress=progress)
        async with aclosing(batches):
            async for records in batches:
                if not records:
                    stack.close()
                yield records


async def _records(
    settings: Settings, word: str, show: Show, *, user: str | None, rule: str | None, since: int | None, follow: bool
) -> None:
    topic = looking.topic_of(settings, word)
    partition = await looking.partition_of(settings, topic, user) if user is not None and word in looking.KEYED else None
    # On a terminal the lines themselves show how it goes on.
    async with aclosing(_read(settings, topic, partition, since, follow=follow, bar=not sys.stdout.isatty())) as batches:
        async for records in batches:
            for record in records:
                if looking.is_about(record, user=user, rule=rule):
                    document = looking.document(record)
                    show(document, of_record(word, document))
            sys.stdout.flush()


async def _positions(settings: Settings, show: Show) -> None:
    for position in await looking.positions(settings):
        show(position, of_position(position))


async def _users(settings: Settings, show: Show, *, user: str | None, rule: str | None, since: int | None, follow: bool) -> None:
    topic = settings.names.changelog
    partition = None if user is None else await looking.partition_of(settings, topic, user)
    told = _Users(show, await looking.library(settings), user=user, rule=rule)
    caught_up = False
    async with aclosing(_read(settings, topic, partition, since, follow=follow, bar=True)) as batches:
        async for records in batches:
            changed = told.table.take_in(records)
            if caught_up:
                told.tell(changed)
            elif not records:
                caught_up = True
                told.tell(sorted(told.table.states))
            sys.stdout.flush()
    if user is not None and user not in told.table.states:
        print(printable(f"nothing is known of the user {user!r} (partition {partition})"), file=sys.stderr)
        raise typer.Exit(1)


class _Users:
    """Tells of users as their states are read."""

    def __init__(self, show: Show, library: Library, *, user: str | None, rule: str | None) -> None:
        self.table = looking.Table()
        self._show = show
        self._library = library
        self._user = user
        self._rule = rule

    def tell(self, names: Iterable[str]) -> None:
        for name in dict.fromkeys(names):
            if self._user in (None, name):
                try:
                    self._tell(name)
                except WrongSchema as error:
                    print(printable(f"{name}: {error}"), file=sys.stderr)

    def _tell(self, name: str) -> None:
        found = self.table.states.get(name)
        if found is None:
            self._show({"user": name, "erased": True}, printable(f"{name}  erased"))
            return
        partition, state = found
        if self._rule is not None:
            known = decode(state)
            if self._rule not in known.entered and all(run.journey != self._rule for run in known.runs):
                return
        if self._user is None:
            line = looking.user_line(name, partition, state)
            self._show(line, of_user_line(line))
            return
        document = looking.user_document(name, partition, state, self.table.positions.get(partition), self._library)
        self._show(document, of_user(document))
