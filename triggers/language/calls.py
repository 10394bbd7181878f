"""The functions of the expression language that measure a user's events: `count("Order Completed", days=90, where=total > 10)`."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Final

from triggers.definitions.model import Condition, Measure, Operand, Unit
from triggers.language import later
from triggers.language.fields import NEEDS_2, event_fault, nearest
from triggers.language.operands import FUNCTIONS, MAX_PATH, MEASURES, A, Context, example, whole
from triggers.language.schema import ANY, Type
from triggers.measures.kind import KINDS, Kind, kind_of

LONGEST: Final[dict[str, int]] = {"minutes": 10_080, "hours": 8_784, "days": 3_650}
"""Longest windows: a week of minutes, a leap year of hours, ten years of days.

A window is kept in panes of its unit, and a user's whole state must fit into one record (PROTOCOL law 12). These limits keep a single
window of counts or sums below 150 KB; what all windows of a rule set may take together is bounded in `triggers.rules.bounds`.
"""
_UNITS: Final[dict[str, Unit]] = {"minutes": "minute", "hours": "hour", "days": "day"}

_LONGER: Final = {"weeks": 7, "months": 30, "years": 365}
"""The days of units that there are not; a missing s is not looked for here but among the units."""
_SHORT: Final = {"m": ("minutes", 1), "h": ("hours", 1), "d": ("days", 1), "w": ("days", 7)}
"""The units of durations as arguments."""

ReadWhere = Callable[[ast.expr, str], Condition | None]
"""Reads the condition after `where=`, over the properties of the event with that name."""


def function(context: Context, node: ast.Call) -> str | None:
    """Return the name of the function that is called, if there is one of this name and it is allowed here."""
    expression = context.expression
    if not isinstance(node.func, ast.Name):
        expression.refuse(node, "only functions are called, by their name", f"there are {', '.join(FUNCTIONS)}")
        return None
    name = node.func.id
    if name not in FUNCTIONS:
        expression.refuse(node, f'unknown function "{name}"', later.CALLS.get(name) or nearest(name, FUNCTIONS))
        return None
    if name in MEASURES and MEASURES[name].version > context.references.version:
        expression.refuse(node, f"{name} is not known in version {context.references.version}", NEEDS_2)
        return None
    if context.scope == "event":
        expression.refuse(node, f"{name}(...) inside where=", "where= compares properties of the one event")
        return None
    return name


def measure(context: Context, node: ast.Call, name: str, kind: Kind, read_where: ReadWhere) -> Measure | None:
    """Return the measure that a call asks for by the name of a kind, or of its opposite."""
    expression = context.expression
    subject = _subject(context, node, name, kind)
    unit, length = _length(context, node, name, kind)
    listed = _listed(context, node, kind)
    event, path = subject or ("", ())
    where: Condition | None = None
    wheres = [keyword for keyword in node.keywords if keyword.arg == "where"]
    for keyword in wheres:
        where = read_where(keyword.value, event)
    for keyword in wheres[1:]:  # Python itself would complain only later, when it compiles
        expression.refuse(keyword, "where= is given twice", "join the conditions with and, as in where=a == 1 and b == 2")
    daily = context.scope == "day"
    if daily and not kind.in_every_day:
        expression.refuse(node, f"{name}(...) inside every_day", f"a day has {of_a_day('and')}")
        return None
    if not daily and kind.needs_length and not any(keyword.arg in _UNITS for keyword in node.keywords):
        expression.refuse(node, *kind.needs_length)
        return None
    if subject is None or expression.failed:
        return None
    declared = context.schema.property(event, path) if kind.minds_sign else None
    if daily:
        unit, length = "day", context.days
    found = Measure(kind.name, event, path, unit, length, where, daily, bool(declared and declared.non_negative), context.whole, listed)
    context.measures.setdefault(found, expression.offset(node))
    return found


def is_value(operand: Operand) -> bool:
    """Return whether an operand is a measure that gives a JSON value."""
    return isinstance(operand, Measure) and kind_of(operand).gives == "any"


def declared_type(context: Context, found: Measure) -> Type:
    """Return the type that the schema declares for the property of a measure."""
    return (context.schema.property(found.event, found.path) or ANY).type


def only_in_texts(name: str) -> tuple[str, str]:
    """Return why a list of texts has no place in a condition, and what to do."""
    return (
        f"{name}(...) is a list of texts, which no condition compares",
        "name it in the section values and show it, as in {{ values.x[0] }}",
    )


def no_condition(name: str, kind: Kind) -> tuple[str, str]:
    """Return why a function that gives a value is no condition, and what to do."""
    if kind.gives == "texts":
        return only_in_texts(name)
    better = '>= "2026-01-31"' if kind.gives == "moment" else '== "x"' if kind.gives == "any" else "> 0"
    return f"{name}(...) is {A[kind.gives]}, not a condition", f"compare it, as in {name}(...) {better}"


def of_a_day(last: str) -> str:
    """Return the functions that are allowed inside `every_day`, as a list for people."""
    *names, final = (kind.name for kind in KINDS.values() if kind.in_every_day)
    return f"{', '.join(names)} {last} {final}"


def _subject(context: Context, node: ast.Call, name: str, kind: Kind) -> tuple[str, tuple[str, ...]] | None:
    """Return the event and the property path that the one argument names."""
    expression, has_path = context.expression, kind.take is not None
    wanted = f"as in {example(name)}"
    if len(node.args) == 2 and isinstance(node.args[1], ast.Constant) and (hint := _length_hint(node.args[1].value)):
        expression.refuse(node.args[1], "a length without a unit", hint)
        return None
    if len(node.args) != 1:
        expression.refuse(node, f"{name} takes one event, not {len(node.args)}", wanted)
        return None
    argument = node.args[0]
    if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
        expression.refuse(argument, f"{name} takes an event's name in quotes", wanted)
        return None
    event, dotted = context.schema.split(argument.value) if has_path else (argument.value, "")
    path = tuple(dotted.split(".")) if dotted else ()
    if has_path and (not path or not all(path) or len(path) > MAX_PATH):
        expression.refuse(argument, f"{name} needs an event and a property", wanted)
        return None
    fault = event_fault(event + dotted)
    if fault:
        expression.refuse(argument, fault)
        return None
    return (event, path) if _is_declared(context, argument, event, path, kind) else None


def _is_declared(context: Context, node: ast.expr, event: str, path: tuple[str, ...], kind: Kind) -> bool:
    """Look the event and its property up in the schema."""
    expression, schema = context.expression, context.schema
    inside = expression.offset(node) + 1
    if schema.events is not None and event not in schema.events:
        hint = nearest(event, schema.events)
        if not path and schema.split(event)[0] in schema.events:
            hint = f'the event is "{schema.split(event)[0]}"; its properties are compared in where='
        expression.refuse(inside, f'unknown event "{event}"', hint)
        return False
    declared = schema.property(event, path) if path else ANY
    name = ".".join(path)
    if declared is None:
        expression.refuse(inside + len(event) + 1, f'"{event}" has no property "{name}"', nearest(name, schema.properties(event)))
        return False
    for wanted, reason in (("number", kind.numbers), ("text", kind.texts)):
        if reason and declared.type not in (wanted, "any"):
            expression.refuse(inside + len(event) + 1, f'"{name}" is declared as {A[declared.type]}', reason)
            return False
    return True


def _listed(context: Context, node: ast.Call, kind: Kind) -> int:
    """Return how many of a list are asked for; 0 of a kind that gives none."""
    if kind.listed is None:
        return 0
    usual, most = kind.listed
    given = [whole(context.expression, keyword.value, "n", most) for keyword in node.keywords if keyword.arg == "n"]
    if len(given) > 1:
        context.expression.refuse(node, "n= is given twice", "give it once")
    return (given[0] or usual) if given else usual


def _length(context: Context, node: ast.Call, name: str, kind: Kind) -> tuple[Unit | None, int | None]:
    unit: Unit | None = None
    length: int | None = None
    for keyword in node.keywords:
        if keyword.arg == "where" or (keyword.arg == "n" and kind.listed):
            continue
        if keyword.arg in _UNITS and kind.refuses_length:
            context.expression.refuse(keyword, *kind.refuses_length)
        elif keyword.arg in _UNITS and kind.most_days and keyword.arg != "days":
            context.expression.refuse(keyword, f"{name} in {keyword.arg}", f"its length is in days, as in {kind.example}")
        elif keyword.arg not in _UNITS:
            shown = f'unknown argument "{keyword.arg}"' if keyword.arg else "** is not known here"
            meant = _longer(keyword) or later.ARGUMENTS.get(keyword.arg or "")
            context.expression.refuse(keyword, shown, meant or nearest(keyword.arg or "", (*_UNITS, "where")))
        elif context.scope == "day":
            context.expression.refuse(keyword, f"{keyword.arg}= inside every_day", "each day is measured by itself")
        elif unit is not None:
            context.expression.refuse(keyword, f"{name} has two lengths", "give one of minutes=, hours= and days=")
        else:
            unit, length = (
                _UNITS[keyword.arg],
                whole(context.expression, keyword.value, keyword.arg, kind.most_days or LONGEST[keyword.arg]),
            )
    return unit, length


def _longer(keyword: ast.keyword) -> str:
    """Return the hint for a length in a unit that there is not: `weeks=2` is days=14."""
    days = _LONGER.get(keyword.arg or "")
    if days is None:
        return ""
    value = keyword.value.value if isinstance(keyword.value, ast.Constant) else 1
    times = value if type(value) is int and 0 < value <= LONGEST["days"] // days else 1
    return f"write days={days * times}"


def _length_hint(value: object) -> str:
    """Return the hint for a length without a name, as 7 or "7d"."""
    if type(value) is int:
        return f"name it, as in days={value}"
    match = re.fullmatch(r"([1-9][0-9]{0,4})([mhdw])", value) if isinstance(value, str) else None
    if match is None:
        return ""
    unit, times = _SHORT[match[2]]
    return f"name it, as in {unit}={int(match[1]) * times}"
