"""The expression language of conditions: Python's syntax, read by `ast`, and of it only what is listed here.

Nothing of the text is ever run. What is not on the list is refused by name: calls of anything but the nine functions, attributes of
anything but `traits` and `properties`, comprehensions, lambdas, formatted strings, assignments. Text, depth and size are bounded, so that
reading an expression is bounded work whoever wrote it.

    traits.country in ["CN", "TW"] and count("chapter_read", days=7, where=category == "fiction") >= 3
    sum("Order Completed.total", days=90) / count("Order Completed", days=90) > 40
    every_day(30, sum("app_used.minutes") > 30) and not did("order_paid")
    first("Signed Up") >= "2026-01-01"

A bare trait or property stands for `== True`. An event's name may contain dots: in `"E.p"` the longest declared event decides, and without
a schema the first dot.
"""

from __future__ import annotations

import ast
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final, Literal, cast

from triggers.moments import parse_moment
from triggers.numbers import Unfit, scaled
from triggers.rules.fields import event_fault, nearest
from triggers.rules.model import (
    And,
    Arithmetic,
    Compare,
    Comparison,
    Condition,
    Did,
    EveryDay,
    Flag,
    In,
    Kind,
    Measure,
    Moment,
    Not,
    Number,
    Operand,
    Or,
    Property,
    Text,
    Trait,
    Unit,
)
from triggers.rules.schema import ANY, Schema, Type

MAX_TEXT: Final = 4_000
"""Longest expression in characters."""
MAX_DEPTH: Final = 50
"""Deepest nesting of an expression."""
MAX_NODES: Final = 1_000
"""Most nodes of an expression's syntax tree."""
MAX_OPTIONS: Final = 500
"""Most values in a list after `in`."""
MAX_PATH: Final = 8
"""Most parts of the path of a trait or property."""

LONGEST: Final[dict[str, int]] = {"minutes": 10_080, "hours": 8_784, "days": 3_650}
"""Longest windows: a week of minutes, a leap year of hours, ten years of days.

A window is kept in panes of its unit, and a user's whole state must fit into one record (PROTOCOL law 12). These limits keep the largest
single window below 10,100 panes; what all windows of a rule set may take together is bounded in `triggers.rules.bounds`.
"""
_UNITS: Final[dict[str, Unit]] = {"minutes": "minute", "hours": "hour", "days": "day"}
FUNCTIONS: Final = ("count", "sum", "distinct", "did", "silent", "first", "last", "every_day")
_COMPARISONS: Final[dict[type[ast.cmpop], Comparison]] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_ARITHMETIC: Final[dict[type[ast.operator], Literal["+", "-", "*", "/"]]] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_REFUSED: Final[dict[type[ast.AST], str]] = {
    ast.NamedExpr: "an assignment (:=)",
    ast.Lambda: "a lambda",
    ast.IfExp: "an if ... else",
    ast.Dict: "a mapping",
    ast.Set: "a set",
    ast.ListComp: "a comprehension",
    ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
    ast.Await: "await",
    ast.Yield: "yield",
    ast.YieldFrom: "yield",
    ast.JoinedStr: "a formatted string",
    ast.Starred: "a starred expression",
    ast.Slice: "a slice",
    ast.List: "a list",
    ast.Tuple: "a tuple",
}
_A: Final = {"number": "a number", "text": "a text", "flag": "a flag", "moment": "a moment", "any": "a value"}

Scope = Literal["user", "day", "event"]
"""Where an expression stands: over a user; over one day, inside `every_day`; over one event, inside `where`."""
Report = Callable[[int, str, str], None]
"""Takes a problem: offset in the text, message, hint."""


@dataclass(frozen=True, slots=True)
class Typed:
    operand: Operand
    type: Type


def compile_expression(
    text: str, report: Report, schema: Schema | None = None, *, event: str | None = None, measures: dict[Measure, int] | None = None
) -> Condition | None:
    """The condition that `text` states, or None after each problem was reported.

    With `event` it is a condition over that event's properties, as after `where`. The measures that it needs are added to `measures`, each
    with its offset.
    """
    reader = _Reader(text, report, schema or Schema(), {} if measures is None else measures)
    body = reader.parse()
    if body is None:
        return None
    if event is not None:
        reader.scope, reader.event = "event", event
    condition = reader.condition(body)
    return None if reader.failed else condition


