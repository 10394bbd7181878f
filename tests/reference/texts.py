"""Conditions as a person writes them, of few events, properties, traits and lengths."""

from hypothesis import strategies as st

EVENTS = ["a", "b"]
OPERATORS = [">=", "<", "==", "!=", ">", "<="]

events = st.sampled_from(EVENTS)
small = st.sampled_from(["0", "1", "2", "3", "0.3", "-1"])
wheres = st.sampled_from(
    [
        "",
        "",
        "",
        ', where=k == "x"',
        ', where=k != "x"',
        ", where=n >= 2",
        ', where=k in ["x", "y"] and not n < 1',
        ', where=k not in ["x"]',
        ', where="x" in l',
        ', where=not any(l.k == "x" or l.n >= 2)',
        ', where=all(l.n < 2 and l.k != "x")',
        ", where=local.hour >= 12",
        ', where=local.weekday in ["saturday", "sunday", "monday"] or n >= 2',
        ", where=local.day < 28 and not local.month == 11",
        ', where=context.os.name == "iOS"',
        ", where=context.os.version != 5 and local.hour * 2 < 30",
    ]
)
lengths = st.sampled_from(["", ", days=1", ", days=2", ", days=3", ", hours=1", ", hours=24", ", minutes=30", ", minutes=90"])
limited = st.sampled_from([", days=1", ", days=2", ", hours=5"])


@st.composite
def numbers(draw: st.DrawFn) -> str:
    """A measure that is a number."""
    event = draw(events)
    match draw(st.sampled_from(["count", "count", "sum", "distinct", "max", "min"])):
        case "count":
            return f'count("{event}"{draw(lengths)}{draw(wheres)})'
        case "sum":
            return f'sum("{event}.n"{draw(lengths)}{draw(wheres)})'
        case "max" | "min" as which:
            return f'{which}("{event}.n"{draw(lengths)}{draw(wheres)})'
        case _:
            return f'distinct("{event}.k"{draw(limited)}{draw(wheres)})'


@st.composite
def comparisons(draw: st.DrawFn) -> str:
    op = draw(st.sampled_from(OPERATORS))
    one = draw(numbers())
    match draw(st.integers(0, 8)):
        case 8:
            return draw(of_ends())
        case 0:
            return f"{one} + {draw(numbers())} {op} {draw(small)}"
        case 1:
            return f"{one} - {draw(numbers())} {op} {draw(small)}"
        case 2:
            event, length = draw(events), draw(lengths)
            return f'sum("{event}.n"{length}) / count("{event}"{length}) {op} {draw(st.sampled_from(["1", "1.5", "2"]))}'
        case 3:
            return f"{one} * 2 {op} {draw(numbers())}"
        case _:
            return f"{one} {op} {draw(small)}"


@st.composite
def of_ends(draw: st.DrawFn) -> str:
    """A value of the first or last event that has it."""
    which, event, where = draw(st.sampled_from(["first_value", "last_value"])), draw(events), draw(wheres)
    match draw(st.integers(0, 3)):
        case 0:
            return f'{which}("{event}.k"{where}) {draw(st.sampled_from(["==", "!="]))} "x"'
        case 1:
            return f'{which}("{event}.k"{where}) in ["x", "y"]'
        case 2:
            return f'{which}("{event}.n"{where}) {draw(st.sampled_from(OPERATORS))} {draw(numbers())}'
        case _:
            return f'{which}("{event}.n"{where}) {draw(st.sampled_from(OPERATORS))} {draw(small)}'


@st.composite
def about_times(draw: st.DrawFn) -> str:
    event, length = draw(events), draw(lengths)
    match draw(st.integers(0, 4)):
        case 0 | 1:
            return f'did("{event}"{length}{draw(wheres)})'
        case 2 | 3:
            return f'silent("{event}"{length}{draw(wheres)})'
        case _:
            which, moment = draw(st.sampled_from(["first", "last"])), draw(st.sampled_from(["2025-03-30", "2025-10-26T12:00:00Z"]))
            return f'{which}("{event}"{length}) {draw(st.sampled_from(["<", ">="]))} "{moment}"'


