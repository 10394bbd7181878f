"""`cueline rebase`: an operator's decision on partitions that a worker refuses to open."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from streams.cli.words import count_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.commands.rebase import Plan, Start, State
    from streams.settings import Settings

_STARTS: Final[dict[str, Start]] = {"start": "start", "end": "end", "here": "here"}
_STATES: Final[dict[str, State]] = {"keep": "keep", "drop": "drop"}


def rebase(
    start: Annotated[str, typer.Option("--from", metavar="start|end|here|OFFSET|FILE", help="Where to read on.", show_default=False)],
    state: Annotated[
        str | None, typer.Option(metavar="keep|drop", help="What becomes of the users' states; not with a FILE.", show_default=False)
    ] = None,
    *,
    partition: Annotated[
        list[int] | None, typer.Option("--partition", "-p", metavar="N", help="Which partition; repeatable.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All partitions.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; where actions are sent again, --sends is needed too.")] = False,
    sends: Annotated[
        int | None, typer.Option(metavar="N", help="So many actions may be sent again, as the preview says.", show_default=False)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Also while the group has live members.")] = False,
) -> None:
    """Decide how partitions continue that a worker refuses to open: their log is another one, or cut off, or their changelog is gone.

    --from start --state drop folds the log again from its beginning, and sends its actions again, under new ids.

    --from end --state keep continues with the states as they are, and skips the records in between.

    --from here keeps each partition where it is. --from OFFSET begins exactly there.

    --from FILE restores the copy that `cueline upgrade` made, and takes the upgrade back. Then start the old release.

    Stop the workers first. It shows what it will do, and asks; it leaves an audit record in the topic `rules`; after a crash, do it again.

    Examples:

        cueline rebase --partition 3 --from end --state keep
        cueline rebase --all --from start --state drop --yes --sends 4009
        cueline rebase --all --from shop-7.snapshot
    """
    from streams.commands import rebase as doing
    from streams.settings import load

    if every == bool(partition):
        raise typer.BadParameter("say either --all or --partition N", param_hint="--partition")
    settings, chosen = load(), None if every else partition
    if start not in _STARTS and not start.isdecimal() and Path(start).is_file():
        if state is not None or not every:
            raise typer.BadParameter("a FILE holds the states of all partitions: say --all, and leave --state out", param_hint="--from")
        _take_back(settings, Path(start), sends, yes=yes, force=force)
        return
    where, what = _start(start), _state(state)
    plans = asyncio.run(doing.plan(settings, chosen, where, what))
    for plan in plans:
        _show(plan)
    _confirm(sum(plan.sends for plan in plans), sends, lambda: _ask(settings, plans), yes=yes)
    asyncio.run(doing.rebase(settings, chosen, where, what, force=force, done=_done))


def _start(text: str) -> Start:
    if text in _STARTS:
        return _STARTS[text]
    if text.isdecimal():
        return int(text)
    raise typer.BadParameter(f"{text!r} is none of start, end, here, an offset and a file", param_hint="--from")


def _state(text: str | None) -> State:
    if text is None:
        raise typer.BadParameter("say what becomes of the users' states: keep or drop", param_hint="--state")
    if text in _STATES:
        return _STATES[text]
    raise typer.BadParameter(f"{text!r} is neither keep nor drop", param_hint="--state")


def _show(plan: Plan) -> None:
    before = "no position" if plan.before is None else f"folded up to offset {plan.before.offset}, epoch {plan.before.epoch}"
    after = plan.after
    rules = "no rules" if after.rule_set is None else f"rules {after.rule_set[:12]}"
    print(f"partition {plan.partition}: {before}, {count_of(plan.users, 'user')}")
    print(
        f"  continues at offset {after.offset + 1}, epoch {after.epoch}, {rules}, {'live' if after.live else 'dry'}, states: {plan.state}"
    )
    for note in plan.notes:
        print(f"  ! {note}")


def _take_back(settings: Settings, file: Path, sends: int | None, *, yes: bool, force: bool) -> None:
    from streams.commands import taking_back

    planned = asyncio.run(taking_back.plan(settings, file))
    for line in planned.lines:
        print(f"  {line}")
    if planned.sends:
        print(f"  ! up to {planned.sends} actions will be sent again")
    what = f"This puts {count_of(planned.header.partitions, 'partition')} of {settings.names.events} back to {file}. Continue?"
    _confirm(planned.sends, sends, lambda: typer.confirm(what, abort=True, err=True), yes=yes)

    def done(number: int, records: int) -> None:
        print(f"partition {number}: {count_of(records, 'record')} put back")

    asyncio.run(taking_back.take_back(settings, planned, force=force, done=done))
    print(f"done; now start the workers of before: {planned.header.terms}")


def _confirm(again: int, sends: int | None, ask: Callable[[], object], *, yes: bool) -> None:
    """Ask to confirm; if actions are sent again, ask for their number. Raises `Refused` without a terminal, or for another number."""
    from streams.commands.rebase import Refused

    if sends is not None and sends != again:
        raise Refused(f"nothing was changed: {again} actions will be sent again, not {sends}; look at the preview")
    if (not again and yes) or sends is not None:
        return
    if not sys.stdin.isatty():
        raise Refused(f"nothing was changed: there is no terminal to ask on; say {f'--sends {again}' if again else '--yes'}")
    if again and typer.prompt(f"{again} actions will be sent again. Type their number to continue", err=True).strip() != str(again):
        raise typer.Abort
    if not yes:
        ask()


def _ask(settings: Settings, plans: list[Plan]) -> None:
    dropped = sum(plan.users for plan in plans if plan.state == "drop")
    lost = f" and drops the states of {count_of(dropped, 'user')}" if dropped else ""
    typer.confirm(f"This rebases {count_of(len(plans), 'partition')} of {settings.names.events}{lost}. Continue?", abort=True, err=True)


def _done(plan: Plan) -> None:
    print(f"partition {plan.partition}: done")
