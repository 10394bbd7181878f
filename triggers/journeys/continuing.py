"""Continue the runs that can continue at one moment: those that have entered, and those whose rest has ended.

A journey of higher priority goes first. Among equals those that have entered come before those that waited, each by journey and entry.
Each run continues until it rests or ends.
"""

from collections.abc import Iterable, Sequence

from triggers.journeys.context import UserContext
from triggers.journeys.progress import begin, continue_run, in_order
from triggers.state.runs import Run


def continue_all(context: UserContext, entered: Sequence[Run], rested: Iterable[Run] = ()) -> None:
    """Continue the runs that have entered, and those whose rest has ended."""
    runs = [(run, True) for run in entered] + [(run, False) for run in in_order(rested)]
    if len(runs) > 1:
        runs.sort(key=lambda one: -context.journey_of(one[0]).journey.priority)
    for run, is_new in runs:
        if is_new:
            begin(context, run, context.journey_of(run))
        elif run in context.user.runs:  # else an entry has ended it after its wait
            continue_run(context, run)


def due_runs(context: UserContext) -> list[Run]:
    """List the runs whose rest ends now."""
    now = context.now
    return [run for run in context.user.runs if run.due <= now]