class _Reader:
    def __init__(self, text: str, report: Report, schema: Schema, measures: dict[Measure, int]) -> None:
        self.text = text
        self.schema = schema
        self.scope: Scope = "user"
        self.event = ""
        """The event whose properties bare names are, in the scope `event`."""
        self.days = 0
        """Days of the `every_day` around, in the scope `day`."""
        self.measures = measures
        self.failed = False
        self._report = report
        self._lines = text.split("\n")

    # ---- problems and places ----------------------------------------------------------------------------------------

    def refuse(self, at: ast.AST | int, message: str, hint: str = "") -> None:
        self.failed = True
        self._report(at if isinstance(at, int) else self.offset(at), message, hint)

    def offset(self, node: ast.AST, *, end: bool = False) -> int:
        """Where a node begins (or ends) in the text. `ast` counts bytes of UTF-8, and one bracket that is not the author's."""
        line = getattr(node, "end_lineno" if end else "lineno", 1) - 1
        column = getattr(node, "end_col_offset" if end else "col_offset", 0) - (line == 0)
        if line >= len(self._lines):
            return len(self.text)
        before = sum(len(other) + 1 for other in self._lines[:line])
        return before + len(self._lines[line].encode()[: max(column, 0)].decode(errors="ignore"))

    def source(self, node: ast.AST) -> str:
        return self.text[self.offset(node) : self.offset(node, end=True)]

    # ---- syntax -----------------------------------------------------------------------------------------------------

    def parse(self) -> ast.expr | None:
        """The syntax tree, once the text is small, shallow and Python."""
        if not self.text.strip():
            self.refuse(0, "an empty expression", 'a condition belongs here, such as count("Order Completed") >= 2')
            return None
        if len(self.text) > MAX_TEXT:
            self.refuse(0, f"an expression of {len(self.text):,} characters", f"at most {MAX_TEXT:,}")
            return None
        # In brackets an expression may go over several lines and have comments. Brackets of the author's own making,
        # as in `a) or (b`, show by a tree that begins at ours.
        try:
            body = _parse(f"({self.text}\n)")
            if (body.lineno, body.col_offset) == (1, 0) and not isinstance(body, ast.Tuple | ast.GeneratorExp):
                raise SyntaxError("unmatched ')'", ("", 1, self.text.find(")") + 2, ""))
        except SyntaxError as error:
            self._syntax(error)
            return None
        except (ValueError, MemoryError, RecursionError):
            self.refuse(0, "not an expression that can be read", "it is nested too deeply or has forbidden characters")
            return None
        bare = _without_strings(self.text)
        if unicodedata.normalize("NFKC", bare) != bare:
            # Python would quietly read another name than the one that stands there.
            self.refuse(0, "a name with letters in a compatibility form", 'put it in quotes, as in traits["..."]')
            return None
        deepest, size = _measure(body)
        if deepest > MAX_DEPTH or size > MAX_NODES:
            self.refuse(
                0, "the expression is too big", f"at most {MAX_DEPTH} levels and {MAX_NODES:,} parts: split it into several segments"
            )
            return None
        return body

    def _syntax(self, error: SyntaxError) -> None:
        """Says what Python found, of the text without our brackets where that is also wrong."""
        shift = 1
        try:
            _parse(self.text.replace("\n", " ").strip())
        except SyntaxError as other:
            error, shift = other, 0
            lead = len(self.text) - len(self.text.lstrip())
            offset = lead + (error.offset or 1) - 1
        except (ValueError, MemoryError, RecursionError):
            offset = 0
        else:
            offset = 0
        if shift:
            line = min(error.lineno or 1, len(self._lines)) - 1
            offset = sum(len(other) + 1 for other in self._lines[:line]) + (error.offset or 1) - 1 - (line == 0)
        hint = next((hint for pattern, hint in _SYNTAX_HINTS if pattern.search(_without_strings(self.text))), "")
        self.refuse(max(0, min(offset, len(self.text))), f"not an expression: {' '.join(str(error.msg).split())}", hint)

    # ---- conditions -------------------------------------------------------------------------------------------------

    def condition(self, node: ast.expr) -> Condition | None:
        match node:
            case ast.BoolOp(op=op, values=values):
                items = [self.condition(value) for value in values]
                found = tuple(item for item in items if item is not None)
                return And(found) if isinstance(op, ast.And) else Or(found)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                item = self.condition(operand)
                return None if item is None else Not(item)
            case ast.Compare():
                return self.comparison(node)
            case ast.Constant(value=bool(value)):
                return Flag(value)
            case ast.Call():
                return self.call_condition(node)
            case ast.Name() | ast.Attribute() | ast.Subscript():
                found_path = self.path(node)
                if found_path is None:
                    return None
                if found_path.type not in ("flag", "any"):
                    self.refuse(node, f"{_A[found_path.type]} alone is no condition", "compare it with something")
                return Compare("==", found_path.operand, Flag(True))
        self.operand(node) if isinstance(node, ast.BinOp | ast.UnaryOp | ast.Constant) else self.unknown(node)
        if not self.failed:
            self.refuse(node, "this is no condition", "compare it with something")
        return None

    def call_condition(self, node: ast.Call) -> Condition | None:
        name = self.function(node)
        if name is None:
            return None
        if name == "every_day":
            return self.every_day(node)
        if name not in ("did", "silent"):
            self.measure(node, cast(Kind, name))
            thing = "a moment" if name in ("first", "last") else "a number"
            better = f"{name}(...) > 0" if thing == "a number" else f'{name}(...) >= "2026-01-31"'
            self.refuse(node, f"{name}(...) is {thing}, not a condition", f"compare it, as in {better}, or use did(...)")
            return None
        if name == "silent" and self.scope == "day":
            self.refuse(node, "silent(...) inside every_day", "write not did(...)")
            return None
        measure = self.measure(node, "did")
        if measure is None:
            return None
        if measure.daily:
            return Compare(">", measure, Number(0))
        return Not(Did(measure)) if name == "silent" else Did(measure)

    def every_day(self, node: ast.Call) -> Condition | None:
        if self.scope == "day":
            self.refuse(node, "every_day inside every_day")
            return None
        if len(node.args) != 2 or node.keywords:
            self.refuse(node, "every_day takes a number of days and a condition", 'as in every_day(30, count("chapter_read") >= 1)')
            return None
        days = self.whole(node.args[0], "the number of days", LONGEST["days"])
        self.scope, self.days = "day", days or 1
        condition = self.condition(node.args[1])
        self.scope = "user"
        if condition is not None and not self.failed and not _has_measure(condition):
            self.refuse(node.args[1], "the condition of every_day measures nothing", "it needs a count, sum, distinct or did of the day")
        return None if days is None or condition is None else EveryDay(days, condition)

    def comparison(self, node: ast.Compare) -> Condition | None:
        sides: list[Typed | None] = []
        for index, side in enumerate((node.left, *node.comparators)):
            is_list = index > 0 and isinstance(node.ops[index - 1], ast.In | ast.NotIn)
            sides.append(None if is_list else self.operand(side, top=True))
        found: list[Condition | None] = []
        for index, op in enumerate(node.ops):
            left, right = sides[index], sides[index + 1]
            if isinstance(op, ast.In | ast.NotIn):
                if len(node.ops) > 1:
                    self.refuse(node, "in within a chain of comparisons", "join the comparisons with and")
                found.append(self.membership(node, left, isinstance(op, ast.NotIn)))
            elif type(op) not in _COMPARISONS:
                self.refuse(node, "is and is not do not compare values", "write == or !=")
            elif left is not None and right is not None:
                found.append(self.compare(node.comparators[index], _COMPARISONS[type(op)], left, right))
        items = tuple(item for item in found if item is not None)
        if self.failed or not items:
            return None
        return items[0] if len(items) == 1 else And(items)

    def membership(self, node: ast.Compare, item: Typed | None, negated: bool) -> Condition | None:
        listed = node.comparators[-1]
        if not isinstance(listed, ast.List | ast.Tuple):
            self.refuse(listed, "after in stands a list of values", 'as in traits.country in ["CN", "TW"]')
            return None
        if not 0 < len(listed.elts) <= MAX_OPTIONS:
            self.refuse(listed, f"a list of {len(listed.elts)} values after in", f"1 to {MAX_OPTIONS} values belong there")
            return None
        options = [self.literal(element) for element in listed.elts]
        if item is None or None in options:
            return None
        if not isinstance(item.operand, Trait | Property):
            self.refuse(node.left, "before in stands a trait or a property")
            return None
        known = [option for option in options if option is not None]
        for element, option in zip(listed.elts, known, strict=True):
            expected = item.type if item.type != "any" else known[0].type
            if option.type != expected:
                self.refuse(element, f"{_A[option.type]} where {_A[expected]} is expected")
        values = tuple(option.operand for option in known)
        found = In(item.operand, cast("tuple[Number | Text | Flag, ...]", values))
        return Not(found) if negated else found

    def compare(self, at: ast.expr, op: Comparison, left: Typed, right: Typed) -> Condition | None:
        left, right = self.as_moment(at, left, right), self.as_moment(at, right, left)
        types = {left.type, right.type} - {"any"}
        if len(types) > 1:
            self.refuse(at, f"compares {_A[left.type]} with {_A[right.type]}")
            return None
        if op not in ("==", "!=") and types & {"text", "flag"}:
            self.refuse(at, f"{op} does not compare {'texts' if 'text' in types else 'flags'}", "use == or !=, or in with a list")
            return None
        if types == {"moment"} and any(side.type == "any" for side in (left, right)):
            self.refuse(
                at, "a moment is compared with a trait or property", "compare it with a date in quotes, or with first(...) or last(...)"
            )
            return None
        return Compare(op, left.operand, right.operand)

    def as_moment(self, at: ast.expr, side: Typed, other: Typed) -> Typed:
        """A text that is compared with a moment is a moment."""
        if other.type != "moment" or not isinstance(side.operand, Text):
            return side
        try:
            return Typed(Moment(parse_moment(side.operand.value)), "moment")
        except ValueError as error:
            self.refuse(at, str(error), 'as in first("Signed Up") >= "2026-01-31"')
            return Typed(Moment(0), "moment")

    # ---- operands ---------------------------------------------------------------------------------------------------

    def operand(self, node: ast.expr, *, top: bool = False) -> Typed | None:
        match node:
            case ast.Constant() | ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=ast.Constant()):
                return self.literal(node)
            case ast.BinOp():
                return self.arithmetic(node, top)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as op, operand=inner):
                found = self.numeric(inner, self.operand(inner))
                if found is None or isinstance(op, ast.UAdd):
                    return found
                return Typed(Arithmetic("-", Number(0), found.operand), "number")
            case ast.Call():
                return self.call_operand(node)
            case ast.Name() | ast.Attribute() | ast.Subscript():
                return self.path(node)
            case ast.BoolOp() | ast.Compare() | ast.UnaryOp(op=ast.Not()):
                self.refuse(node, "a condition is compared with something", "join conditions with and, or and not")
                return None
        self.unknown(node)
        return None

    def call_operand(self, node: ast.Call) -> Typed | None:
        name = self.function(node)
        if name is None:
            return None
        if name in ("did", "silent", "every_day"):
            self.refuse(node, f"{name}(...) is true or false and is not compared", f"write {name}(...) or not {name}(...)")
            return None
        measure = self.measure(node, cast(Kind, name))
        return None if measure is None else Typed(measure, "moment" if name in ("first", "last") else "number")

    def arithmetic(self, node: ast.BinOp, top: bool) -> Typed | None:
        op = _ARITHMETIC.get(type(node.op))
        left, right = self.operand(node.left), self.operand(node.right)
        if op is None:
            self.refuse(node, "this operator is not known here", "there are + - * and /")
            return None
        if op == "/" and not top:
            self.refuse(node, "/ stands inside a calculation", "divide last: a / b is compared without dividing, multiply the rest out")
        left, right = self.numeric(node.left, left), self.numeric(node.right, right)
        if left is None or right is None:
            return None
        if op == "/" and right.operand == Number(0):
            self.refuse(node.right, "division by zero")
        if op != "/" and isinstance(left.operand, Number) and isinstance(right.operand, Number):
            return self.folded(node, op, left.operand.scaled, right.operand.scaled)
        return Typed(Arithmetic(op, left.operand, right.operand), "number")

    def folded(self, node: ast.BinOp, op: str, left: int, right: int) -> Typed | None:
        exact = Decimal(left * right).scaleb(-12) if op == "*" else Decimal(left + right if op == "+" else left - right).scaleb(-6)
        return self.number(node, exact)

    def numeric(self, node: ast.expr, found: Typed | None) -> Typed | None:
        if found is None or found.type in ("number", "any"):
            return found
        self.refuse(node, f"{_A[found.type]} in a calculation", "calculate with numbers")
        return None

    def literal(self, node: ast.expr) -> Typed | None:
        sign = 1
        inner = node
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            sign, inner = (-1 if isinstance(node.op, ast.USub) else 1), node.operand
        match inner:
            case ast.Constant(value=bool(flag)) if inner is node:
                return Typed(Flag(flag), "flag")
            case ast.Constant(value=str(text)) if inner is node:
                if any("\ud800" <= char <= "\udfff" for char in text):
                    self.refuse(node, "half of a character (a surrogate) in a text")
                return Typed(Text(text), "text")
            case ast.Constant(value=int(value)) if not isinstance(value, bool):
                return self.number(node, sign * value)
            case ast.Constant(value=float()):
                try:
                    return self.number(node, sign * Decimal(self.source(inner).replace("_", "")))
                except InvalidOperation:
                    pass
            case ast.Constant(value=None):
                self.refuse(node, "None is no value here", "what is missing compares as false")
                return None
        if isinstance(inner, ast.Constant):
            self.refuse(node, f"{self.source(node)[:40]} is no value here", "there are numbers, texts in quotes, True and False")
        else:
            self.refuse(node, "a plain value is expected", "a number, a text in quotes, True or False")
        return None

    def number(self, node: ast.expr, value: int | Decimal) -> Typed | None:
        try:
            found = scaled(value if isinstance(value, int) else str(value))
        except Unfit as error:
            self.refuse(node, f"{self.source(node)[:40]} does not fit: {error}", "at most 6 decimals and 9,007,199,254")
            return None
        return None if found is None else Typed(Number(found), "number")

    def whole(self, node: ast.expr, what: str, most: int) -> int | None:
        if isinstance(node, ast.Constant) and type(node.value) is int and 0 < node.value <= most:
            return node.value
        self.refuse(node, f"{what} is {self.source(node)[:40]}", f"a whole number from 1 to {most:,} belongs here")
        return None

    # ---- names ------------------------------------------------------------------------------------------------------

    def path(self, node: ast.expr) -> Typed | None:
        """A trait, or inside `where` a property."""
        parts = self.parts(node)
        if parts is None:
            return None
        root, path = parts[0], tuple(parts[1:])
        if self.scope == "event":
            if root == "traits" and path:
                self.refuse(node, "traits inside where=", "where= sees the event's properties alone; compare traits outside")
                return None
            if root == "properties" and path:
                parts = parts[1:]
            return self.known(node, tuple(parts))
        if root == "traits" and path:
            declared = self.schema.trait(path)
            if declared is None:
                self.refuse(node, f'unknown trait "{".".join(path)}"', nearest(".".join(path), self.schema.traits or ()))
                declared = ANY
            return Typed(Trait(path), declared.type)
        if root == "traits":
            self.refuse(node, "traits needs a name", "as in traits.country")
        else:
            close = nearest(root, ("traits", *FUNCTIONS))
            self.refuse(node, f'unknown name "{root}"', close if close.startswith("did") else f"a trait is written traits.{root}")
        return None

    def known(self, node: ast.expr, path: tuple[str, ...]) -> Typed:
        declared = self.schema.property(self.event, path)
        if declared is None:
            hint = nearest(".".join(path), self.schema.properties(self.event))
            self.refuse(node, f'"{self.event}" has no property "{".".join(path)}"', hint)
        return Typed(Property(path), (declared or ANY).type)

    def parts(self, node: ast.expr) -> list[str] | None:
        """`traits.a["b c"]` as its parts."""
        parts: list[str] = []
        while not isinstance(node, ast.Name):
            match node:
                case ast.Attribute(value=value, attr=attr):
                    parts.append(attr)
                case ast.Subscript(value=value, slice=ast.Constant(value=str(key))):
                    parts.append(key)
                case ast.Subscript(value=value):
                    self.refuse(node, "only a name in quotes stands in [...]", 'as in traits["first name"]')
                    return None
                case _:
                    self.refuse(node, "a value has no attributes", "names are traits.x, and inside where= the event's properties")
                    return None
            node = value
        parts.append(node.id)
        if any(part.startswith("__") for part in parts):
            self.refuse(node, "a name that begins with two underscores", "there is nothing behind it")
            return None
        if len(parts) > MAX_PATH + 1 or any(not part or len(part) > 200 for part in parts):
            self.refuse(node, "a path too long", f"at most {MAX_PATH} parts of 200 characters")
            return None
        return parts[::-1]

    def function(self, node: ast.Call) -> str | None:
        """The name of the function that is called, if it is one of ours and may stand here."""
        if not isinstance(node.func, ast.Name):
            self.refuse(node, "only functions are called, by their name", f"there are {', '.join(FUNCTIONS)}")
            return None
        name = node.func.id
        if name not in FUNCTIONS:
            self.refuse(node, f'unknown function "{name}"', nearest(name, FUNCTIONS))
            return None
        if self.scope == "event":
            self.refuse(node, f"{name}(...) inside where=", "where= compares properties of the one event")
            return None
        return name

    # ---- measures ---------------------------------------------------------------------------------------------------

    def measure(self, node: ast.Call, kind: Kind) -> Measure | None:
        name = cast(ast.Name, node.func).id
        subject = self.subject(node, name, kind)
        unit, length = self.length(node, name)
        event = "" if subject is None else subject[0]
        where = self.where(node, event)
        if subject is None or self.failed:
            return None
        daily = self.scope == "day"
        if daily:
            unit, length = "day", self.days
            if kind in ("first", "last"):
                self.refuse(node, f"{name}(...) inside every_day", "a day has count, sum, distinct and did")
                return None
            if kind == "did":
                kind = "count"  # a day's panes are kept by counts; `did` keeps one moment
        elif kind == "distinct" and length is None:
            self.refuse(node, "distinct over all time would keep every value", "give it a length, as in days=90")
            return None
        declared = self.schema.property(event, subject[1]) if kind == "sum" else None
        measure = Measure(kind, event, subject[1], unit, length, where, daily, bool(declared and declared.non_negative))
        self.measures.setdefault(measure, self.offset(node))
        return measure

    def subject(self, node: ast.Call, name: str, kind: Kind) -> tuple[str, tuple[str, ...]] | None:
        """The event and the property path that the one argument names."""
        wanted = f'{name}("Order Completed.total")' if kind in ("sum", "distinct") else f'{name}("Order Completed")'
        if len(node.args) != 1:
            self.refuse(node, f"{name} takes one event, not {len(node.args)}", f"as in {wanted}")
            return None
        argument = node.args[0]
        if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
            self.refuse(argument, f"{name} takes an event's name in quotes", f"as in {wanted}")
            return None
        event, dotted = (argument.value, "") if kind not in ("sum", "distinct") else self.schema.split(argument.value)
        path = tuple(dotted.split(".")) if dotted else ()
        if kind in ("sum", "distinct") and (not path or not all(path) or len(path) > MAX_PATH):
            self.refuse(argument, f"{name} needs an event and a property", f"as in {wanted}")
            return None
        reason = event_fault(event)
        if reason:
            self.refuse(argument, reason)
            return None
        return (event, path) if self.declared(argument, event, path, kind) else None

    def declared(self, node: ast.expr, event: str, path: tuple[str, ...], kind: Kind) -> bool:
        """Looks the event and its property up in the schema."""
        inside = self.offset(node) + 1
        if self.schema.events is not None and event not in self.schema.events:
            hint = nearest(event, self.schema.events)
            if kind not in ("sum", "distinct") and self.schema.split(event)[0] in self.schema.events:
                hint = f'the event is "{self.schema.split(event)[0]}"; compare its properties in where='
            self.refuse(inside, f'unknown event "{event}"', hint)
            return False
        declared = self.schema.property(event, path) if path else ANY
        if declared is None:
            hint = nearest(".".join(path), self.schema.properties(event))
            self.refuse(inside + len(event) + 1, f'"{event}" has no property "{".".join(path)}"', hint)
            return False
        if kind == "sum" and declared.type not in ("number", "any"):
            self.refuse(inside + len(event) + 1, f'sum of {_A[declared.type]}: "{".".join(path)}" is declared {declared.type}')
            return False
        return True

    def length(self, node: ast.Call, name: str) -> tuple[Unit | None, int | None]:
        unit: Unit | None = None
        length: int | None = None
        for keyword in node.keywords:
            if keyword.arg == "where":
                continue
            if keyword.arg not in _UNITS:
                shown = f'unknown argument "{keyword.arg}"' if keyword.arg else "** is not known here"
                self.refuse(keyword, shown, nearest(keyword.arg or "", (*_UNITS, "where")))
            elif self.scope == "day":
                self.refuse(keyword, f"{keyword.arg}= inside every_day", "each day is measured by itself")
            elif unit is not None:
                self.refuse(keyword, f"{name} has two lengths", "give one of minutes=, hours= and days=")
            else:
                unit, length = _UNITS[keyword.arg], self.whole(keyword.value, keyword.arg, LONGEST[keyword.arg])
        return unit, length

    def where(self, node: ast.Call, event: str) -> Condition | None:
        found: Condition | None = None
        for keyword in node.keywords:
            if keyword.arg == "where":
                scope, self.scope, self.event = self.scope, "event", event
                found = self.condition(keyword.value)
                self.scope = scope
        return found

    def unknown(self, node: ast.expr) -> None:
        thing = _REFUSED.get(type(node), f"{type(node).__name__}")
        self.refuse(node, f"{thing} is not part of conditions", "there are comparisons, and, or, not and the functions")


