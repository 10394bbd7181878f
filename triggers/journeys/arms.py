"""The arms that a user's runs have taken at their splits."""

from collections.abc import Mapping
from typing import Final

from triggers.state.runs import Run
from triggers.state.sections.arms import ARMS
from triggers.state.sizes import run_bytes
from triggers.state.user import User
from triggers.steps.program import Program

_NONE: Final[Mapping[str, str]] = {}
_KEY: Final = 10
"""Most bytes of a run's arms, in addition to its names and those of the splits and arms."""


def arms_of(user: User, run: Run) -> Mapping[str, str]:
    """Return the arm of each split that the run has passed, in the order in which it has."""
    if "arms" not in user.sections and user.more is None:
        return _NONE
    return user.value(ARMS).get(_key(run)) or _NONE


def keep_arm(user: User, run: Run, split: str, arm: str) -> None:
    user.value(ARMS).setdefault(_key(run), {})[split] = arm


def forget_arms(user: User, run: Run) -> None:
    """Forget the arms of a run that has ended."""
    if "arms" in user.sections or user.more is not None:
        user.value(ARMS).pop(_key(run), None)


def room_of(run: Run, program: Program) -> int:
    """Return the maximum bytes of a run in a state, with its arms."""
    arms = program.kept and program.kept + len(run.journey.encode()) + len(run.entry) + _KEY
    return run_bytes(run, program.longest_name) + arms


def _key(run: Run) -> str:
    return f"{run.journey}:{run.entry}"
