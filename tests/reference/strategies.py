"""Small rule folders and small logs, made so that things meet: few names, few lengths, gaps that end at midnights, edges and due moments.

A case is made of values only, so hypothesis can shrink it; `Case.story()` prints it for a human.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from tests.reference.days import DAY, HOUR, MINUTE
from tests.reference.log import Command, Entry, Said, Tick

USERS = ["u1", "u2"]
EVENTS = ["a", "b"]
ZONES = ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe", "Pacific/Kiritimati", "Pacific/Pago_Pago"]
STARTS = [
    1_743_033_600_000,  # 2025-03-27: Berlin loses an hour on the 30th
    1_761_350_400_000,  # 2025-10-25: Berlin gains one on the 26th
    1_762_041_600_000,  # 2025-11-02: New York gains one on this day
    1_743_724_800_000,  # 2025-04-04: Lord Howe gains half an hour on the 5th (UTC)
]
LATENESS = [0, 0, 0, 1, HOUR, DAY, 2 * DAY, 3 * DAY, -HOUR]
OPERATORS = [">=", "<", "==", "!=", ">", "<="]


@dataclass(frozen=True)
class Taste:
    """What kind of cases to make."""

    gaps: tuple[int, ...]
    """Between records, ms."""
    waits: tuple[str, ...]
    applies: int
    """How many of 20 records apply a rule set, beside one near the beginning and one in 20."""
    waiting: bool
    """Every journey begins with a wait, so that runs are under way most of the time."""
    odd: bool = False
    """Compares values of kinds that do not go together."""


MIXED = Taste(
    gaps=(0, 1, 5 * MINUTE, 30 * MINUTE, HOUR, 5 * HOUR + 30 * MINUTE, 22 * HOUR, 23 * HOUR, DAY - 1, DAY, 25 * HOUR, 2 * DAY, 3 * DAY),
    waits=("30m", "1h", "23h", "1d", "2d", "5d"),
    applies=0,
    waiting=False,
)
CHANGING = Taste(gaps=(0, 1, HOUR, 5 * HOUR + 30 * MINUTE, 14 * HOUR, DAY), waits=("1h", "1d", "2d", "5d"), applies=4, waiting=True)
"""Many rule sets over runs that are under way: pinning, meeting, what is kept and what is forgotten."""
ODD = replace(MIXED, odd=True)

Files = dict[str, str]
Document = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """Rule folders, and a log whose apply commands name them by their number: "0", "1"..."""

    folders: tuple[Files, ...]
    log: tuple[Entry, ...]

    def with_hashes(self, hashes: list[str]) -> list[Entry]:
        """The log with each folder's content hash in place of its number."""
        return [
            replace(entry, rule_set=hashes[int(entry.rule_set)]) if isinstance(entry, Command) and entry.rule_set is not None else entry
            for entry in self.log
        ]

    def story(self) -> str:
        """Everything, readable."""
        lines = [f"--- folder {n}, {name}\n{text}" for n, folder in enumerate(self.folders) for name, text in folder.items()]
        return "\n".join([*lines, *map(str, self.log)])


# ---- conditions, as text ----------------------------------------------------------------------------------------------

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
    ]
)
lengths = st.sampled_from(["", ", days=1", ", days=2", ", days=3", ", hours=1", ", hours=24", ", minutes=30", ", minutes=90"])
limited = st.sampled_from([", days=1", ", days=2", ", hours=5"])


@st.composite
def numbers(draw: st.DrawFn) -> str:
    """A measure that is a number."""
    event = draw(events)
    match draw(st.sampled_from(["count", "count", "sum", "distinct"])):
        case "count":
            return f'count("{event}"{draw(lengths)}{draw(wheres)})'
        case "sum":
            return f'sum("{event}.n"{draw(lengths)}{draw(wheres)})'
        case _:
            return f'distinct("{event}.k"{draw(limited)}{draw(wheres)})'


@st.composite
def comparisons(draw: st.DrawFn) -> str:
    op = draw(st.sampled_from(OPERATORS))
    one = draw(numbers())
    match draw(st.integers(0, 7)):
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


@st.composite
def conditions(draw: st.DrawFn, pool: list[str]) -> str:
    """A condition of one or two of the pool's: a small pool lets segments, steps and rule sets share their windows."""
    one = draw(st.sampled_from(pool))
    other = draw(st.sampled_from(pool))
    forms = [one, one, one, f"not ({one})", f"{one} and {other}", f"{one} or {other}", f"{one} and not ({other})"]
    return draw(st.sampled_from(forms))


