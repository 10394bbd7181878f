"""The order in which definitions that refer to each other by name are read: each after all that it refers to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from triggers.language.documents import Node, Scalar
from triggers.language.fields import Fields

Named = Sequence[tuple[str, int]]
"""What a text refers to, each name with its offset."""


def in_order(nodes: Mapping[str, Node], named: Callable[[str], Named], fields: Fields, what: str) -> list[str]:
    """Sort definitions so that each comes after those that its text refers to; else in the order given.

    Refuse each circle where it closes. Of a circle, the definition that comes first refers to one that comes later: it has errors then.
    """
    found: dict[str, None] = {}
    for first in nodes:
        path: dict[str, Iterator[tuple[str, int]]] = {}
        if first not in found:
            path[first] = iter(_named(nodes[first], named))
        while path:
            name = next(reversed(path))
            other, offset = next(path[name], ("", 0))
            if not other:
                del path[name]
                found[name] = None
            elif other in path:
                chain = [*path][[*path].index(other) :]
                circle = " -> ".join([*chain, other])
                fields.refuse(nodes[name], f"{what}s refer to each other in a circle: {circle}", f"write out what one {what} says", offset)
            elif other in nodes and other not in found:
                path[other] = iter(_named(nodes[other], named))
    return list(found)


def _named(node: Node, named: Callable[[str], Named]) -> Named:
    return named(node.text) if isinstance(node, Scalar) else ()
