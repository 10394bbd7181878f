"""Warn of texts that show a value where there is none: `$category` without `each`, and `{traits.name}` with single braces."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from triggers.language.documents import List, Node, Problem, Scalar
from triggers.rules.each import EACH, CopySource
from triggers.rules.warnings.nodes import messages_of
from triggers.rules.written import Written

_VALUE: Final = re.compile(r"(?<![$\w])\$\{?([a-z]\w*)\}?", re.ASCII)
"""In small letters: `$AAPL` is a share, and `US$` a currency."""
_BRACES: Final = re.compile(r"(?<!\{)\{ ?((?:traits|properties|values|event|run)\.[^{}]{1,60}?) ?\}(?!\})")


def values_without_each(written: Written) -> Iterator[Problem]:
    """Warn of `$category` in a definition without `each`: it is no value there."""
    for nodes in written.sections.values():
        for text in (text for node in nodes for text in _scalars(node)):
            found = None if isinstance(text.source, CopySource) else _VALUE.search(text.text)
            if found is not None:
                name = found[1]
                hint = f"in a definition with {EACH}: {{{name}: [...]}} it is a value; a trait is {{{{ traits.{name} }}}}"
                yield text.source.problem(text.index(found.start()), f'"{found[0]}" is taken as it is written', hint)


def single_braces(written: Written) -> Iterator[Problem]:
    """Warn of `{traits.name}` in a message: only two braces show a value."""
    for journey in written.journeys.values():
        for text in messages_of(journey):
            found = _BRACES.search(text.text)
            if found is not None:
                what = f'"{found[0]}" is sent as it is written'
                yield text.source.problem(text.index(found.start()), what, f"two braces show a value: {{{{ {found[1]} }}}}")


def _scalars(node: Node) -> Iterator[Scalar]:
    nodes = [node]
    while nodes:
        one = nodes.pop()
        if isinstance(one, Scalar):
            yield one
        elif isinstance(one, List):
            nodes += one.items
        else:
            nodes += [part for entry in one.entries for part in entry]