# ---- rule folders -----------------------------------------------------------------------------------------------------


@st.composite
def causes(draw: st.DrawFn, segments: list[str]) -> Document:
    if segments and draw(st.sampled_from([True, True, False])):
        return {draw(st.sampled_from(["enters", "leaves"])): draw(st.sampled_from(segments))}
    where = draw(st.sampled_from([None, None, None, None, 'k == "x"', "n >= 2"]))
    return {"event": draw(events), **({"where": where} if where else {})}


@st.composite
def steps(draw: st.DrawFn, pool: list[str], taste: Taste) -> list[Document]:
    made: list[Document] = [{"wait": draw(st.sampled_from(taste.waits[1:]))}] if taste.waiting else []
    for _ in range(draw(st.integers(0 if taste.waiting else 1, 4))):
        match draw(st.integers(0, 9)):
            case 0 | 1 | 2 | 3 | 4 | 5:
                made.append({"wait": draw(st.sampled_from(taste.waits))})
            case 6:
                made.append({"when": draw(conditions(pool))})
            case 7:
                made.append({**send("x"), "when": draw(conditions(pool))})
            case _:
                made.append(send("x"))
    return [*made, send("end")]


def send(text: str) -> Document:
    return {"send": {"channel": "email", "text": text}}


@st.composite
def journeys(draw: st.DrawFn, segments: list[str], pool: list[str], taste: Taste) -> Document:
    journey: Document = {"entry": draw(causes(segments)), "steps": draw(steps(pool, taste))}
    re_entry = draw(st.sampled_from(["always", "always", None, "never", {"after": "1d"}, {"after": "23h"}]))
    late = draw(st.sampled_from([None, {"after": "1h", "then": "drop"}, {"after": "1d", "then": "send"}]))
    exits = draw(st.sampled_from([None, None, 1, 2]))
    on_change = draw(st.sampled_from([None, "finish", "exit"]))
    chosen = {"re_entry": re_entry, "late": late, "on_change": on_change}
    journey.update({name: value for name, value in chosen.items() if value is not None})
    if exits == 1:
        journey["exit"] = draw(causes(segments))
    elif exits == 2:
        journey["exit"] = [draw(causes(segments)), draw(causes(segments))]
    return journey


SCHEMA = {
    "events": {name: {"n": {"type": "number", "non-negative": True}, "k": "text"} for name in EVENTS},
    "traits": {"tier": "text", "age": "number", "vip": "flag", "timezone": "text"},
}


@st.composite
def folders(draw: st.DrawFn, pool: list[str], taste: Taste, before: Mapping[str, Any] | None = None) -> tuple[Files, Document]:
    """One folder and what it means as a document; some of it is as it was in the folder before."""
    kept = before or {}
    conditions_before = sorted(kept.get("segments", {}).values())
    # A condition may come back under the other name: then it is the same segment.
    condition = st.one_of(st.sampled_from(conditions_before), conditions(pool)) if conditions_before else conditions(pool)
    known = {
        name: kept["segments"][name] if kept and name in kept["segments"] and draw(st.booleans()) else draw(condition)
        for name in ("s1", "s2")[: draw(st.sampled_from([2, 2, 1]))]
    }
    old = {
        name: journey
        for name, journey in kept.get("journeys", {}).items()
        if all(segment in known for segment in mentioned(journey)) and draw(st.booleans())
    }
    made = {name: draw(journeys(list(known), pool, taste)) for name in ("j1", "j2")[: draw(st.sampled_from([2, 2, 1]))] if name not in old}
    document: Document = {"version": 1, "segments": known, "journeys": {**old, **made}}
    same_zone = draw(st.sampled_from([True, True, True, False]))
    zone = kept["settings"]["time_zone"] if kept and same_zone else draw(st.sampled_from(ZONES))
    document["settings"] = {"time_zone": zone}
    if not taste.odd and draw(st.booleans()):
        document["schema"] = SCHEMA
    # JSON is YAML too.
    return {"rules.yaml": json.dumps(document, indent=1)}, document


def mentioned(journey: Document) -> set[str]:
    """The segments that a journey names."""
    exits = journey.get("exit", [])
    asked = [journey["entry"], *(exits if isinstance(exits, list) else [exits])]
    return {cause[change] for cause in asked for change in ("enters", "leaves") if change in cause}


# ---- logs -------------------------------------------------------------------------------------------------------------


