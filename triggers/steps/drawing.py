"""A journey as a picture: a flowchart in the language of Mermaid, which GitHub and many editors show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from triggers.causes.cause import kind_of as kind_of_cause
from triggers.definitions.words import duration_words, words_of
from triggers.steps.kind import StepKind, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from triggers.definitions.model import Cause, Journey, Step

_PLAIN: Final = frozenset(" .,:?!=+*/%()[]'-_")
"""Marks that mean nothing inside quotes. All others are written as their number, so a text can contain no Mermaid and no HTML."""
_LONGEST: Final = 120
"""Characters of one label."""
_Open = list[tuple[str, str]]
"""Nodes whose next node is not drawn yet, each with the words on the arrow."""


def draw(journey: Journey) -> str:
    """Return the flowchart of a journey."""
    return "".join(f"{line}\n" for line in _Chart(journey).lines)


class _Chart:
    def __init__(self, journey: Journey) -> None:
        self.lines = ["flowchart TD"]
        self._nodes = 0
        entry = self._node("([", " or ".join(map(_entry, journey.entries)), "])")
        opened = self._steps(journey.steps, [(entry, "")])
        if opened:
            self._join(opened, self._node("([", "completed", "])"))
        if journey.exits:
            exit_ = self._node("{{", f"at any step: {_words(journey.exits)}", "}}")
            self.lines.append(f"    {exit_} -.-> {self._node('([', 'exited', '])')}")
        if journey.goal is not None:
            within = duration_words(journey.goal.within)
            self._node("[/", f"goal: {_words([journey.goal.cause])} within {within}", "/]")

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

    def _node(self, left: str, text: str, right: str) -> str:
        self._nodes += 1
        name = f"n{self._nodes}"
        self.lines.append(f'    {name}{left}"{_label(text)}"{right}')
        return name

    def _join(self, opened: _Open, node: str) -> None:
        for before, words in opened:
            self.lines.append(f'    {before} -->|"{_label(words)}"| {node}' if words else f"    {before} --> {node}")


def _words(causes: Iterable[Cause]) -> str:
    return " or ".join(kind_of_cause(cause).words() for cause in causes)


def _entry(cause: Cause) -> str:
    """Return an entry in words. With a key it has nothing to be the same as."""
    kind = kind_of_cause(cause)
    key = ".".join(kind.key_path())
    return f"{kind.words().removesuffix(f' with the same {key}')}, one run for each {key}" if key else kind.words()


def _label(text: str) -> str:
    """Return a text that is safe inside the quotes of a label."""
    text = " ".join(text.split())
    text = text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
    return "".join(mark if mark.isalnum() or mark in _PLAIN else f"#{ord(mark)};" for mark in text)
