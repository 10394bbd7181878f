"""The expression language of conditions: Python's syntax, read by `ast`, and of it only what is listed here.

No part of the text is ever run. What is not on the list is refused by name: calls of anything but the functions, attributes of anything
but `traits` and `properties`, comprehensions, lambdas, formatted strings, assignments. Text, depth and size have limits, so reading any
expression is bounded work.

    traits.country in ["CN", "TW"] and count("chapter_read", days=7, where=category == "fiction") >= 3
    sum("Order Completed.total", days=90) / count("Order Completed", days=90) > 40
    every_day(30, sum("app_used.minutes") > 30) and not did("order_paid")
    first("Signed Up") >= "2026-01-01"

A bare trait or property means `== True`. An event's name may contain dots: in `"E.p"` the longest declared event decides, and without
a schema the first dot. Traits and properties of unknown type may be compared with each other; only numbers and moments have an order.
"""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import replace
from typing import Final, Literal, cast

from triggers.base.model import DAY
from triggers.base.moments import parse_moment, zone
from triggers.definitions.model import (
    And,
    Arithmetic,
    Compare,
    Comparison,
    Condition,
    Contains,
    Did,
    EveryDay,
    Flag,
    In,
    Measure,
    Moment,
    Not,
    Number,
    OfList,
    Or,
    Property,
    Sent,
    Text,
    Trait,
)
from triggers.definitions.words import words_of
from triggers.language.calls import LONGEST, declared_type, function, is_value, measure, no_condition, of_a_day, only_in_texts
from triggers.language.operands import MEASURES, A, Context, Typed, folded, literal, path, whole
from triggers.language.references import NO_REFERENCES, SEGMENT, References, is_small_enough, segment
from triggers.language.schema import Schema
from triggers.language.sends import is_sent, not_compared, sent
from triggers.language.syntax import REFUSED, Expression, Report
from triggers.language.trees import asks_for_nothing, common, is_segment, parts_of, quantifier_of

MAX_OPTIONS: Final = 500
"""Most values in a list after `in`."""

_COMPARISONS: Final[dict[type[ast.cmpop], Comparison]] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_ARITHMETIC: Final[dict[type[ast.operator], Literal["+", "-", "*", "/"]]] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}

_DATE_LENGTH: Final = len("2026-01-31")


def compile_expression(
    text: str,
    report: Report,
    schema: Schema | None = None,
    *,
    event: str | None = None,
    measures: dict[Measure, int] | None = None,
    segments: Collection[str] = (),
    references: References = NO_REFERENCES,
    time_zone: str = "UTC",
    whole: bool = False,
    applied: bool = False,
    parts: list[tuple[int, Condition]] | None = None,
    has_moment: bool = False,
    has_sends: bool = False,
) -> Condition | None:
    """Return the condition that `text` states, or None after each problem was reported.

    With `event` it is a condition over that event's properties, as after `where`. The measures that it needs are added to `measures`, each
    with its offset. `segments` are names that it cannot refer to, for a hint; `references` those that it can. Dates are midnights in
    `time_zone`. `whole`: what happened before the rules counts as nothing. `applied`: as `load` has it. `parts` takes the condition and all
    in it, each with its offset. `has_moment`: it is the condition of a step, and can ask for the local time;
    `has_sends`: it can ask how many messages went out.
    """
    expression = Expression(text, report)
    if not is_small_enough(expression, references) or expression.body is None:
        return None
    found = {} if measures is None else measures
    context = Context(
        expression,
        schema or Schema(),
        found,
        segments=segments,
        references=references,
        has_moment=has_moment,
        has_sends=has_sends,
        time_zone=time_zone,
        whole=whole,
        applied=applied,
        parts=parts,
    )
    if event is not None:
        context = replace(context, scope="event", event=event)
    condition = _Reader(context).condition(expression.body)
    return None if expression.failed else condition


def compile_operand(
    text: str,
    report: Report,
    schema: Schema | None = None,
    *,
    measures: dict[Measure, int] | None = None,
    references: References = NO_REFERENCES,
    whole: bool = False,
) -> Typed | None:
    """Return the operand that `text` states, or None after each problem was reported: what can be one side of a comparison about a user."""
    expression = Expression(text, report)
    if not is_small_enough(expression, references) or expression.body is None:
        return None
    if isinstance(expression.body, ast.BoolOp | ast.Compare) or _is_not(expression.body):
        expression.refuse(0, "a condition as a value", "a value is a number, a text, a trait or a function; a condition is a segment")
        return None
    context = Context(expression, schema or Schema(), {} if measures is None else measures, references=references, whole=whole)
    found = _Reader(context).operand(expression.body, top=True)
    if found is not None and found.type == "flag" and isinstance(found.operand, Flag):
        expression.refuse(0, "True or False as a value", "a value is a number, a text, a trait or a function; a condition is a segment")
    return None if expression.failed else found


