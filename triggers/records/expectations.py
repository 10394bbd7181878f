"""Compare what a scenario expects with what came: what fits, which expectation gets which outcome, and what is nearest if none fits.

An outcome may fit several expectations, and each expectation in `then` needs one of its own. An expectation that takes the first fit can
take what another needs: `{journey: win-back}` the one message that is also `{journey: win-back, step: first}`. So outcomes are assigned
along augmenting paths (Kuhn's bipartite matching), which finds a partner for as many as can have one, whatever their order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import orjson

from triggers.base.moments import iso, parse_moment
from triggers.records.lines import brief, shortened

MOMENTS: Final = ("at", "due", "not_after")
"""The fields of actions and decisions that are moments."""
_BEFORE: Final = 30
"""How many of them come before the first that differs."""

Document = Mapping[str, Any]


class Leaf(NamedTuple):
    """A single wanted value: what it means, and how it is written."""

    value: object
    text: str

    def equals(self, got: object) -> bool:
        """Return whether a value is the expected one, or looks like it: 25 and "25" are the same to the author of a scenario."""
        if got is None or self.value is None:
            return got is self.value
        if isinstance(got, bool):
            return got is self.value
        if isinstance(got, int | float) and not isinstance(self.value, bool):
            return got == self.value or str(got) == self.text
        return isinstance(got, str) and got in (self.value, self.text)


Wanted = Leaf | dict[str, "Wanted"] | list["Wanted"]


@dataclass(frozen=True)
class Expectation:
    """An action or, where it names a kind, a decision; what it does not name may be anything."""

    wanted: dict[str, Wanted]

    @property
    def is_decision(self) -> bool:
        return "kind" in self.wanted

    def fits(self, outcome: Document) -> bool:
        return next(differences(self.wanted, outcome), None) is None

    def __str__(self) -> str:
        return ", ".join(f"{key}: {_words(value)}" for key, value in self.wanted.items())


def wanted(document: Document) -> Expectation:
    """Make an expectation of Python values; moments are ms or ISO texts."""
    return Expectation({name: _want(parse_moment(v) if name in MOMENTS and isinstance(v, str) else v) for name, v in document.items()})


def _want(value: object) -> Wanted:
    if isinstance(value, Mapping):
        return {str(name): _want(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return list(map(_want, value))
    return Leaf(value, value if isinstance(value, str) else orjson.dumps(value).decode())


class Difference(NamedTuple):
    path: str
    wanted: Wanted
    got: Any

    def __str__(self) -> str:
        """Show what came, as `message.text: "..."`; of a long text, only the part that differs."""
        if self.path in MOMENTS and isinstance(self.got, int):
            return f"{self.path}: {iso(self.got)}"
        start = 0
        if isinstance(self.got, str) and isinstance(self.wanted, Leaf):
            pairs = zip(self.got, self.wanted.text, strict=False)
            same = next((index for index, (one, other) in enumerate(pairs) if one != other), min(len(self.got), len(self.wanted.text)))
            start = max(0, same - _BEFORE)
        return f"{self.path}: {brief(self.got, start)}"


def differences(wanted: Wanted, got: object, path: str = "") -> Iterator[Difference]:
    """Yield all differences between `got` and what is wanted."""
    if isinstance(wanted, dict):
        if not isinstance(got, Mapping):
            yield Difference(path, wanted, got)
            return
        for key, value in wanted.items():
            yield from differences(value, got.get(key), f"{path}.{key}" if path else key)
    elif isinstance(wanted, list):
        if not isinstance(got, list) or len(got) != len(wanted):
            yield Difference(path, wanted, got)
            return
        for index, (value, item) in enumerate(zip(wanted, got, strict=True)):
            yield from differences(value, item, f"{path}[{index}]")
    elif not wanted.equals(got):
        yield Difference(path, wanted, got)


def misses(
    then: Sequence[Expectation], never: Iterable[Expectation], actions: Sequence[Document], decisions: Sequence[Document]
) -> list[str]:
    """List a line for each expectation that was not met, and for each outcome that should not have come."""
    came = (one for one in never if any(map(one.fits, decisions if one.is_decision else actions)))
    return unmet(then, actions, decisions) + [f"it should never have come: {one}" for one in came]


def unmet(expected: Sequence[Expectation], actions: Sequence[Document], decisions: Sequence[Document]) -> list[str]:
    """List a line for each expectation that gets no outcome of its own, in their order; as few as possible.

    If there are too few outcomes, the expectation that says less gets none.
    """
    outcomes = [*actions, *decisions]
    middle = len(actions)
    fitting = [
        [index for index in (range(middle, len(outcomes)) if one.is_decision else range(middle)) if one.fits(outcomes[index])]
        for one in expected
    ]
    ranked = sorted(range(len(expected)), key=lambda index: -_size(expected[index].wanted))
    given = dict(zip(ranked, assign([fitting[index] for index in ranked]), strict=True))
    lines = []
    for index, expectation in enumerate(expected):
        if given[index] is None and fitting[index]:
            lines.append(f"expected, but it did not come again: {expectation}")
        elif given[index] is None:
            nearest = _nearest(expectation, decisions if expectation.is_decision else actions)
            lines.append(f"expected, but it did not come: {expectation}{nearest}")
    return lines


def assign(fitting: Sequence[Iterable[int]]) -> list[int | None]:
    """Assign to each seeker one of the things that fit it, no thing twice; None: it gets none.

    As many seekers as possible get one. Earlier seekers have priority.
    """
    owner: dict[int, int] = {}
    given: list[int | None] = [None] * len(fitting)
    for seeker in range(len(fitting)):
        wanted_by: dict[int, int] = {}
        asking = deque([seeker])
        free: int | None = None
        while asking and free is None:
            who = asking.popleft()
            for thing in fitting[who]:
                if thing in wanted_by:
                    continue
                wanted_by[thing] = who
                if thing not in owner:
                    free = thing
                    break
                asking.append(owner[thing])
        while free is not None:  # each on the path takes what it asked for, and leaves what it had to the one before
            who = wanted_by[free]
            owner[free] = who
            given[who], free = free, given[who]
    return given


def _size(wanted: Wanted) -> int:
    """Count the single values that it names."""
    if isinstance(wanted, Leaf):
        return 1
    return sum(map(_size, wanted.values() if isinstance(wanted, dict) else wanted))


def _nearest(expectation: Expectation, outcomes: Iterable[Document]) -> str:
    """Say what differs at the nearest outcome, if it has the same user, journey and kind."""
    found: list[Difference] = []
    for outcome in outcomes:
        differing = list(differences(expectation.wanted, outcome))
        if all(one.path not in ("user", "journey", "kind") for one in differing) and (not found or len(differing) < len(found)):
            found = differing
    if not found or len(found) >= _size(expectation.wanted):
        return ""
    return f"; what came nearest has {', '.join(map(str, found))}"


# ---- words -------------------------------------------------------------------------------------------------------------


def _words(wanted: Wanted) -> str:
    if isinstance(wanted, dict):
        return "{" + ", ".join(f"{key}: {_words(value)}" for key, value in wanted.items()) + "}"
    if isinstance(wanted, list):
        return "[" + ", ".join(map(_words, wanted)) + "]"
    return shortened(wanted.text)
