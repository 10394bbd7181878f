"""Warns of messages that look like slips: keys near a known one, and texts that YAML cuts. `check` cannot refuse either."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from triggers.language.documents import Map, Node, Problem, Scalar
from triggers.rules.warnings.names import is_slip
from triggers.rules.warnings.nodes import messages, parts, warning
from triggers.rules.written import Written
from triggers.steps.send import USUAL

FOREIGN: Final = {
    **dict.fromkeys(("time_zone", "channels", "before_rules", "placeholder_ids", "duplicates"), "it belongs to settings"),
    **dict.fromkeys(("journeys", "segments", "settings", "schema"), "it is a section of its own, at the left edge"),
    **dict.fromkeys(("where", "enters", "leaves"), "it belongs to an entry or an exit"),
    **dict.fromkeys(("consent", "quiet_hours", "frequency_cap", "cap", "caps"), "it belongs to policies, a section of its own"),
    **dict.fromkeys(
        ("wait_until", "send_at", "at", "delay", "not_before", "schedule"), 'a step before it waits, as in wait: {at: "09:00"}'
    ),
    **dict.fromkeys(("category", "goal", "holdout"), "it belongs to the journey, next to steps"),
}
"""Words of other sections, and of what people look for, with what to say of them."""


def near_keys(written: Written) -> Iterator[Problem]:
    for journey in written.journeys.values():
        for keys in messages(journey):
            for key in keys:
                near = next((usual for usual in USUAL if is_slip(key.text, usual)), None)
                if near is not None and key.text not in USUAL:
                    yield warning(key, f'"{key.text}" is sent as a part of the message', f'did you mean "{near}"?')


def foreign_words(written: Written) -> Iterator[Problem]:
    for journey in written.journeys.values():
        for keys in messages(journey):
            for key in keys:
                if key.text in FOREIGN:
                    yield warning(key, f'"{key.text}" inside send is sent as a part of the message, and decides nothing', FOREIGN[key.text])


def cut_texts(written: Written) -> Iterator[Problem]:
    """Warn of a `#` that begins a comment in the middle of a sentence. With a blank after it, it is meant as a comment."""
    for journey in written.journeys.values():
        for message in parts(journey):
            for key, part in _texts(message):
                if isinstance(part, Scalar) and not part.style and (cut := _comment(part)):
                    yield warning(part, f'"{key.text}" ends before {cut}: YAML takes that for a comment', "put the text into double quotes")


def _texts(message: list[tuple[Scalar, Node]]) -> Iterator[tuple[Scalar, Node]]:
    """Yield the parts of a message; of one that is in several languages, each text."""
    for key, part in message:
        if isinstance(part, Map):
            yield from part.entries
        else:
            yield key, part


def _comment(text: Scalar) -> str:
    """Return the first word of a comment after a text without quotes, if it looks like a part of the text."""
    source = text.source.text
    end = source.find("\n", text.end)
    rest = source[text.end : end if end >= 0 else None].strip()
    return rest.split()[0][:40] if re.match(r"#+\w", rest) else ""
