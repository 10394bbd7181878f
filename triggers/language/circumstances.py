"""`local.hour` and `context.campaign.name` in expressions: the circumstances of an event, or in a step the local time now."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from triggers.definitions.model import CONTEXT, LOCAL, Circumstance
from triggers.language.fields import NEEDS_2, nearest

if TYPE_CHECKING:
    from triggers.language.operands import Context
    from triggers.language.schema import Type

ROOTS: Final = {"local": LOCAL, "context": CONTEXT}
PARTS: Final[dict[str, Type]] = {"hour": "number", "weekday": "text", "day": "number", "month": "number"}
"""What `local` has."""
_EXAMPLES: Final = {"local": "local.hour", "context": "context.campaign.name"}


def circumstance(context: Context, node: ast.expr, root: str, path: tuple[str, ...]) -> tuple[Circumstance, Type] | None:
    """Read a circumstance, with its type."""
    refuse = context.expression.refuse
    fault = _misplaced(context, root)
    if context.references.version < 2:
        refuse(node, f"{root} is not known in version 1", NEEDS_2)
    elif fault is not None:
        refuse(node, *fault)
    elif not path:
        refuse(node, f"{root} needs a name", f'as in {_EXAMPLES[root]}; a property of that name is properties["{root}"]')
    elif root == "local" and (len(path) > 1 or path[0] not in PARTS):
        hint = nearest(path[0], PARTS)
        refuse(node, f'unknown name "local.{".".join(path)}"', f'{hint}; a property of that name is properties["local"]')
    else:
        return Circumstance((ROOTS[root], *path)), PARTS[path[0]] if root == "local" else "any"
    return None


def _misplaced(context: Context, root: str) -> tuple[str, str] | None:
    """Say why a circumstance has no place here."""
    if context.scope == "event":
        return (f"{root} inside any or all", "join it with and, outside") if context.listed else None
    if root == "context":
        return "context outside where=", 'an event has a context, as in did("App Opened", where=context.campaign.name == "spring")'
    if context.scope == "day":
        return "local inside every_day, outside where=", "the local time is that of an event, as in where=local.hour >= 21"
    if not context.has_moment:
        return (
            "local outside where=",
            "only the conditions of steps ask for the time now; a segment counts events, as in where=local.hour >= 21",
        )
    return None
