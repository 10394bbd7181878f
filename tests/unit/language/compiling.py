"""Compile expressions, and list the problems that they have."""

from triggers.definitions.model import Condition, Measure, Number
from triggers.language.expressions import compile_expression
from triggers.language.schema import Declared, Schema

COUNT = Measure("count", "A")
SCHEMA = Schema(
    events={
        "Order Completed": {"total": Declared("number", non_negative=True), "coupon": Declared("text"), "paid_at": Declared("moment")},
        "app.used": {"minutes": Declared("number"), "first": Declared("flag")},
        "app": {"used.minutes": Declared("number")},
        "Signed Up": {},
    },
    traits={
        "country": Declared("text"),
        "age": Declared("number"),
        "vip": Declared("flag"),
        "born": Declared("moment"),
        "more": Declared("any"),
    },
)


def compiled(text: str, schema: Schema | None = None, event: str | None = None) -> Condition:
    problems: list[tuple[int, str, str]] = []
    condition = compile_expression(text, lambda *problem: problems.append(problem), schema, event=event)
    assert not problems, problems
    assert condition is not None
    return condition


def refused(text: str, schema: Schema | None = None, event: str | None = None) -> list[str]:
    """List the problems, each as `offset: message; hint`."""
    problems: list[str] = []

    def report(offset: int, message: str, hint: str) -> None:
        assert 0 <= offset <= len(text)
        problems.append(f"{offset}: {message}" + (f"; {hint}" if hint else ""))

    condition = compile_expression(text, report, schema, event=event)
    assert (condition is None) == bool(problems)
    return problems


def number(value: int) -> Number:
    return Number(value * 10**6)
