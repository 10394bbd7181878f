"""`cueline demo`: show the whole product, on a broker of its own."""

from __future__ import annotations

import asyncio
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Final

import typer

from streams.cli.words import count_of

if TYPE_CHECKING:
    from streams.demo.run import Stage, Summary

TERMINATED: Final = 128 + signal.SIGTERM


def demo(
    *,
    broker: Annotated[str, typer.Option(metavar="BROKER", help="embedded; kafka (needs java and mvn); or HOST:PORT of one.")] = "embedded",
    full: Annotated[bool | None, typer.Option("--full/--sample", help="All 69,659 orders, or the published sample of 6,919.")] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file of orders, if it cannot be downloaded.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")] = False,
) -> None:
    """Show the whole product: real orders of an online CD shop, 18 months in a minute, and every message at its right moment.

    Starts a broker and workers, applies three rules, feeds the orders with their historic moments, and compares the actions with an
    independent calculation. It shows three customers: what they bought, which message came, and why. On a terminal it then keeps running so
    that you can look around. The end, or Ctrl-C, leaves nothing running.

    Examples:

        cueline demo
        cueline demo --broker kafka
        cueline demo --broker localhost:9092 --sample
        cueline demo --json

    Real Kafka gets all orders and two workers, the embedded broker the sample and one. Exit code 1: an action is missing or extra.
    """
    from streams.broker import BrokerFailed
    from streams.demo.run import DemoFailed
    from streams.ingest.cdnow import NoData

    terminated: list[int] = []

    def terminate(number: int, _frame: FrameType | None) -> None:
        """Clean up on SIGTERM as on Ctrl-C, which asyncio knows how to handle."""
        terminated.append(number)
        signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGTERM, terminate)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that started us in the background ignores it
    whole = broker != "embedded" if full is None else full
    try:
        summary = _play(broker, data, full=whole, as_json=as_json)
    except (BrokerFailed, NoData, DemoFailed) as error:
        print(f"cueline demo: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        if terminated:
            raise typer.Exit(TERMINATED) from None
        raise
    if not summary.is_right:
        raise typer.Exit(1)


def _play(broker: str, data: Path | None, *, full: bool, as_json: bool) -> Summary:
    from streams.cli.screen import Meter
    from streams.demo import run as play
    from streams.ingest import cdnow

    say = _printer(as_json=as_json)
    say("Rules over the orders of an online CD shop, 1997 to 1998")
    part: cdnow.Part = "master" if full else "sample"
    lines = cdnow.lines(part, data)
    with play.stage(broker, say) as stage:
        summary = play.Summary(broker=stage.broker, workers=stage.workers, partitions=stage.settings.partitions)
        say(f"broker     {stage.broker} at {stage.settings.bootstrap}")
        summary.rule_set = asyncio.run(play.prepare(stage, say))
        workers = play.Workers(stage)
        try:
            workers.start()
            say(f"workers    {stage.workers}, starting ...")
            summary.opening = asyncio.run(play.wait_until_open(stage, workers))
            say(f"           all partitions are open after {summary.opening:.1f} s")
            with Meter("orders", cdnow.ORDERS[part], unit="folded") as meter:
                asyncio.run(play.run(stage, workers, lines, part, summary, meter))
            say("all is folded; now the independent calculation ...")
            asyncio.run(play.check(stage, lines, part, summary))
            _report(summary, say, as_json=as_json)
            if not as_json and sys.stdin.isatty() and sys.stdout.isatty():
                _stay(stage, summary, say)
        finally:
            workers.stop()
    return summary


def _printer(*, as_json: bool) -> Callable[[str], None]:
    """Return a printer for remarks. With --json, stdout is only for the summary."""
    to = sys.stderr if as_json else sys.stdout
    return lambda text: print(text, file=to, flush=True)


def _report(summary: Summary, say: Callable[[str], None], *, as_json: bool) -> None:
    if as_json:
        import orjson

        print(orjson.dumps(summary.document()).decode(), flush=True)
        return
    rate = summary.orders / summary.seconds if summary.seconds else 0
    say("")
    say("Three of the customers, from the orders and from the topics of actions and decisions:")
    for person in summary.people:
        say("")
        for line in person.lines():
            say(f"  {line}")
    say("")
    say(f"events     {summary.orders:,} orders of {summary.customers:,} customers in {summary.seconds:.1f} s, {rate:,.0f}/s")
    say(f"actions    {sum(summary.actions.values()):,}")
    for journey, count in summary.actions.items():
        say(f"  {journey:<9}{count:>7,}   expected {summary.expected.get(journey, 0):,}")
    say(f"dead       {count_of(summary.dead_letters, 'dead letter')}")
    verdict = "exactly the independent answer" if summary.is_right else "NOT the independent answer"
    say(f"compared   missing {summary.missing:,}, extra {summary.extra:,}: {verdict}")


def _stay(stage: Stage, summary: Summary, say: Callable[[str], None]) -> None:
    """Keep it running until Enter or Ctrl-C."""
    program = f"{_program()} --config {shlex.quote(str(stage.config))}"
    user = summary.people[-1].user if summary.people else "00004"
    say("")
    say("It is still running. In another terminal:")
    for words in (
        "topics list",
        "inspect actions",
        f"inspect decisions --user {user}",
        f"inspect users --user {user}",
        "inspect positions",
        "replay --topic --summary",
    ):
        say(f"  {program} {words}")
    say("")
    try:
        input("Enter or Ctrl-C ends it. ")
    except (EOFError, KeyboardInterrupt):
        say("")
    say("ending ...")


def _program() -> str:
    """Return how this program was called."""
    called = Path(sys.argv[0])
    if called.stem != "cueline":
        return f"{shlex.quote(sys.executable)} -m streams.cli.main"
    from shutil import which

    return "cueline" if which("cueline") == str(called) else shlex.quote(str(called))