@st.composite
def said(draw: st.DrawFn, taste: Taste, offset: int, timestamp: int, message_ids: list[str]) -> Said:
    user = draw(st.sampled_from(USERS))
    again = message_ids and draw(st.integers(0, 9)) == 0
    message_id = draw(st.sampled_from(message_ids)) if again else f"m{offset}"
    message_ids.append(message_id)
    happened: Document = {}
    kind = draw(st.integers(0, 9))
    if kind < (5 if taste.odd else 8):
        n = draw(st.sampled_from([0, 1, 2, 2.5, 0.1, 0.2, -2, "2", None]))
        k = draw(st.sampled_from(["x", "y", "z", None, 5, "5", True, 5.0] if taste.odd else ["x", "y", "z", None]))
        properties = {name: value for name, value in {"n": n, "k": k}.items() if value is not None or draw(st.booleans())}
        happened = {"event": draw(events), "properties": properties}
    elif kind < 9:
        happened = {"traits": draw(traits(taste))}
    at = timestamp - draw(st.sampled_from(LATENESS))
    return Said(offset=offset, timestamp=timestamp, user=user, at=at, message_id=message_id, **happened)


@st.composite
def traits(draw: st.DrawFn, taste: Taste) -> Document:
    """At most one zone in a user's life is the business of whoever asks: here it may change."""
    choices = {
        "tier": st.sampled_from(["gold", "silver", None]),
        "age": st.sampled_from([17, 18, 18.5, None]),
        "vip": st.sampled_from([True, False, None]),
        "timezone": st.sampled_from([*ZONES, "No/Where", None]),
    }
    if taste.odd:
        choices["tier"] = st.sampled_from(["gold", 5, "5", True, ["gold"], {"a": 1}, "Ulm"])
        choices["age"] = st.sampled_from([18, "18", "18.0", 18.0, "x", True, False, 0, "", " 18", "1e1", [18], -2])
        choices["address"] = st.sampled_from([{"city": "Ulm"}, {"city": 5}, {"city": None}, "Ulm", {}])
    return {name: draw(choices[name]) for name in draw(st.lists(st.sampled_from(sorted(choices)), min_size=1, max_size=2, unique=True))}


@st.composite
def commands(draw: st.DrawFn, offset: int, timestamp: int) -> Command:
    kind = draw(st.sampled_from(["pause", "resume"]))
    return Command(offset=offset, timestamp=timestamp, kind=kind, journey=draw(st.sampled_from(["j1", "j1", "j2"])))  # type: ignore[arg-type]


@st.composite
def cases(draw: st.DrawFn, taste: Taste = MIXED, fewest: int = 12, most: int = 30) -> Case:
    """One to three folders; the first apply and go-live somewhere near the beginning, others where they fall; a long tick at the end."""
    pool = draw(st.lists(odd if taste.odd else atoms, min_size=3, max_size=4))
    folder, document = draw(folders(pool, taste))
    made = [folder]
    for _ in range(draw(st.sampled_from([1, 2, 2] if taste.applies else [0, 1, 1, 2]))):
        folder, document = draw(folders(pool, taste, document))
        made.append(folder)
    any_folder = st.integers(0, len(made) - 1).map(str)
    first, live = draw(st.sampled_from([0, 0, 0, 1, 2])), draw(st.sampled_from([0, 0, 0, 3]))
    log: list[Entry] = []
    now = draw(st.sampled_from(STARTS))
    message_ids: list[str] = []
    for n in range(draw(st.integers(fewest, most))):
        now += draw(st.sampled_from(taste.gaps))
        if n == live:
            log.append(Command(offset=len(log), timestamp=now, kind="go-live"))
        choice = draw(st.integers(0, 19))
        if n == first or (n > first and choice <= taste.applies):
            folder_number = draw(any_folder) if n > first else "0"
            log.append(Command(offset=len(log), timestamp=now, kind="apply", rule_set=folder_number))
        elif choice == 19:
            log.append(Tick(offset=len(log), timestamp=now))
        elif choice > 15:
            log.append(draw(commands(len(log), now)))
        else:
            # With `clock: log` a record may stand behind a later one.
            log.append(draw(said(taste, len(log), now - draw(st.sampled_from([0, 0, 0, 0, 0, 0, 0, HOUR])), message_ids)))
    log.append(Tick(offset=len(log), timestamp=now + draw(st.sampled_from([0, DAY, 8 * DAY]))))
    return Case(tuple(made), tuple(log))