def _is_not(node: ast.expr) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)


class _Reader:
    def __init__(self, context: Context) -> None:
        self.context = context
        self.expression = context.expression
        self.refuse = context.expression.refuse

    # ---- conditions -------------------------------------------------------------------------------------------------

    def condition(self, node: ast.expr) -> Condition | None:
        found = self._condition(node)
        if found is not None and self.context.parts is not None:
            self.context.parts.append((self.expression.offset(node), found))
        return found

    def _condition(self, node: ast.expr) -> Condition | None:
        match node:
            case ast.BoolOp(op=op, values=values):
                items = tuple(item for value in values if (item := self.condition(value)) is not None)
                return And(items) if isinstance(op, ast.And) else Or(items)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                item = self.condition(operand)
                return None if item is None else Not(item)
            case ast.Compare():
                return self.comparison(node)
            case ast.Constant(value=bool(value)):
                return Flag(value)
            case ast.Call():
                return self.called(node)
            case ast.Name() | ast.Attribute() | ast.Subscript():
                found = path(self.context, node)
                if found is None:
                    return None
                if found.type not in ("flag", "any"):
                    self.refuse(node, f"{A[found.type]} alone is no condition", "compare it with something")
                return Compare("==", found.operand, Flag(True))
            case ast.BinOp() | ast.Constant() | ast.UnaryOp():
                if self.operand(node, top=True) is not None:
                    self.refuse(node, f"{self.expression.source(node)[:40]} is no condition", "compare it with something")
                return None
        self.unknown(node)
        return None

    def called(self, node: ast.Call) -> Condition | None:
        """Read a call that is a condition of its own."""
        if (quantifier := quantifier_of(node)) is not None:
            return self.of_list(node, quantifier)
        if is_segment(node):
            return segment(self.context, node)
        if is_sent(node):
            not_compared(self.context, node)
            return None
        name = function(self.context, node)
        if name is None:
            return None
        if name == "every_day":
            return self.every_day(node)
        if self.context.scope == "day" and name == MEASURES[name].opposite:
            self.refuse(node, f"{name}(...) inside every_day", f"write not {MEASURES[name].name}(...)")
            return None
        kind, found = MEASURES[name], self.measured(node, name)
        if found is None:
            return None
        if kind.gives != "truth":
            self.refuse(node, *no_condition(name, kind))
            return None
        return Not(Did(found)) if name == kind.opposite else Did(found)

    def of_list(self, node: ast.Call, quantifier: Literal["any", "all"]) -> Condition | None:
        """Compile `any` or `all` over the items of a list of the event."""
        example = f'as in {quantifier}(products.category == "book")'
        if self.context.scope != "event":
            hint = f'as in did("Order Completed", where={quantifier}(products.category == "book")); a list of values: "vip" in traits.tags'
            self.refuse(node, f"{quantifier}(...) outside where=", hint)
        elif self.context.listed:
            self.refuse(node, f"{quantifier}(...) inside any or all", "one list is looked into at a time")
        elif len(node.args) != 1 or node.keywords:
            self.refuse(node, f"{quantifier} takes one condition", example)
        else:
            condition = _Reader(replace(self.context, listed=True)).condition(node.args[0])
            if condition is None or self.expression.failed:
                return None
            paths = [part.path for part in parts_of(condition) if isinstance(part, Property)]
            if prefix := common(paths):
                return OfList(quantifier, prefix, condition)
            self.refuse(
                node, f"{quantifier}(...) {'looks into several lists' if paths else 'names no list'}", f"it looks into one, {example}"
            )
        return None

    def measured(self, node: ast.Call, name: str) -> Measure | None:
        return measure(self.context, node, name, MEASURES[name], self.where)

    def where(self, node: ast.expr, event: str) -> Condition | None:
        return _Reader(replace(self.context, scope="event", event=event)).condition(node)

    def every_day(self, node: ast.Call) -> Condition | None:
        if self.context.scope == "day":
            self.refuse(node, "every_day inside every_day")
            return None
        if len(node.args) != 2 or node.keywords:
            self.refuse(node, "every_day takes a number of days and a condition", 'as in every_day(30, count("chapter_read") >= 1)')
            return None
        days = whole(self.expression, node.args[0], "the number of days", LONGEST["days"])
        condition = _Reader(replace(self.context, scope="day", days=days or 1)).condition(node.args[1])
        if condition is None or days is None or self.expression.failed:
            return None
        if not any(isinstance(part, Measure) for part in parts_of(condition)):
            self.refuse(node.args[1], "the condition of every_day measures nothing", f"it needs a {of_a_day('or')} of the day")
        return EveryDay(days, condition)

    # ---- comparisons ------------------------------------------------------------------------------------------------

    def comparison(self, node: ast.Compare) -> Condition | None:
        nodes = [node.left, *node.comparators]
        after_in = [False, *(isinstance(op, ast.In | ast.NotIn) for op in node.ops)]
        if asks_for_nothing(self.expression, node, nodes):
            return None
        sides = [None if listed else self.operand(side, top=True) for side, listed in zip(nodes, after_in, strict=True)]
        found: list[Condition | None] = []
        for index, op in enumerate(node.ops):
            left, right = sides[index], sides[index + 1]
            if isinstance(op, ast.In | ast.NotIn):
                if len(node.ops) > 1:
                    self.refuse(node, "in within a chain of comparisons", "join the comparisons with and")
                found.append(self.membership(node, left, is_negated=isinstance(op, ast.NotIn)))
            elif type(op) not in _COMPARISONS:
                self.refuse(node, "is and is not do not compare values", "write == or !=")
            elif left is not None and right is not None:
                found.append(self.compare(nodes[index + 1], _COMPARISONS[type(op)], left, right))
        items = tuple(item for item in found if item is not None)
        if self.expression.failed or not items:
            return None
        return items[0] if len(items) == 1 else And(items)

    def membership(self, node: ast.Compare, item: Typed | None, *, is_negated: bool) -> Condition | None:
        listed = node.comparators[-1]
        if isinstance(listed, ast.Name | ast.Attribute | ast.Subscript):
            return self.containing(node, item, is_negated=is_negated)
        if not isinstance(listed, ast.List | ast.Tuple):
            self.refuse(listed, "a list of values belongs after in", 'as in traits.country in ["CN", "TW"]')
            return None
        if not 0 < len(listed.elts) <= MAX_OPTIONS:
            self.refuse(listed, f"a list of {len(listed.elts)} values after in", f"1 to {MAX_OPTIONS} values belong there")
            return None
        read = [(element, literal(self.expression, element)) for element in listed.elts]
        options = [(element, option) for element, option in read if option is not None]
        if item is None or len(options) < len(read):
            return None
        if not isinstance(item.operand, Trait | Property) and not (isinstance(item.operand, Measure) and is_value(item.operand)):
            self.refuse(node.left, "a trait or a property belongs before in")
            return None
        expected = options[0][1].type if item.type == "any" else item.type
        for element, option in options:
            if option.type != expected:
                self.refuse(element, f"{A[option.type]} where {A[expected]} is expected")
        values = tuple(option.operand for _, option in options)
        found = In(item.operand, cast("tuple[Number | Text | Flag, ...]", values))
        return Not(found) if is_negated else found

    def containing(self, node: ast.Compare, item: Typed | None, *, is_negated: bool) -> Condition | None:
        """Compile `"vip" in traits.tags`: the list is a trait or a property."""
        listed = path(self.context, node.comparators[-1])
        if item is None or listed is None:
            return None
        if not isinstance(item.operand, Number | Text | Flag):
            self.refuse(node.left, "a plain value belongs before in and the name of a list", 'as in "vip" in traits.tags')
            return None
        if listed.type == "texts":
            self.refuse(node.comparators[-1], *only_in_texts(words_of(listed.operand).partition("(")[0]))
            return None
        if listed.type != "any":
            self.refuse(node.comparators[-1], f"{A[listed.type]} where a list is expected", "the schema declares a list as any")
        assert isinstance(listed.operand, Trait | Property)
        found = Contains(item.operand, listed.operand)
        return Not(found) if is_negated else found

    def compare(self, at: ast.expr, op: Comparison, left: Typed, right: Typed) -> Condition | None:
        for side in (left, right):
            if side.type == "texts":
                self.refuse(at, *only_in_texts(words_of(side.operand).partition("(")[0]))
                return None
            if side.type == "moment" and (isinstance(side.operand, Trait | Property) or is_value(side.operand)):
                self.refuse(at, "a trait or property that is a moment cannot be compared yet", "first(...) and last(...) can")
                return None
        left, right = self.as_moment(at, left, right), self.as_moment(at, right, left)
        types = {left.type, right.type} - {"any"}
        if len(types) > 1:
            self.refuse(at, f"compares {A[left.type]} with {A[right.type]}")
        elif op not in ("==", "!=") and types & {"text", "flag"}:
            self.refuse(at, f"{op} does not compare {'texts' if 'text' in types else 'flags'}", "use == or !=, or in with a list")
        elif "moment" in types and "any" in (left.type, right.type):
            self.refuse(
                at, "a moment is compared with a trait or property", "compare it with a date in quotes, or with first(...) or last(...)"
            )
        elif not any(isinstance(part, Trait | Property | Measure | Sent) for side in (left, right) for part in parts_of(side.operand)):
            self.refuse(
                at, "compares plain values alone, which never changes", "compare a trait, a property or a function, or write True or False"
            )
        elif left.operand == right.operand and op != "==" and not self.context.applied:
            what = words_of(left.operand)
            self.refuse(at, f"{what} {op} {what} compares a thing with itself", f"{what} == {what} asks whether it is there")
        return Compare(op, left.operand, right.operand)

    def as_moment(self, at: ast.expr, side: Typed, other: Typed) -> Typed:
        """Read a text that is compared with a moment as one."""
        if other.type != "moment" or not isinstance(side.operand, Text):
            return side
        try:
            return Typed(self.moment(side.operand.value), "moment")
        except ValueError as error:
            self.refuse(at, str(error), 'as in first("Signed Up") >= "2026-01-31"')
            return Typed(Moment(0), "moment")

    def moment(self, text: str) -> Moment:
        """Read a moment; a date is midnight in the rule set's zone. Raises ValueError."""
        ms, name = parse_moment(text), self.context.time_zone
        if len(text) != _DATE_LENGTH or name == "UTC":
            return Moment(ms)
        return Moment(max(zone(name).start(ms // DAY), 0), name)

    # ---- operands ---------------------------------------------------------------------------------------------------

    def operand(self, node: ast.expr, *, top: bool = False) -> Typed | None:
        """Compile one side of a comparison, or a part of it; a division is allowed only at the `top`."""
        match node:
            case ast.Constant() | ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=ast.Constant()):
                return literal(self.expression, node)
            case ast.BinOp():
                return self.arithmetic(node, top=top)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as op, operand=inner):
                found = self.numeric(inner, self.operand(inner))
                if found is None or isinstance(op, ast.UAdd):
                    return found
                return Typed(Arithmetic("-", Number(0), found.operand), "number")
            case ast.Call():
                return self.called_operand(node)
            case ast.Name() | ast.Attribute() | ast.Subscript():
                found = path(self.context, node)
                if found is not None and not top and isinstance(found.operand, Arithmetic) and found.operand.op == "/":
                    self.refuse(
                        node, f"{self.expression.source(node)} is a quotient, inside a calculation", "divide last, at the top of a side"
                    )
                return found
            case ast.BoolOp() | ast.Compare() | ast.UnaryOp(op=ast.Not()):
                self.refuse(node, "a condition is compared with something", "join conditions with and, or and not")
                return None
        self.unknown(node)
        return None

    def called_operand(self, node: ast.Call) -> Typed | None:
        if is_sent(node):
            counted = sent(self.context, node)
            return None if counted is None else Typed(counted, "number")
        name = quantifier_of(node) or (SEGMENT if is_segment(node) else function(self.context, node))
        if name is None:
            return None
        kind = MEASURES.get(name)
        if kind is None or kind.gives == "truth":
            self.refuse(node, f"{name}(...) is true or false and is not compared", f"write {name}(...) or not {name}(...)")
            return None
        found = self.measured(node, name)
        if found is None:
            return None
        return Typed(found, declared_type(self.context, found) if kind.gives == "any" else kind.gives)

    def arithmetic(self, node: ast.BinOp, *, top: bool) -> Typed | None:
        op = _ARITHMETIC.get(type(node.op))
        left, right = self.numeric(node.left, self.operand(node.left)), self.numeric(node.right, self.operand(node.right))
        if op is None:
            self.refuse(node, "this operator is not known here", "there are + - * and /")
            return None
        if op == "/" and not top:
            self.refuse(node, "/ is inside a calculation", "divide last, at the top of a side: multiply the rest out")
        if left is None or right is None:
            return None
        if op == "/" and right.operand == Number(0):
            self.refuse(node.right, "division by zero")
        if op != "/" and isinstance(left.operand, Number) and isinstance(right.operand, Number):
            return folded(self.expression, node, op, left.operand.scaled, right.operand.scaled)
        return Typed(Arithmetic(op, left.operand, right.operand), "number")

    def numeric(self, node: ast.expr, found: Typed | None) -> Typed | None:
        if found is None or found.type in ("number", "any"):
            return found
        self.refuse(node, f"{A[found.type]} in a calculation", "calculate with numbers")
        return None

    def unknown(self, node: ast.expr) -> None:
        thing = REFUSED.get(type(node), type(node).__name__)
        self.refuse(node, f"{thing} is not part of conditions", "there are comparisons, and, or, not and the functions")
