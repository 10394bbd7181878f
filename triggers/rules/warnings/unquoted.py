"""Warn of `where=category == fiction`: without quotes it compares two properties of the event, where its author may mean a text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from triggers.definitions.model import Compare, Property
from triggers.language.documents import Problem
from triggers.rules.written import Written


def unquoted_texts(written: Written) -> Iterator[Problem]:
    """Warn where the right side is a bare name. A schema says which names are properties, and `properties.x` says it too."""
    if written.declared:
        return
    for expression in written.expressions:
        text = expression.node.text
        for offset, condition in expression.parts:
            if not isinstance(condition, Compare) or condition.op not in ("==", "!="):
                continue
            left, right = condition.left, condition.right
            if not isinstance(left, Property) or not isinstance(right, Property) or len(right.path) != 1:
                continue
            name = right.path[0]
            if re.search(rf"[!=]=\s*{re.escape(name)}\b(?!\.)", text[offset:]):
                what = f"{'.'.join(left.path)} {condition.op} {name} compares two properties of the event"
                hint = f'a text is in quotes: "{name}"; if the property is meant, write properties.{name}'
                yield expression.node.source.problem(expression.node.index(offset), what, hint)
