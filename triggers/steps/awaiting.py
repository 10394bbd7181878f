"""The place of a program at which a run rests until a cause comes, or until its time is out.

Two forms of `wait` use it, each with `timeout`, `came` and `timed_out` (`triggers.steps.waits.cause`, `triggers.steps.waits.side`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from triggers.base.model import DAY
from triggers.causes.cause import NO_PROPERTIES, kind_of
from triggers.causes.lists import first_of
from triggers.steps.kind import Moment
from triggers.steps.program import Rest
from triggers.steps.waits.form import Waiting

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from triggers.causes.cause import Change, Signal, WatchedSegment
    from triggers.definitions.model import Cause, Condition, Step
    from triggers.language.documents import Node
    from triggers.state.runs import Standing
    from triggers.steps.context import StepContext
    from triggers.steps.kind import Reader
    from triggers.steps.program import Outcome, Program

MAX_TIMEOUT: Final = 366 * DAY
LIFE: Final = (
    Moment("`wait` for a cause, which has not come", "waiting", "waiting"),
    Moment("`wait` for a side of a segment on which the user is", "at the first step of the branch, or behind it"),
)
NOT_YET: Final = -1
"""The cause of a wait that has not ended, or whose time is out."""


class Inside(NamedTuple):
    """The side of a segment that a wait is for."""

    segment: str
    inside: bool


class Awaiting(Waiting):
    """A place at which a run rests for causes, or for a side of a segment. `run.moment` is the time-out while the run rests."""

    def __init__(self, step: Step, timeout: int, causes: Sequence[Cause], side: Inside | None = None) -> None:
        super().__init__(step)
        self.timeout = timeout
        self.side = side
        self.places: dict[str, int] = {}
        """The place at which each branch begins."""
        self.signals: list[Signal] = []
        self._causes = [kind_of(cause) for cause in causes]
        self._segment: WatchedSegment | None = None

    def bind(self, segments: Mapping[str, WatchedSegment]) -> None:
        self.signals = [cause.signal(segments) for cause in self._causes]
        self._segment = None if self.side is None else segments[self.side.segment]

    @property
    def events(self) -> Iterable[str]:
        """The names of the events that it waits for."""
        return dict.fromkeys(signal.event for signal in self.signals if signal.event is not None)

    @property
    def asks_segments(self) -> bool:
        return self._segment is not None or any(signal.event is None for signal in self.signals)

    def comes(
        self,
        event: str,
        properties: Mapping[str, Any],
        changes: Mapping[str, Change],
        standings: Mapping[str, Standing],
        key: str | None,
    ) -> int:
        """Return the number of the cause that comes now for the run with this key; NOT_YET: none."""
        if self._segment is not None:
            return 0 if self._is_there(standings) else NOT_YET
        signal = first_of(self.signals, event, properties, changes, key)
        return NOT_YET if signal is None else self.signals.index(signal)

    def is_event(self, cause: int) -> bool:
        return self._segment is None and self.signals[cause].event is not None

    def began(self, moment: int) -> int:
        """Return the moment at which a wait began whose time-out is this moment."""
        return moment - self.timeout

    def carry_out(self, context: StepContext) -> Outcome:
        context.forget_event()
        if self._segment is not None and self._is_there(context.standings):
            return self._leave(context, "came")
        outcome = self.rest_until(context, context.run.moment + self.timeout)
        return outcome if isinstance(outcome, Rest) else self._leave(context, "timed_out")

    def resume(self, context: StepContext) -> int:
        cause = context.take_cause()
        if cause == NOT_YET or self._segment is not None:
            return self._leave(context, "timed_out" if cause == NOT_YET else "came")
        values = self.signals[cause].values(context.view)
        return self._leave(context, "came", values if len(self.signals) == 1 else {"cause": self._causes[cause].words(), **values})

    def _leave(self, context: StepContext, branch: str, values: Mapping[str, Any] = NO_PROPERTIES) -> int:
        if self._segment is not None and branch == "came":
            values = self._segment.explain(context.view)
        context.took(self, branch, values)
        return self.places.get(branch, self.next)

    def _is_there(self, standings: Mapping[str, Standing]) -> bool:
        """Check whether the last known value says so. A segment without a standing is known to be false."""
        assert self.side is not None
        assert self._segment is not None
        standing = standings.get(self._segment.key)
        return (False if standing is None else standing.inside) is self.side.inside


# ---- what both forms have in common ---------------------------------------------------------------------------------------


def fork(program: Program, entry: Awaiting, came: tuple[Step, ...], timed_out: tuple[Step, ...]) -> None:
    blocks = {name: steps for name, steps in (("came", came), ("timed_out", timed_out)) if steps}
    entry.places = dict(zip(blocks, program.fork(entry, blocks.values()), strict=True))


def written(came: tuple[Step, ...], timed_out: tuple[Step, ...], when: Condition | None) -> dict[str, object]:
    fields = {"came": came or None, "timed_out": timed_out or None, "when": when}
    return {name: value for name, value in fields.items() if value is not None}


def ways(came: tuple[Step, ...], timed_out: tuple[Step, ...]) -> Sequence[tuple[str, tuple[Step, ...]]]:
    return (("came", came), ("timed out", timed_out))


def timeout_of(wait: Node, node: Node | None, reader: Reader) -> int | None:
    if node is None:
        reader.fields.refuse(wait, 'wait has no "timeout"', "as in wait: {event: E, timeout: 3d}: how long at most")
        return None
    timeout = reader.fields.duration(node, "wait: timeout")
    if timeout is not None and timeout > MAX_TIMEOUT:
        reader.fields.refuse(node, "wait: timeout is too long", "at most 366d")
        return None
    return timeout


def branches_of(name: str, reader: Reader, extra: Mapping[str, Node]) -> tuple[tuple[Step, ...] | None, tuple[Step, ...] | None]:
    came = reader.steps(extra["came"], f"{name}.came.") if "came" in extra else ()
    timed_out = reader.steps(extra["timed_out"], f"{name}.timed_out.") if "timed_out" in extra else ()
    return came, timed_out
