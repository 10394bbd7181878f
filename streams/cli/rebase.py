"""`cueline rebase`: an operator's decision on partitions that a worker refuses to open."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from streams.cli.words import count_of

if TYPE_CHECKING:
    from streams.commands.rebase import Plan, Start, State
    from streams.settings import Settings

_STARTS: Final[dict[str, Start]] = {"start": "start", "end": "end"}
_STATES: Final[dict[str, State]] = {"keep": "keep", "drop": "drop"}


def rebase(
    start: Annotated[str, typer.Option("--from", metavar="start|end|OFFSET", help="Where to read on.", show_default=False)],
    state: Annotated[str, typer.Option(metavar="keep|drop", help="What becomes of the users' states.", show_default=False)],
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
    """Decide how partitions go on that a worker refuses to open: their log is another one, or cut off, or their changelog is gone.

    --from start --state drop folds the log anew from its beginning; what follows from it is sent again, under new ids.

    --from end --state keep goes on with the states as they are; what came in between did not happen.

    --from OFFSET begins exactly there.

    Stop the workers first. It shows what it will do, and asks; it leaves an audit record in the topic `rules`; after a crash, do it again.

    Examples:

        cueline rebase --partition 3 --from end --state keep
        cueline rebase --all --from start --state drop --yes --sends 4009
    """
    from streams.commands import rebase as doing
    from streams.settings import load

    if every == bool(partition):
        raise typer.BadParameter("say either --all or --partition N", param_hint="--partition")
    where, what = _start(start), _state(state)
    settings, chosen = load(), None if every else partition
    plans = asyncio.run(doing.plan(settings, chosen, where, what))
    for plan in plans:
        _show(plan)
    _confirm(settings, plans, sends, yes=yes)
    asyncio.run(doing.rebase(settings, chosen, where, what, force=force, done=_done))


def _start(text: str) -> Start:
    if text in _STARTS:
        return _STARTS[text]
    if text.isdecimal():
        return int(text)
    raise typer.BadParameter(f"{text!r} is none of start, end and an offset", param_hint="--from")


def _state(text: str) -> State:
    if text in _STATES:
        return _STATES[text]
    raise typer.BadParameter(f"{text!r} is neither keep nor drop", param_hint="--state")


def _show(plan: Plan) -> None:
    before = "no position" if plan.before is None else f"folded up to offset {plan.before.offset}, epoch {plan.before.epoch}"
    after = plan.after
    rules = "no rules" if after.rule_set is None else f"rules {after.rule_set[:12]}"
    print(f"partition {plan.partition}: {before}, {count_of(plan.users, 'user')}")
    print(f"  goes on at offset {after.offset + 1}, epoch {after.epoch}, {rules}, {'live' if after.live else 'dry'}, states: {plan.state}")
    for note in plan.notes:
        print(f"  ! {note}")


def _confirm(settings: Settings, plans: list[Plan], sends: int | None, *, yes: bool) -> None:
    """Ask; where actions are sent again, for their number. Raises `Refused` where nobody can be asked, or the number is another one."""
    from streams.commands.rebase import Refused

    again = sum(plan.sends for plan in plans)
    if sends is not None and sends != again:
        raise Refused(f"nothing was changed: {again} actions will be sent again, not {sends}; look at the preview")
    if (not again and yes) or sends is not None:
        return
    if not sys.stdin.isatty():
        raise Refused(f"nothing was changed: there is no terminal to ask on; say {f'--sends {again}' if again else '--yes'}")
    if again and typer.prompt(f"{again} actions will be sent again. Type their number to go on", err=True).strip() != str(again):
        raise typer.Abort
    if not yes:
        _ask(settings, plans)


def _ask(settings: Settings, plans: list[Plan]) -> None:
    dropped = sum(plan.users for plan in plans if plan.state == "drop")
    lost = f" and drops the states of {count_of(dropped, 'user')}" if dropped else ""
    typer.confirm(f"This rebases {count_of(len(plans), 'partition')} of {settings.names.events}{lost}. Go on?", abort=True, err=True)


def _done(plan: Plan) -> None:
    print(f"partition {plan.partition}: done")
