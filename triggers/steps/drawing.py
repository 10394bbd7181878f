"""A journey as a picture: a flowchart in the language of Mermaid, which GitHub and many editors show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from triggers.base.moments import iso_day
from triggers.causes.cause import kind_of as kind_of_cause
from triggers.definitions.policies import TRANSACTIONAL, Cap
from triggers.definitions.words import duration_words, words_of
from triggers.steps.kind import StepKind, all_of, kind_of
from triggers.steps.send import Send

if TYPE_CHECKING:
    from collections.abc import Iterable

    from triggers.definitions.model import Cause, Journey, Step
    from triggers.definitions.policies import Consent, Policies, QuietHours

_PLAIN: Final = frozenset(" .,:?!=+*/%()[]'-_")
"""Marks that mean nothing inside quotes. All others are written as their number, so a text can contain no Mermaid and no HTML."""
_LONGEST: Final = 120
"""Characters of one label."""
_Open = list[tuple[str, str]]
"""Nodes whose next node is not drawn yet, each with the words on the arrow."""


def draw(journey: Journey, policies: Policies | None = None) -> str:
    """Return the flowchart of a journey. `policies`: of its rule set; those that bind its messages are named."""
    return "".join(f"{line}\n" for line in _Chart(journey, policies).lines)


class _Chart:
    def __init__(self, journey: Journey, policies: Policies | None) -> None:
        self.lines = ["flowchart TD"]
        self._nodes = 0
        entry = self._node("([", _words(journey.entries, enters=True), "])", _entered(journey))
        opened = self._steps(journey.steps, [(entry, "")])
        if opened:
            self._join(opened, self._node("([", "completed", "])"))
        if journey.exits:
            exit_ = self._node("{{", f"at any step: {'the goal' if journey.exit_is_goal else _words(journey.exits)}", "}}")
            self.lines.append(f"    {exit_} -.-> {self._node('([', 'exited', '])')}")
        if journey.goal is not None:
            within = duration_words(journey.goal.within)
            self._node("[/", f"goal: {_words([journey.goal.cause])}", "/]", f" within {within}")
        withheld = _withheld(journey, policies)
        if withheld:
            self._node("[/", withheld, "/]")
        bound = _bound(journey, policies)
        if bound:
            self._node("[/", f"its messages: {bound}", "/]")

    def _steps(self, steps: Iterable[Step], opened: _Open) -> _Open:
        """Draw steps behind these nodes. Return the nodes from which a run continues behind them."""
        for step in map(kind_of, steps):
            opened = self._step(step, opened)
        return opened

    def _step(self, step: StepKind, opened: _Open) -> _Open:
        if step.when is not None:
            asks = self._node("{", f"{words_of(step.when)}?", "}")
            self._join(opened, asks)
            self._join([(asks, "no, or unknown")], self._node("([", "exited", "])"))
            opened = [(asks, "yes")]
            if step.does == "asks":
                return opened
        ways = step.ways()
        left, right = ("([", "])") if step.stops else ("{", "}") if ways and not step.waits else ("[", "]")
        node = self._node(left, step.label(), right)
        self._join(opened, node)
        if step.stops:
            return []
        if not any(steps for _, steps in ways):
            return [(node, "")]
        return [end for words, steps in ways for end in self._steps(steps, [(node, words)])]

    def _node(self, left: str, text: str, right: str, tail: str = "") -> str:
        """Add a node. `tail`: text that is shown whole, however long the text before it is."""
        self._nodes += 1
        name = f"n{self._nodes}"
        self.lines.append(f'    {name}{left}"{_label(text)}{_label(tail, " ")}"{right}')
        return name

    def _join(self, opened: _Open, node: str) -> None:
        for before, words in opened:
            self.lines.append(f'    {before} -->|"{_label(words)}"| {node}' if words else f"    {before} --> {node}")


def _words(causes: Iterable[Cause], *, enters: bool = False) -> str:
    return " or ".join(kind_of_cause(cause).label(enters=enters) for cause in causes)


def _entered(journey: Journey) -> str:
    """Return what else decides about an entry: its key, how entries are spread, and between which dates they are."""
    keys = dict.fromkeys(".".join(kind_of_cause(cause).key_path()) for cause in journey.entries)
    spread = duration_words(journey.spread) if journey.spread else ""
    parts = {
        ", one run for each ": " or ".join(filter(None, keys)),
        ", spread over ": spread,
        ", from ": "" if journey.opens is None else iso_day(journey.opens),
        ", until ": "" if journey.closes is None else iso_day(journey.closes),
    }
    return "".join(words + part for words, part in parts.items() if part)


def _withheld(journey: Journey, policies: Policies | None) -> str:
    """Return which users get nothing, so that the others can be compared with them."""
    if journey.category == TRANSACTIONAL:
        return ""
    control = 0 if policies is None or policies.control is None else policies.control.part
    parts = [f"{part / 100:g} % {words}" for part, words in ((journey.holdout, "holdout"), (control, "control group")) if part]
    return f"without messages: {', '.join(parts)}" if parts else ""


def _bound(journey: Journey, policies: Policies | None) -> str:
    """Return the policies that bind some of the messages of a journey, by name."""
    if policies is None:
        return ""
    channels = {step.channel for step in all_of(journey.steps) if isinstance(step, Send)}

    def names(rules: Iterable[Consent | QuietHours | Cap]) -> str:
        caps = [rule for rule in rules if not isinstance(rule, Cap) or rule.journeys is None or journey.name in rule.journeys]
        return ", ".join(rule.name for rule in caps if any(rule.scope.covers(channel, journey.category) for channel in channels))

    kinds = {
        "consent": names(policies.consent),
        "quiet hours": names(policies.quiet_hours),
        "caps": names(policies.caps),
    }
    return ", ".join(f"{kind} {found}" for kind, found in kinds.items() if found)


def _label(text: str, begin: str = "") -> str:
    """Return a text that is safe inside the quotes of a label. `begin`: a blank, if the text begins with one that counts."""
    text = (begin if text.startswith(begin) else "") + " ".join(text.split())
    text = text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
    return "".join(mark if mark.isalnum() or mark in _PLAIN else f"#{ord(mark)};" for mark in text)
