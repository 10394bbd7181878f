"""`sent(days=7, channel="push", journey="cart")` in expressions: how many messages went out to the user."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from triggers.definitions.model import MOST_SENT_DAYS, Sent
from triggers.language.fields import NEEDS_2, nearest

if TYPE_CHECKING:
    from collections.abc import Collection

    from triggers.language.operands import Context

SENT: Final = "sent"
_EXAMPLE: Final = 'as in sent(days=7) < 3 or sent(days=1, channel="push") == 0'
_WORDS: Final = ("days", "channel", "journey")
_UNITS: Final = ("minutes", "hours", "weeks", "months", "per")
"""Arguments for other lengths."""


def is_sent(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == SENT


def sent(context: Context, node: ast.Call) -> Sent | None:
    """Return what a call counts."""
    refuse = context.expression.refuse
    if context.references.version < 2:
        refuse(node, "sent is not known in version 1", NEEDS_2)
        return None
    if context.scope != "user" or not context.has_sends:
        where = "where=" if context.scope == "event" else "every_day" if context.scope == "day" else "a segment or a value"
        refuse(node, f"sent(...) in {where}", "it is asked in when, if, choose and skip_unless, and in the if of a consent")
        return None
    if node.args:
        refuse(node, "sent takes names only", _EXAMPLE)
        return None
    given = {keyword.arg: keyword for keyword in node.keywords}
    for keyword in node.keywords:
        if keyword.arg not in _WORDS:
            shown = f'unknown argument "{keyword.arg}"' if keyword.arg else "** is not known here"
            in_days = "a day of the user is days=1, the last seven are days=7" if keyword.arg in _UNITS else ""
            refuse(keyword, shown, in_days or nearest(keyword.arg or "", _WORDS))
        elif given[keyword.arg] is not keyword:
            refuse(keyword, f"{keyword.arg}= is given twice", "give it once")
    if "days" not in given:
        if not context.expression.failed:
            refuse(node, "sent has no days=", _EXAMPLE)
        return None
    days = _days(context, given["days"].value)
    channel = _name(context, given["channel"].value, "channel", context.references.channels) if "channel" in given else None
    journey = _name(context, given["journey"].value, "journey", context.references.journeys) if "journey" in given else None
    return None if context.expression.failed or days is None else Sent(days, channel, journey)


def not_compared(context: Context, node: ast.Call) -> None:
    """Refuse a number that is compared with nothing."""
    if sent(context, node) is not None:
        context.expression.refuse(node, "sent(...) is a number, not a condition", "compare it, as in sent(days=7) < 3")


def _days(context: Context, node: ast.expr) -> int | None:
    if isinstance(node, ast.Constant) and type(node.value) is int and 0 < node.value <= MOST_SENT_DAYS:
        return node.value
    shown = context.expression.source(node)[:40]
    context.expression.refuse(node, f"days is {shown}", f"a whole number from 1 to {MOST_SENT_DAYS} belongs here, today the last")
    return None


def _name(context: Context, node: ast.expr, what: str, known: Collection[str] | None) -> str | None:
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        context.expression.refuse(node, f"{what} is no text in quotes", _EXAMPLE)
        return None
    if known is not None and node.value not in known:
        context.expression.refuse(node, f'unknown {what} "{node.value[:64]}"', nearest(node.value, known))
        return None
    return node.value