_SYNTAX_HINTS: Final = (
    (re.compile(r"&&?"), "write and"),
    (re.compile(r"\|\|?"), "write or"),
    (re.compile(r"!(?!=)"), "write not"),
    (re.compile(r"\b(AND|OR|NOT)\b"), "and, or and not are written small"),
    (re.compile(r"<>"), "write !="),
    (re.compile(r"(?<![=<>!:])=(?!=)"), "compare with =="),
    (re.compile(r"[\u2018\u2019\u201c\u201d]"), "quotes are straight: \" or '"),
)


def _parse(text: str) -> ast.expr:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "\d" in a string and the like: no concern of who runs the check
        return ast.parse(text, mode="eval").body


def _measure(body: ast.expr) -> tuple[int, int]:
    """Depth and size of a tree, without recursion."""
    deepest = size = 0
    layer: list[ast.AST] = [body]
    while layer and deepest <= MAX_DEPTH and size <= MAX_NODES:
        deepest, size = deepest + 1, size + len(layer)
        layer = [child for node in layer for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr | ast.keyword)]
    return deepest, size


def _has_measure(item: Condition | Operand) -> bool:
    return any(isinstance(part, Measure) for part in _parts(item))


def _parts(item: Condition | Operand) -> Iterator[Condition | Operand]:
    yield item
    match item:
        case And(items=items) | Or(items=items):
            for inner in items:
                yield from _parts(inner)
        case Not(item=inner):
            yield from _parts(inner)
        case Compare(left=left, right=right) | Arithmetic(left=left, right=right):
            yield from _parts(left)
            yield from _parts(right)


def _without_strings(text: str) -> str:
    return re.sub(r"\"[^\"]*\"|'[^']*'", '""', text)
