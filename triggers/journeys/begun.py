"""When the runs of a journey with `while_running: restart` were entered: an entry that happened before must not replace one."""

from collections.abc import Iterable

from triggers.journeys.plan import JourneyPlan
from triggers.state.runs import Run, name_of
from triggers.state.sections.begun import BEGUN, begun_bytes
from triggers.state.user import User


def note_begun(user: User, run: Run, plan: JourneyPlan) -> None:
    """Keep the moment of the entry of a run that has just entered."""
    if plan.journey.while_running == "restart":
        user.value(BEGUN)[name_of(run)] = run.moment


def is_older(user: User, moment: int, runs: Iterable[Run]) -> bool:
    """Check whether one of these runs was entered by something that happened after this moment.

    For a run that entered before its journey had `while_running: restart`, only the logical time of its entry is known.
    """
    begun = user.value(BEGUN)
    return any(moment < begun.get(name_of(run), run.entered) for run in runs)


def forget_begun(user: User, run: Run) -> None:
    """Forget the moment of a run that has ended."""
    if "begun" in user.sections or user.more is not None:
        user.value(BEGUN).pop(name_of(run), None)


def room_of_begun(plan: JourneyPlan, run: Run) -> int:
    """Return the maximum bytes of this moment in a state."""
    return begun_bytes(run.journey, run.entry) if plan.journey.while_running == "restart" else 0
