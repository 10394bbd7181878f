"""Warn of conditions that count messages which are never counted."""

from __future__ import annotations

from collections.abc import Iterator

from triggers.definitions.model import Sent
from triggers.definitions.policies import TRANSACTIONAL
from triggers.definitions.words import words_of
from triggers.language.documents import Problem
from triggers.language.trees import parts_of
from triggers.rules.written import Written


def uncounted_sends(written: Written) -> Iterator[Problem]:
    """Warn of `sent(...)` of a transactional journey: such messages count nowhere, so it is always 0."""
    exempt = {name for name, journey in written.rules.journeys.items() if journey.category == TRANSACTIONAL}
    for expression in written.expressions if exempt else ():
        seen: set[Sent] = set()
        for offset, condition in expression.parts:
            for part in parts_of(condition):
                if isinstance(part, Sent) and part.journey in exempt and part not in seen:
                    seen.add(part)
                    what = f"{words_of(part)} is always 0: the journey is transactional, and such messages are not counted"
                    hint = "take a journey of another category, or count an event of it"
                    yield expression.node.source.problem(expression.node.index(offset), what, hint)
