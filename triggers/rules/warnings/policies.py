"""Warn of policies that keep back more than their author probably meant."""

from __future__ import annotations

from collections.abc import Iterator

from triggers.language.documents import Map, Node, Problem
from triggers.rules.warnings.nodes import value, warning
from triggers.rules.written import Written


def _all(written: Written, kind: str) -> Iterator[tuple[str, Map]]:
    """Yield the policies of one kind: name and node."""
    for section in written.policies:
        found = value(section, kind) if isinstance(section, Map) else None
        for name, node in found.entries if isinstance(found, Map) else ():
            if isinstance(node, Map):
                yield name.text, node


def unknown_consents(written: Written) -> Iterator[Problem]:
    """Warn of a consent over incomplete windows, unless it says what that means."""
    for name, node in _all(written, "consent"):
        condition = value(node, "if")
        if value(node, "unknown") is None and condition is not None and _can_be_unknown(written, condition):
            what = f'the consent "{name}" can be unknown for users who were here before these rules, and unknown blocks'
            yield warning(condition, what, "write unknown: block or unknown: allow next to it")


def _can_be_unknown(written: Written, condition: Node) -> bool:
    return any(not measure.whole for expression in written.expressions if expression.node is condition for measure in expression.measures)
