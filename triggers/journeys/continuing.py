"""Continue the runs that can continue at one moment: those that have entered, and those whose rest has ended.

A journey of higher priority goes first. Among equals those that have entered come before those that waited, each by journey and entry.
Each run continues until it rests or ends. What enters, or stops waiting, because a run has set traits joins the others when that run
rests or has ended.
"""

from collections.abc import Iterable, Sequence

from triggers.journeys.context import UserContext
from triggers.journeys.progress import Interrupted, begin, continue_run, in_order, proceed
from triggers.journeys.setting import follow_set
from triggers.state.runs import Run

Waiting = tuple[Run, bool]
"""A run that can continue, and whether it has just entered."""


def continue_all(context: UserContext, entered: Sequence[Run], rested: Iterable[Run] = (), *, enters: bool = True) -> None:
    """Continue the runs that have entered, and those whose rest has ended. `enters`: users may enter by what runs set."""
    runs: list[Waiting] = [(run, True) for run in in_order(entered)] + [(run, False) for run in in_order(rested)]
    if len(runs) > 1:
        runs.sort(key=lambda one: -context.journey_of(one[0]).journey.priority)
    place, has_set = 0, False
    while place < len(runs):
        run, is_new = runs[place]
        place += 1
        interrupted: Interrupted | None = None
        if is_new and (not has_set or run in context.user.runs):  # what another run sets may end one that has not begun
            interrupted = begin(context, run, context.journey_of(run))
        elif not is_new and run in context.user.runs:  # else an entry has ended it after its wait
            interrupted = continue_run(context, run)
        if interrupted is not None:
            joined = _carry_on(context, interrupted, enters=enters)
            runs, place, has_set = _with(context, runs[place:], joined), 0, True


def _carry_on(context: UserContext, interrupted: Interrupted, *, enters: bool) -> list[Waiting]:
    """Decide what follows each time that a run sets traits, until it rests or ends. Return the runs that can continue because of it."""
    joined: list[Waiting] = []
    left: Interrupted | None = interrupted
    while left is not None:
        changed, context.changed_traits = context.changed_traits, None
        if changed:
            entered, ended = follow_set(context, changed, enters=enters)
            joined += [(run, True) for run in entered] + [(run, False) for run in ended]
        left = proceed(left) if left.run in context.user.runs else None
    return joined


def _with(context: UserContext, runs: list[Waiting], joined: list[Waiting]) -> list[Waiting]:
    """Let runs join those that have yet to continue."""
    known = [run for run, _ in runs]
    found = runs + [one for one in joined if one[0] not in known]
    found.sort(key=lambda one: (-context.journey_of(one[0]).journey.priority, not one[1], one[0].journey))
    return found


def due_runs(context: UserContext) -> list[Run]:
    """List the runs whose rest ends now."""
    now = context.now
    return [run for run in context.user.runs if run.due <= now]
