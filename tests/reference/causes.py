"""Whether what happens is what a cause asks for."""

from tests.reference.conditions import About, passes
from tests.reference.log import Said
from triggers.causes.event import OnEvent
from triggers.causes.segment import OnSegment
from triggers.definitions.model import Cause, RuleSet

Changes = dict[str, str]
"""`Segment.key` to "enters" or "leaves"."""


def about(said: Said, zone: str) -> About:
    """What a `where=` can see of it next to its properties."""
    return About(said.event_time, zone, said.context)


def answers(cause: Cause, rules: RuleSet, said: Said | None, changes: Changes, zone: str) -> bool:
    """Whether this record or these changes are what the entry or exit asks for."""
    if isinstance(cause, OnEvent):
        return said is not None and said.event == cause.event and passes(cause.where, said.properties, about(said, zone))
    return isinstance(cause, OnSegment) and changes.get(rules.segments[cause.segment].key) == cause.change
