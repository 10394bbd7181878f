"""The sections of a user's state, one file each. A new section is one file here and its name in this list."""

from typing import Final

from triggers.state.sections.arms import ARMS
from triggers.state.sections.base import Section
from triggers.state.sections.begun import BEGUN
from triggers.state.sections.calendar import CALENDAR
from triggers.state.sections.came import CAME
from triggers.state.sections.entered import ENTERED
from triggers.state.sections.entered_keys import ENTERED_KEYS
from triggers.state.sections.exited_keys import EXITED_KEYS
from triggers.state.sections.holds import HOLDS
from triggers.state.sections.keys import KEYS
from triggers.state.sections.refused import REFUSED
from triggers.state.sections.runs import RUNS
from triggers.state.sections.seen import SEEN, UNREAD
from triggers.state.sections.sends import SENDS
from triggers.state.sections.standings import STANDINGS
from triggers.state.sections.suppressed import SUPPRESSED
from triggers.state.sections.tiers import TIERS
from triggers.state.sections.traits import TRAITS
from triggers.state.sections.watches import WATCHES
from triggers.state.sections.windows import WINDOWS

SECTIONS: Final[list[Section]] = [
    ARMS,
    BEGUN,
    CALENDAR,
    CAME,
    ENTERED,
    ENTERED_KEYS,
    EXITED_KEYS,
    HOLDS,
    KEYS,
    REFUSED,
    RUNS,
    SEEN,
    SENDS,
    STANDINGS,
    SUPPRESSED,
    TIERS,
    TRAITS,
    UNREAD,
    WATCHES,
    WINDOWS,
]
"""In the order of their names, as in a state."""

assert sorted(section.name for section in SECTIONS) == [section.name for section in SECTIONS]
