"""`cueline inspect`: show the records of a topic as text."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import ExitStack, aclosing
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer

from streams.browse import inspect as looking
from streams.cli.files import moment
from streams.cli.lines import as_json as json_of
from streams.cli.lines import of_position, of_record, of_user, of_user_line
from streams.cli.screen import Meter
from streams.cli.shapes import TYPES, typed
from streams.cli.words import printable
from streams.settings import load
from triggers.state.encoding import WrongSchema, decode

if TYPE_CHECKING:
    from streams.settings import Settings
    from triggers.journeys.library import Library

RECORDS: Final = ("events", "actions", "decisions", "receipts", "dead-letters", "rules")
OPTIONS: Final = {
    "--user": ("events", "actions", "decisions", "receipts", "dead-letters", "users"),
    "--journey": ("actions", "decisions", "receipts", "users"),
    "--from": (*RECORDS, "users"),
    "--partition": (*RECORDS, "users", "positions"),
    "--offset": RECORDS,
    "--last": RECORDS,
    "--follow": (*RECORDS, "users"),
}
"""The topics to which an option applies. An option without effect is refused."""
MOST: Final = 100_000
"""Maximum number of records for `--last`."""
OFFSETS: Final = re.compile(r"([0-9]{1,19})(?:(\.\.)([0-9]{1,19})?)?", re.ASCII)

Show = Callable[[Mapping[str, Any], str], None]
"""Print a document: as JSON, or as this text."""


class Look(NamedTuple):
    """The request."""

    word: str
    part: looking.Part
    user: str | None
    journey: str | None
    follow: bool


def inspect(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help=f"One of {', '.join(looking.WORDS)}.", show_default=False)],
    *,
    user: Annotated[str | None, typer.Option(metavar="ID", help="Only records about this user.", show_default=False)] = None,
    journey: Annotated[str | None, typer.Option(metavar="JOURNEY", help="Only records about this journey.", show_default=False)] = None,
    since: Annotated[
        str | None, typer.Option("--from", metavar="ISO", help="Only records from this moment on.", show_default=False)
    ] = None,
    partition: Annotated[int | None, typer.Option(metavar="N", min=0, help="Only this partition.", show_default=False)] = None,
    offset: Annotated[
        str | None,
        typer.Option(
            metavar="N", help="Only the record at this offset of --partition; N.. from it on, N..M from it to that one.", show_default=False
        ),
    ] = None,
    last: Annotated[
        int | None,
        typer.Option("--last", "-n", metavar="N", min=1, max=MOST, help="Only the last N matching records.", show_default=False),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Continue with new records, until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")] = False,
) -> None:
    """Show the records of a topic, each on a line, or the users table.

    Only committed records are shown. `users` lists all users with their next due moment; with --user it shows the whole state of one user:
    windows, segments, runs, timers. `positions` shows the progress of each partition.

    Examples:

        cueline inspect actions --follow
        cueline inspect decisions --user ann --journey welcome
        cueline inspect decisions --last 20
        cueline inspect users --user ann
        cueline inspect events --partition 3 --offset 17
        cueline inspect dead-letters --from 2026-01-31T18:00Z
        cueline inspect decisions --json | jq 'select(.value.kind == "refused")'

    Exit code 1 if the user is unknown, no applied rules had that journey, or the topic has no such partition or offset.
    """
    if topic not in looking.WORDS:
        raise typer.BadParameter(f"there is no topic {topic!r}; there are {', '.join(looking.WORDS)}", param_hint="TOPIC")
    given = {
        "--user": user,
        "--journey": journey,
        "--from": since,
        "--partition": partition,
        "--offset": offset,
        "--last": last,
        "--follow": follow or None,
    }
    for option, topics in OPTIONS.items():
        if given[option] is not None and topic not in topics:
            raise typer.BadParameter(f"it does not apply to {topic}; it applies to {', '.join(topics)}", param_hint=option)
    if offset is not None and partition is None and topic == "rules":
        partition = 0
    first, end = _offsets(offset, partition, follow=follow)
    part = looking.Part(partition=partition, since=moment(since, "--from"), first=first, end=end, newest=last)
    look = Look(topic, part, user, journey, follow)
    settings = load()
    show = _show(TYPES[topic], as_json=as_json)
    try:
        if topic == "positions":
            asyncio.run(_positions(settings, show, partition))
        elif topic == "users":
            asyncio.run(_users(settings, show, look))
        else:
            asyncio.run(_records(settings, show, look))
    except looking.NotThere as error:
        print(printable(str(error)), file=sys.stderr)
        raise typer.Exit(1) from None


def _offsets(text: str | None, partition: int | None, *, follow: bool) -> tuple[int, int | None]:
    """Return the first offset, and the one after the last, that `--offset` names."""
    if text is None:
        return 0, None
    if partition is None:
        raise typer.BadParameter("each partition has its own offsets; give --partition too", param_hint="--offset")
    found = OFFSETS.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no offset; write 17, 17.. or 17..20", param_hint="--offset")
    first, dots, last = found.groups()
    end = None if dots and last is None else int(last or first) + 1
    if end is not None and end <= int(first):
        raise typer.BadParameter(f"{text} ends before it begins", param_hint="--offset")
    if end is not None and follow:
        raise typer.BadParameter(f"no record can come after offset {end - 1}; write {first}..", param_hint="--follow")
    return int(first), end


def _show(kind: str, *, as_json: bool) -> Show:
    """Return a printer for documents of a kind: coloured on a terminal, plain in a pipe."""
    if as_json:
        return lambda document, _: print(json_of(typed(kind, document)))
    if not sys.stdout.isatty():
        return lambda _, line: print(line)
    from rich.console import Console

    console = Console(soft_wrap=True)
    return lambda _, line: console.print(line, markup=False, emoji=False)


async def _read(
    settings: Settings, topic: str, part: looking.Part, wanted: Callable[[Any], bool], *, follow: bool, bar: bool
) -> AsyncGenerator[list[Any], None]:
    """Yield the records. The progress bar disappears when all existing ones have been read."""
    with ExitStack() as stack:
        meter = stack.enter_context(Meter(f"reading {topic}", unit="offsets")) if bar else None
        progress = meter or (lambda _done, _of: None)
        batches = looking.read(settings, topic, part, wanted=wanted, follow=follow, progress=progress)
        async with aclosing(batches):
            async for records in batches:
                if not records:
                    stack.close()
                yield records


async def _records(settings: Settings, show: Show, look: Look) -> None:
    word, part, user = look.word, look.part, look.user
    topic = looking.topic_of(settings, word)
    if user is not None and part.partition is None and word in looking.KEYED:
        part = replace(part, partition=await looking.partition_of(settings, topic, user))

    def wanted(record: Any) -> bool:  # noqa: ANN401 - aiokafka's record
        return looking.is_about(record, user=user, rule=look.journey)

    shown = 0
    # On a terminal the lines themselves show the progress.
    async with aclosing(_read(settings, topic, part, wanted, follow=look.follow, bar=not sys.stdout.isatty())) as batches:
        async for records in batches:
            for record in records:
                document = looking.document(record)
                show(document, of_record(word, document))
            shown += len(records)
            sys.stdout.flush()
    if not shown:
        await _nothing(settings, look)


async def _nothing(settings: Settings, look: Look) -> None:
    """Explain why nothing was shown, if a name is the reason. Raises `NotThere` for an unknown name."""
    if look.journey is not None:
        names = await looking.journeys(settings)
        if look.journey not in names:
            near = get_close_matches(look.journey, names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise looking.NotThere(f"no rules that were ever applied have a journey {look.journey!r}{hint}")
    if look.user is not None:
        if not await looking.is_known(settings, look.user):
            raise looking.NotThere(f"the user {look.user!r} is unknown, and {look.word} has no record of that name")
        print(printable(f"{look.user!r} is known, but {look.word} has no such record"), file=sys.stderr)


async def _positions(settings: Settings, show: Show, partition: int | None) -> None:
    for position in await looking.positions(settings, partition):
        show(position, of_position(position))


async def _users(settings: Settings, show: Show, look: Look) -> None:
    topic, part, user = settings.names.changelog, look.part, look.user
    if user is not None and part.partition is None:
        part = replace(part, partition=await looking.partition_of(settings, topic, user))
    shown = _Users(show, await looking.library(settings), user=user, rule=look.journey)
    caught_up = False
    async with aclosing(_read(settings, topic, part, lambda _: True, follow=look.follow, bar=True)) as batches:
        async for records in batches:
            changed = shown.table.take_in(records)
            if caught_up:
                shown.show(changed)
            elif not records:
                caught_up = True
                shown.show(sorted(shown.table.states))
            sys.stdout.flush()
    if user is not None and user not in shown.table.states:
        raise looking.NotThere(f"the user {user!r} is unknown (partition {part.partition})")
    if not shown.number and look.journey is not None:
        await _nothing(settings, look)


class _Users:
    """Show users as their states are read."""

    def __init__(self, show: Show, library: Library, *, user: str | None, rule: str | None) -> None:
        self.table = looking.Table(only=user)
        self.number = 0
        """How many lines or pages were shown."""
        self._show = show
        self._library = library
        self._user = user
        self._rule = rule

    def show(self, names: Iterable[str]) -> None:
        for name in dict.fromkeys(names):
            try:
                self._show_one(name)
            except WrongSchema as error:
                print(printable(f"{name}: {error}"), file=sys.stderr)

    def _show_one(self, name: str) -> None:
        found = self.table.states.get(name)
        if found is None:
            self._show({"user": name, "erased": True}, printable(f"{name}  erased"))
            return
        partition, state = found
        if self._rule is not None:
            known = decode(state)
            if self._rule not in known.entered and all(run.journey != self._rule for run in known.runs):
                return
        self.number += 1
        if self._user is None:
            line = looking.user_line(name, partition, state)
            self._show(line, of_user_line(line))
            return
        document = looking.user_document(name, partition, state, self.table.positions.get(partition), self._library)
        self._show(document, of_user(document))