about_traits = st.sampled_from(
    [
        'traits.tier == "gold"',
        'traits.tier != "gold"',
        'traits.tier in ["gold", "silver"]',
        'traits.tier not in ["gold"]',
        "traits.age >= 18",
        "not traits.age < 18",
        "traits.vip == True",
        '"gold" in traits.tags',
        '"gold" not in traits.tags',
    ]
)
odd = st.sampled_from(
    [
        'traits.age == "18"',
        "traits.age != 18",
        "traits.age not in [18, 5]",
        'traits.age in ["18", "x"]',
        "traits.tier < 6",
        "traits.tier == 5",
        "traits.tier != True",
        'count("a") >= traits.age - 16',
        "traits.age * 2 >= traits.age + 18",
        "traits.age / 2 == 9",
        'did("a", where=n == 1767690000001)',
        'did("a", where=n in [1767690000001, 0.3])',
        'did("a", where=n != 1767690000001)',
        'did("a", where=n > 0.2)',
        'sum("a.n", days=2) > 2',
        'sum("b.n") < 3',
        'traits.age / count("b") < 18',
        "traits.address.city == traits.tier",
        'count("a", where=k == 5) >= 1',
        'did("a", where=k != 5)',
        'did("a", where=k == "5")',
        'did("a", where=k > 4)',
        'did("a", where=k in [5, 6])',
        'did("a", where=k not in ["x", "5"])',
        'did("a", where=n + 1 > 3 or k == True)',
        'did("a", where=n / 2 == 1)',
        'count("a", days=2, where=not (n > 2)) == 1',
        'distinct("b.k", days=3) >= 3',
        'distinct("b.n", days=3) == 2',
        "5 in traits.tags",
        'did("a", where=5 not in l)',
        'did("a", where=any(5 in l.k))',
        'did("a", where=any(l.k in ["5", "x"]) or all(l == 2))',
        'last_value("a.k") == 5',
        'last_value("a.k") != first_value("b.n")',
        'first_value("b.k") == traits.tier',
        'last_value("a.n") in [1767690000001, 2]',
        'first_value("a.n") != 1767690000001',
        'last_value("b.n") * 2 >= traits.age - 16',
        'first_value("a.n") / last_value("a.n") == 1',
        'last_value("b.l") == 2 or not last_value("b.k") != traits.address',
    ]
)
"""Kinds of values that do not go together; no schema goes with them."""


@st.composite
def of_one_day(draw: st.DrawFn) -> str:
    event = draw(events)
    inner = draw(
        st.sampled_from(
            [
                f'count("{event}") >= 1',
                f'sum("{event}.n") > 1',
                f'did("{event}")',
                f'not did("{event}")',
                f'count("{event}") < 2 or did("b")',
            ]
        )
    )
    return f"every_day({draw(st.integers(1, 3))}, {inner})"


atoms = st.one_of(comparisons(), comparisons(), about_times(), about_times(), about_traits, of_one_day())
of_days = st.one_of(comparisons(), of_one_day()).filter(lambda text: "day" in text)
"""What depends on where midnight is."""


@st.composite
def conditions(draw: st.DrawFn, pool: list[str]) -> str:
    """A condition of one or two of the pool's: a small pool lets segments, steps and rule sets share their windows."""
    one = draw(st.sampled_from(pool))
    other = draw(st.sampled_from(pool))
    forms = [one, one, one, f"not ({one})", f"{one} and {other}", f"{one} or {other}", f"{one} and not ({other})"]
    return draw(st.sampled_from(forms))


SCHEMA = {
    "events": {name: {"n": {"type": "number", "non-negative": True}, "k": "text", "l": "any"} for name in EVENTS},
    "traits": {"tier": "text", "age": "number", "vip": "flag", "tags": "any", "day": "any", "timezone": "text", "language": "text"},
}
SENT = ["sent(days=1) < 1", 'sent(days=2, channel="email") < 2', 'not sent(days=3, journey="j1") >= sent(days=1) + 1']
"""What only steps and consents ask."""
