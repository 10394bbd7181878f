"""The arms of a user's runs: that of control and holdout, drawn at the entry, and those taken at splits.

They are kept for as long as the run lasts or its goal is watched, so that a conversion can name them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from triggers.base.draws import PARTS, TREATED, draw, is_among
from triggers.definitions.policies import TRANSACTIONAL
from triggers.state.runs import Run, name_of
from triggers.state.sections.arms import ARMS
from triggers.state.sections.watches import WATCHES
from triggers.state.sizes import run_bytes, value_bytes
from triggers.state.user import User
from triggers.steps.program import Program

if TYPE_CHECKING:
    from triggers.definitions.model import Journey
    from triggers.policies.plan import PolicyPlan
    from triggers.state.watches import Watch

_NONE: Final[Mapping[str, str]] = {}
_KEY: Final = 10
"""Most bytes of a run's arms, in addition to its names and those of the splits and arms."""
_DRAWN: Final = 10
"""Most bytes of the arm of control and holdout."""


def draw_arm(journey: Journey, policies: PolicyPlan | None, user: str) -> str | None:
    """Return the arm of an entry: `control` before `holdout` before `treated`. None: the journey is not measured against anything."""
    control = 0 if policies is None else policies.control
    if journey.category == TRANSACTIONAL or not (control or journey.holdout):
        return None
    if control and is_among(draw("control", "", user), control, PARTS):
        return "control"
    if journey.holdout and is_among(draw("holdout", journey.name, user), journey.holdout, PARTS):
        return "holdout"
    return TREATED


def arms_of(user: User, run: Run | Watch) -> Mapping[str, str]:
    """Return the run's own arm under the name `ARM`, and the arm of each split that it has passed, in the order in which it has."""
    if "arms" not in user.sections and user.more is None:
        return _NONE
    return user.value(ARMS).get(name_of(run)) or _NONE


def keep_arm(user: User, run: Run, split: str, arm: str) -> None:
    user.value(ARMS).setdefault(name_of(run), {})[split] = arm


def forget_arms(user: User, run: Run | Watch) -> None:
    """Forget the arms of a run or a watch that has ended, unless the other is still there."""
    if "arms" in user.sections or user.more is not None:
        arms, key = user.value(ARMS), name_of(run)
        watches: list[Watch] = user.value(WATCHES) if user.has(WATCHES) else []
        if key in arms and all(name_of(one) != key for one in user.runs) and all(name_of(one) != key for one in watches):
            del arms[key]


def ended_bytes(user: User) -> int:
    """Return the bytes of the arms that are kept for runs that have ended."""
    if not user.has(ARMS):
        return 0
    running = {name_of(run) for run in user.runs}
    return sum(value_bytes({key: arms}) for key, arms in user.value(ARMS).items() if key not in running)


def room_of(run: Run, program: Program, *, has_arm: bool) -> int:
    """Return the maximum bytes of a run in a state, with its arms."""
    kept = program.kept + (_DRAWN if has_arm else 0)
    return run_bytes(run, program.longest_name) + (kept and kept + len(run.journey.encode()) + len(run.entry) + _KEY)
