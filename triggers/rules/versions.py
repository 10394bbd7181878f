"""The two hashes of a journey's version.

The short one has 8 hex characters. It is part of the ids of runs and actions, and never changes for the same text under the same settings.

The long one has 64 characters and covers everything that decides. If two journeys have the same one, a run of the first can continue under
the second (`triggers.engine.one_user.meet`). It covers two things that the short one does not: whether the journey itself names `late`, and
the time zone of the rule set if the journey counts local days or shows a date.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from triggers.base.canonical import canonical, digest
from triggers.definitions.model import Condition, Journey
from triggers.measures.kind import KINDS

_DATE: Final = re.compile(r"\|\s*date\b")
"""A text that shows a moment by the calendar."""


def versions(journey: Journey, conditions: Mapping[str, Condition], *, drops_late_entries: bool, zone: str) -> tuple[str, str]:
    """Return the short and the long hash. `conditions`: of the segments that the journey names; `zone`: of the rule set."""
    form = canonical([journey, conditions])
    return digest(form, 8), digest([form, drops_late_entries, zone if _is_local(form) else None], 64)


def _is_local(form: object) -> bool:
    """Check whether anything in a wire form depends on the time zone."""
    if isinstance(form, str):
        return _DATE.search(form) is not None
    if isinstance(form, Mapping):
        return any(map(_is_local, form.values()))
    if not isinstance(form, list):
        return False
    match form:
        case ["EveryDay", _] | ["Sent", _] | ["Circumstance", {"path": ["\0local", *_]}]:
            return True
        case ["Measure", {"daily": True}]:
            return True
        case ["Measure", {"unit": "day", "kind": kind}] if not KINDS[kind].is_exact:
            return True  # else its days are 24 hours, wherever the user is
    return any(map(_is_local, form))
