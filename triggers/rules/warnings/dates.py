"""Warn of traits that are taken for dates and can hardly be some, and of dates that a text cannot show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, TypeGuard

from triggers.causes.dated import Dated
from triggers.definitions.model import Cause, Compare, Flag, Number, Trait
from triggers.language.documents import Problem, Scalar
from triggers.rules.warnings.nodes import items, parts, value, warning
from triggers.rules.written import Written

_DATES_FROM: Final = 10**8
"""Numbers below it are hardly seconds since 1970: that would be before March 1973."""


def hardly_dates(written: Written) -> Iterator[Problem]:
    """Warn of an entry on the date of a trait that a condition takes for a flag or a small number."""
    compared = _compared(written)
    for name, node in written.journeys.items():
        for cause, at in zip(written.rules.journeys[name].entries, items(value(node, "entry")), strict=True):
            if isinstance(cause, Dated) and cause.trait in compared:
                what = f"a condition takes {cause.source} for {compared[cause.trait]}, and here it is a date"
                yield warning(at, what, "name the trait that has the date")


def _compared(written: Written) -> dict[tuple[str, ...], str]:
    """Return the traits that conditions compare with a flag or a small number, each with what it is compared with."""
    found: dict[tuple[str, ...], str] = {}
    for expression in written.expressions:
        for _, part in expression.parts:
            if isinstance(part, Compare):
                for one, other in ((part.left, part.right), (part.right, part.left)):
                    if isinstance(one, Trait) and isinstance(other, Flag):
                        found[one.path] = "a flag"
                    elif isinstance(one, Trait) and isinstance(other, Number) and abs(other.scaled) < _DATES_FROM * 10**6:
                        found.setdefault(one.path, "a small number")
    return found


def _may_miss_the_year(cause: Cause, written: Written) -> TypeGuard[Dated]:
    return isinstance(cause, Dated) and cause.yearly and ".".join(cause.trait) not in written.moments


def dates_without_year(written: Written) -> Iterator[Problem]:
    """Warn of a text that shows a trait with `|date` whose value may be without a year: then the message fails."""
    for name, node in written.journeys.items():
        yearly = {cause.source for cause in written.rules.journeys[name].entries if _may_miss_the_year(cause, written)}
        shows = [re.compile(rf"\b{re.escape(source)}\s*\|\s*date\b") for source in sorted(yearly)]
        for message in parts(node) if shows else ():
            for _, text in message:
                if isinstance(text, Scalar) and any(show.search(text.text) for show in shows):
                    what = "a date without a year, such as 03-30, enters here too, but |date cannot show it: then the message fails"
                    yield warning(text, what, "leave it out of the text, or declare the trait as a moment in the schema")
