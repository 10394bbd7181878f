"""`cueline topics`: create, verify and list."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer
from rich.filesize import decimal

from streams.cli.lines import as_json as as_json_line
from streams.cli.screen import print_table
from streams.cli.shapes import result, typed

if TYPE_CHECKING:
    from streams.commands.topic_layout import Deviation
    from streams.commands.topics import Row

COLUMNS: Final[Mapping[str, Literal["left", "right"]]] = {
    "topic": "left",
    "partitions": "right",
    "replicas": "right",
    "offsets": "right",
    "size": "right",
    "lag": "right",
    "settings": "left",
}
topics = typer.Typer(no_args_is_help=True, add_completion=False, help="Create, verify, list and delete the topics.")

Partitions = Annotated[
    int | None, typer.Option(help="Partitions of each topic that is created; cannot be changed later.", show_default=False)
]
Profile = Annotated[str | None, typer.Option(help="dev: one broker; prod: replication 3, two of them in sync.", show_default=False)]
Reconfigure = Annotated[bool, typer.Option("--reconfigure", help="Also change topics that hold records and that it did not make.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]


@topics.command()
def create(partitions: Partitions = None, profile: Profile = None, *, reconfigure: Reconfigure = False) -> None:
    """Create the topics that are missing, and correct the settings of those that it made or that are empty.

    Examples:

        cueline topics create --partitions 64 --profile prod

    Running it again changes nothing. It names what it may not change (topics of others; see --reconfigure) and what it cannot change
    (numbers of partitions and replicas); then the exit code is 1. Where `events` exists, the other topics get its number of partitions.
    """
    from streams.commands.topics import create as create_topics
    from streams.settings import load

    settings = load(partitions=partitions, profile=profile)
    asyncio.run(create_topics(settings, print, reconfigure=reconfigure))
    print(f"the {len(settings.names)} topics are as they must be")


@topics.command()
def verify(profile: Profile = None, *, as_json: Json = False) -> None:
    """Hold the topics against what they must be: the check that every worker makes at its start.

    Examples:

        cueline topics verify --profile prod

    Prints each deviation with its remedy; exit code 1 if there is one that is more than a warning.
    """
    from streams.commands.topic_layout import verify as deviations_of
    from streams.settings import load

    settings = load(profile=profile)
    deviations = asyncio.run(deviations_of(settings))
    ok = all(deviation.warning for deviation in deviations)
    if as_json:
        problems = [_deviation(deviation) for deviation in deviations if not deviation.warning]
        warnings = [_deviation(deviation) for deviation in deviations if deviation.warning]
        print(as_json_line(result("verify", ok=ok, problems=problems, warnings=warnings)))
    else:
        for deviation in deviations:
            print(deviation, file=sys.stderr)
    if not ok:
        raise typer.Exit(1)
    if not as_json:
        print(f"the {len(settings.names)} topics are as they must be")


@topics.command()
def delete(*, yes: Yes = False) -> None:
    """Delete the topics that `topics create` has made, with all that is in them.

    Examples:

        cueline topics delete

    Stop the workers first. It shows what goes, and asks. Topics of these names that it did not make stay.
    """
    from streams.commands.topics import Refused, removal
    from streams.commands.topics import delete as delete_topics
    from streams.settings import load

    settings = load()
    found = asyncio.run(removal(settings))
    for name in found.left:
        print(f"{name}: stays, because `cueline topics create` did not make it", file=sys.stderr)
    if not found.gone:
        raise Refused("there is no topic to delete that `cueline topics create` has made")
    for name in found.gone:
        print(f"- {name}")
    if not yes:
        if not sys.stdin.isatty():
            raise Refused("nothing was deleted: there is no terminal to ask on; say --yes")
        typer.confirm(f"This deletes {len(found.gone)} topics and all that is in them. Continue?", abort=True, err=True)
    asyncio.run(delete_topics(settings, found.gone))
    print(f"{len(found.gone)} topics deleted")


@topics.command("list")
def list_topics(*, as_json: Json = False) -> None:
    """Show partitions, settings, sizes, and how far the workers are behind.

    Examples:

        cueline topics list
        cueline topics list --json | jq '{topic, lag}'

    The lag is what no checkpoint holds yet, in offsets of `events`: a worker commits its offsets every second.
    """
    from streams.commands.topics import survey
    from streams.settings import load

    settings = load()
    rows = asyncio.run(survey(settings))
    if as_json:
        for row in rows:
            print(as_json_line(typed("topic", _document(row))))
    elif rows:
        print_table(
            {"topic": "left", **dict.fromkeys(("partitions", "replicas", "offsets", "size", "lag"), "right"), "settings": "left"},
            map(_cells, rows),
        )
    if not rows:
        print("none of the topics exist; `cueline topics create` makes them", file=sys.stderr)
        raise typer.Exit(1)


def _deviation(deviation: Deviation) -> dict[str, object]:
    return {"topic": deviation.topic, "message": deviation.problem, "hint": deviation.remedy}


def _document(row: Row) -> dict[str, object]:
    topic = row.topic
    return {
        "topic": topic.name,
        "id": topic.id or None,
        "partitions": topic.partitions,
        "replication": topic.replication,
        "offsets": row.offsets,
        "bytes": row.bytes,
        "lag": None if row.lag is None else {"total": sum(row.lag.values()), "by_partition": list(row.lag.values())},
        "configs": row.configs,
    }


def _cells(row: Row) -> tuple[str, ...]:
    topic = row.topic
    size = "?" if row.bytes is None else decimal(row.bytes)
    lag = "" if row.lag is None else _lag(row.lag)
    configs = " ".join(f"{name}={value}" for name, value in row.configs.items())
    return topic.name, str(topic.partitions), str(topic.replication), f"{row.offsets:,}", size, lag, configs


def _lag(lag: dict[int, int]) -> str:
    total = sum(lag.values())
    worst = max(lag, key=lambda partition: lag[partition])
    return "0" if not total else f"{total:,} ({lag[worst]:,} in {worst})"
