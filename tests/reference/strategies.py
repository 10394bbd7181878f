"""Small rule folders and small logs, made so that things meet: few names, few lengths, gaps that end at midnights, edges and due moments.

A case is made of values only, so hypothesis can shrink it; `Case.story()` prints it for a human.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from tests.reference.days import DAY, HOUR, MINUTE
from tests.reference.keys import events_in
from tests.reference.log import Command, Entry, Said, Tick
from tests.reference.some_commands import USERS, commands, user_commands
from tests.reference.some_policies import CATEGORIES, CHANNELS, policies
from tests.reference.some_schedules import DATES, Document, edited, scheduled
from tests.reference.some_tiers import tiers
from tests.reference.texts import OPERATORS, SCHEMA, SENT, atoms, conditions, events, numbers, odd, of_days, small

ZONES = ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe", "Pacific/Kiritimati", "Pacific/Pago_Pago"]
STARTS = [
    1_743_033_600_000,  # 2025-03-27: Berlin loses an hour on the 30th
    1_761_350_400_000,  # 2025-10-25: Berlin gains one on the 26th
    1_762_041_600_000,  # 2025-11-02: New York gains one on this day
    1_743_724_800_000,  # 2025-04-04: Lord Howe gains half an hour on the 5th (UTC)
]
LATENESS = [0, 0, 0, 1, HOUR, DAY, 2 * DAY, 3 * DAY, -HOUR]


LOCAL_WAITS: list[Any] = [
    {"days": 1},
    {"days": 2, "at": "02:30"},
    {"days": 3, "at": "00:00"},
    {"weeks": 1, "at": "01:59"},
    {"months": 1},
    {"at": "02:15"},
    {"date": "run.entered", "offset": "1d", "at": "02:30"},
    {"date": "run.entered", "offset": "26h"},
    {"date": "run.entered", "offset": "5h", "at": "12:00"},
    {"date": "run.entered", "offset": "-2d"},
    {"at": "09:00", "on": ["monday", "saturday"]},
    {"at": "02:00", "on": ["sunday"]},
]


SET: list[Any] = [
    {"tier": "gold"},
    {"tier": "silver"},
    {"tier": None},
    {"vip": True},
    {"vip": False, "age": 18},
    {"age": 17, "tags": ["gold"]},
    {"day": "2025-04-02"},
    {"tags": ["x", "5"]},
]
"""What runs set."""


@dataclass(frozen=True)
class Taste:
    """What kind of cases to make."""

    gaps: tuple[int, ...] = (
        0,
        1,
        5 * MINUTE,
        HOUR,
        5 * HOUR + 30 * MINUTE,
        22 * HOUR,
        23 * HOUR,
        DAY - 1,
        DAY,
        25 * HOUR,
        2 * DAY,
        3 * DAY,
    )
    """Between records, ms."""
    waits: tuple[Any, ...] = ("30m", "1h", "23h", "1d", "2d", "5d")
    local: int = 2
    """How many of ten waits are by local time."""
    texts: st.SearchStrategy[str] = field(default=atoms)
    """What conditions are made of."""
    applies: int = 0
    """How many of 20 records apply a rule set, in addition to one near the beginning and one in 20."""
    calls: str = "eeeeeeeetg"
    """What a user's records are: events, traits, groups."""
    odd: bool = False
    """Values of kinds that do not go together, without a schema."""
    bound: bool = False
    """Policies that keep back much of what goes out."""
    batching: bool = False
    """Journeys that events enter and exit, for events that come late and in any order, as from phones that batch."""
    clocked: bool = False
    """Journeys that users enter by the clock, for rule sets that change these entries, traits that change, and users who travel."""


MIXED = Taste()
CHANGING = Taste(gaps=(0, 1, HOUR, 5 * HOUR + 30 * MINUTE, 14 * HOUR, DAY), waits=("1d", "2d", "5d"), applies=4)
"""Many rule sets over running runs: pinning, meeting, what is kept and what is forgotten."""
TRAVELLING = Taste(gaps=(0, HOUR, 5 * HOUR + 30 * MINUTE, 11 * HOUR, 22 * HOUR, DAY), texts=of_days, calls="eeeeezzzzg", local=8)
"""Users who change their time zone (`z`) all the time, and conditions over days."""
ODD = Taste(texts=odd, calls="eeeeetttg", odd=True)
BATCHING = Taste(gaps=(0, 1, HOUR, 23 * HOUR), calls="eeeeeeeeee", batching=True)
BOUND = Taste(gaps=(0, 1, HOUR, 3 * HOUR, 5 * HOUR + 30 * MINUTE, 22 * HOUR), waits=("30m", "1h", "23h"), calls="eeeeeeeez", bound=True)
CLOCKED = Taste(
    gaps=(0, HOUR, 5 * HOUR + 30 * MINUTE, 11 * HOUR, DAY, 2 * DAY),
    waits=("1h", "23h"),
    texts=of_days,
    calls="ezzttt",
    applies=2,
    clocked=True,
)
TASTES = {
    "batching": BATCHING,
    "bound": BOUND,
    "mixed": MIXED,
    "changing": CHANGING,
    "clocked": CLOCKED,
    "travelling": TRAVELLING,
    "odd": ODD,
}

Files = dict[str, str]


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


# ---- rule folders -----------------------------------------------------------------------------------------------------


LISTS: list[Any] = [
    [],
    ["x"],
    ["y", 5],
    "x",
    {"k": ["x", 5, "5"]},
    [{"k": "x", "n": 1}],
    [{"k": "y", "n": 1}, {"k": "z", "n": 0.5}],
    [{"k": [5]}, {"n": 2}, "x"],
    [2, 2.0, "2"],
    [{"k": "y", "n": 1}] * 200,
    [{"k": "y", "n": 1}] * 201,
    ["y"] * 200 + ["x"],
]
CONTEXTS: list[Any] = [{}, {}, {"os": {"name": "iOS", "version": "5"}}, {"os": {"name": "Android", "version": 5.5}}, {"os": "iOS"}]
ODD_NUMBERS: list[Any] = [1e300, 1.2345678, 0.30000000000000004, 1767690000001, "1767690000001", "x", True]
"""What does not fit, or only just."""


@st.composite
def causes(draw: st.DrawFn, segments: list[str]) -> Document:
    if segments and draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from([{"reaches": "m.low"}, {"reaches": "m.high"}, {"rises": "m"}, {"falls": "m"}]))
    if segments and draw(st.sampled_from([True, True, False])):
        return {draw(st.sampled_from(["enters", "leaves"])): draw(st.sampled_from(segments))}
    where = draw(st.sampled_from([None, None, None, None, None, 'k == "x"', "n >= 2", "local.hour < 12", 'context.os.name == "iOS"']))
    return {"event": draw(events), **({"where": where} if where else {})}


@st.composite
def entries(draw: st.DrawFn, segments: list[str], taste: Taste) -> Document | list[Document]:
    one: st.SearchStrategy[Document] = causes(segments)
    if taste.clocked:
        one = st.one_of(one, *[scheduled(segments)] * 5)
    elif not taste.batching:
        one = st.one_of(one, one, scheduled(segments))
    return draw(one) if draw(st.sampled_from([True, True, False])) else draw(st.lists(one, min_size=1, max_size=3))


@st.composite
def awaited(draw: st.DrawFn, segments: list[str]) -> Document:
    kind = draw(st.sampled_from(["one", "one", "any", *(["side", "side"] if segments else [])]))
    if kind == "side":
        return {draw(st.sampled_from(["inside", "outside"])): draw(st.sampled_from(segments))}
    return draw(causes(segments)) if kind == "one" else {"any": draw(st.lists(causes(segments), min_size=1, max_size=3))}


@st.composite
def steps(draw: st.DrawFn, segments: list[str], pool: list[str], taste: Taste) -> list[Document]:
    made = [*draw(blocks(segments, pool, taste, 2)), send("end")]
    for number, split in enumerate(splits_in(made)):
        split["split"] = f"n{number}"
    return made


def splits_in(steps: Any) -> list[Document]:
    """The splits at any depth."""
    if isinstance(steps, list):
        return [split for step in steps for split in splits_in(step)]
    if not isinstance(steps, dict):
        return []
    return ([steps] if "arms" in steps else []) + splits_in(list(steps.values()))


@st.composite
def blocks(draw: st.DrawFn, segments: list[str], pool: list[str], taste: Taste, depth: int) -> list[Document]:
    """A list of steps. `depth`: how many others may be inside each other in it."""
    made: list[Document] = []
    kinds = [
        "wait",
        "wait",
        "wait",
        "when",
        "when send",
        "send",
        "set",
        *(["if", "if", "choose", "split", "for", "for"] if depth else ["end"]),
    ]
    kinds = ["send", "send", "wait", "set"] if taste.bound else kinds
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=4)):
        if kind == "wait" or (taste.applies and not made):
            forms = LOCAL_WAITS if draw(st.integers(1, 10)) <= taste.local else taste.waits
            made.append({"wait": draw(st.sampled_from(forms))})
        elif kind == "when":
            counts = draw(st.sampled_from([None, None, *SENT]))
            made.append({"when": counts or draw(conditions(pool))})
        elif kind == "choose":
            choices: list[Document] = [{"if": draw(conditions(pool))} for _ in range(draw(st.integers(1, 3)))]
            choices += [{}] * draw(st.integers(0, 1))
            made.append({"choose": [{**choice, "steps": draw(blocks(segments, pool, taste, depth - 1))} for choice in choices]})
        elif kind == "split":
            made.append(draw(splits(segments, pool, taste, depth)))
        elif kind == "end":
            made.append({"end": "enough"})
        elif kind == "set":
            made.append({"set": {"traits": draw(st.sampled_from(SET))}})
        elif kind == "send" and draw(st.integers(0, 3)) == 0:
            text = draw(st.sampled_from(["x", "x", {"default": "x", "de": "y {{ traits.tier }}"}]))
            made.append({"send": {**send("x")["send"], "text": text, "not_after": draw(st.sampled_from(["1h", "10h"]))}})
        elif kind == "if":
            branches = draw(st.sampled_from([("then",), ("then", "else"), ("else",)]))
            condition = draw(st.sampled_from([None, None, None, *SENT])) or draw(conditions(pool))
            made.append({"if": condition, **{branch: draw(blocks(segments, pool, taste, depth - 1)) for branch in branches}})
        elif kind == "for":
            branches = draw(st.sampled_from([(), ("came",), ("came", "timed_out"), ("timed_out",)]))
            inside = {branch: draw(blocks(segments, pool, taste, depth - 1)) for branch in branches}
            made.append({"wait": {**draw(awaited(segments)), "timeout": draw(st.sampled_from(taste.waits))}, **inside})
        else:
            asks = draw(st.sampled_from(["when", "when", "skip_unless"]))
            condition = draw(st.sampled_from([None, *SENT])) or draw(conditions(pool))
            made.append({**send("x", draw(st.sampled_from(CHANNELS))), **({asks: condition} if kind == "when send" else {})})
    return made


@st.composite
def splits(draw: st.DrawFn, segments: list[str], pool: list[str], taste: Taste, depth: int) -> Document:
    """A split without its name."""
    arms: Document = {}
    for arm in ("a", "b", "c")[: draw(st.integers(2, 3))]:
        arms[arm] = {"weight": draw(st.sampled_from([1, 2, 50]))}
        if draw(st.booleans()):
            arms[arm]["steps"] = draw(blocks(segments, pool, taste, depth - 1))
    salt = draw(st.sampled_from([{}, {}, {"salt": "s"}, {"salt": "t"}]))
    return {"split": "", "arms": arms, **salt}


def send(text: str, channel: str = "email") -> Document:
    return {"send": {"channel": channel, "text": text}}


@st.composite
def journeys(draw: st.DrawFn, segments: list[str], pool: list[str], taste: Taste) -> Document:
    segments = [] if taste.batching or taste.bound else segments
    journey: Document = {"entry": draw(entries(segments, taste)), "steps": draw(steps(segments, pool, taste))}
    re_entry = "always" if taste.bound else draw(st.sampled_from(["always", "always", None, "never", {"after": "1d"}, {"after": "23h"}]))
    late = draw(st.sampled_from([None, {"after": "1h", "then": "drop"}, {"after": "1d", "then": "send"}]))
    exits = draw(st.sampled_from([1, 1, 2] if taste.batching else [None, None, 1, 2]))
    on_change = draw(st.sampled_from([None, "finish", "exit"]))
    category = draw(st.sampled_from([None, None, *CATEGORIES]))
    while_running = draw(st.sampled_from([None, None, "refuse", "restart"]))
    priority = draw(st.sampled_from([None, None, 0, 80]))
    chosen: Document = {"re_entry": re_entry, "late": late, "on_change": on_change, "category": category}
    chosen |= {"while_running": while_running, "priority": priority}
    chosen["hold_at_most"] = draw(st.sampled_from([None, None, "0s", "3h", "9d"]))
    journey.update({name: value for name, value in chosen.items() if value is not None})
    if draw(st.sampled_from([False, False, True])):
        journey["goal"] = {**draw(causes(segments)), "within": draw(st.sampled_from(["1h", "1d", "9d"]))}
    if exits == 1 and "goal" in journey and draw(st.booleans()):
        journey["exit"] = "goal"
    elif exits == 1:
        journey["exit"] = draw(causes(segments))
    elif exits == 2:
        journey["exit"] = [draw(causes(segments)), draw(causes(segments))]
    journey |= draw(st.sampled_from([{}] * 8 + [{"from": "2025-03-29"}, {"from": "2025-10-26"}]))
    if draw(st.integers(0, 9)) == 0:
        journey["until"] = draw(st.sampled_from(["2025-03-30", "2025-04-07", "2025-11-03"]))
    if journey.get("from", "") > journey.get("until", "9"):
        del journey["until"]
    if category != "transactional":
        journey |= draw(st.sampled_from([{}, {}, {"holdout": "50%"}, {"holdout": "99.5%"}]))
    listed = journey["entry"] if isinstance(journey["entry"], list) else [journey["entry"]]
    if any("at" in entry for entry in listed) and draw(st.integers(0, 3)) == 0:
        journey["spread"] = draw(st.sampled_from(["30m", "5h"]))
    key = None if taste.clocked else draw(st.sampled_from([None, None, "k", "n"]))
    if key is not None:
        journey.pop("spread", None)
        journey["entry"] = [{**draw(causes([])), "key": key} for _ in range(draw(st.sampled_from([1, 1, 2])))]
        for cause in events_in([part for name, part in journey.items() if name != "entry"]):
            if draw(st.sampled_from([True, True, False])):
                cause["key"] = key
    return journey


@st.composite
def folders(draw: st.DrawFn, pool: list[str], taste: Taste, before: Mapping[str, Any] | None = None) -> tuple[Files, Document]:
    """One folder and what it means as a document; some of it is as it was in the folder before."""
    kept = before or {}
    conditions_before = sorted(text for text in kept.get("segments", {}).values() if "segment" not in text and "values" not in text)
    referring = [*pool, 'segment("s1")', f"values.v {draw(st.sampled_from(OPERATORS))} {draw(small)}"]
    # A condition may come back under the other name: then it is the same segment.
    condition = st.one_of(st.sampled_from(conditions_before), conditions(pool)) if conditions_before else conditions(pool)
    known = {
        name: kept["segments"][name]
        if kept and name in kept["segments"] and draw(st.booleans())
        else draw(condition if name == "s1" else st.one_of(condition, conditions(referring)))
        for name in ("s1", "s2")[: draw(st.sampled_from([2, 2, 1]))]
    }
    old = {
        name: journey
        for name, journey in kept.get("journeys", {}).items()
        if all(segment in known for segment in mentioned(journey)) and draw(st.booleans())
    }
    if taste.clocked:
        old = {name: draw(edited(journey, list(known))) for name, journey in old.items()}
    made = {
        name: draw(journeys(list(known), [*referring, "local.hour < 12"], taste))
        for name in ("j1", "j2")[: draw(st.sampled_from([2, 2, 1]))]
        if name not in old
    }
    keeps = draw(st.booleans())
    values = kept["values"] if kept and keeps else {"v": draw(numbers())}
    document: Document = {"version": 2, "values": values, "segments": known, "journeys": {**old, **made}}
    if draw(st.integers(0, 3)) or climbing(old):
        document["tiers"] = {"m": draw(tiers(referring, kept.get("tiers", {}).get("m")))}
    same_zone = draw(st.sampled_from([True, True, True, False]))
    zone = kept["settings"]["time_zone"] if kept and same_zone else draw(st.sampled_from(ZONES))
    document["settings"] = {"time_zone": zone, "categories": ["news"]}
    if taste.bound or draw(st.booleans()):
        document["policies"] = draw(policies(pool, causes(list(known)), taste.bound))
    if "tiers" not in document:
        document = without_tiers(document)
    if draw(st.sampled_from([False, False, False, True])):
        document["settings"]["before_rules"] = "nothing"
    if draw(st.sampled_from([False, False, False, True])):
        document["settings"]["duplicates"] = draw(st.sampled_from(["1h", "24h", "7d"]))
    if not taste.odd and draw(st.booleans()):
        document["schema"] = SCHEMA
    return {"rules.yaml": json.dumps(document, indent=1)}, document  # JSON is YAML too


TIER_WORDS = {"reaches", "rises", "falls"}


def climbing(part: Any) -> bool:
    """Whether a cause is a move in a tier."""
    inside = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    return (isinstance(part, dict) and not TIER_WORDS.isdisjoint(part)) or any(map(climbing, inside))


def without_tiers(part: Any) -> Any:
    """The same with an event in place of each move in a tier."""
    if isinstance(part, list):
        return [without_tiers(item) for item in part]
    if not isinstance(part, dict):
        return part
    cause = {} if TIER_WORDS.isdisjoint(part) else {"event": "a"}
    return cause | {name: without_tiers(item) for name, item in part.items() if name not in TIER_WORDS}


def mentioned(part: Any) -> set[str]:
    """The segments that a journey names."""
    if isinstance(part, list):
        return {name for item in part for name in mentioned(item)}
    if not isinstance(part, dict):
        return set()
    named = {part[word] for word in ("enters", "leaves", "inside", "outside") if word in part}
    return named | {name for item in part.values() for name in mentioned(item)}


# ---- logs -------------------------------------------------------------------------------------------------------------


@st.composite
def said(draw: st.DrawFn, taste: Taste, offset: int, timestamp: int, message_ids: list[str]) -> Said:
    user = draw(st.sampled_from(USERS))
    again = message_ids and draw(st.integers(0, 9)) == 0
    message_id = draw(st.sampled_from(message_ids)) if again else f"m{offset}"
    message_ids.append(message_id)
    happened: Document = {}
    kind = draw(st.sampled_from(taste.calls))
    if kind == "e":
        n = draw(st.sampled_from([0, 1, 2, 2.5, 0.1, 0.2, -2, "2", None] + (ODD_NUMBERS if taste.odd else [])))
        k = draw(st.sampled_from(["x", "y", "z", None, 5, "5", True, 5.0] if taste.odd else ["x", "y", "z", None]))
        properties = {name: value for name, value in {"n": n, "k": k}.items() if value is not None or draw(st.booleans())}
        if draw(st.booleans()):
            properties["l"] = draw(st.sampled_from(LISTS))
        happened = {"event": draw(events), "properties": properties, "context": draw(st.sampled_from(CONTEXTS))}
        if taste.odd and draw(st.integers(0, 4)) == 0:
            happened["traits"] = {draw(st.sampled_from(["tier", "age"])): draw(st.sampled_from(["gold", "5", 18, None]))}
    elif kind == "z":
        happened = {"traits": {"timezone": draw(st.sampled_from(ZONES))}}
    elif kind == "t":
        happened = {"traits": draw(traits(taste))}
    at = timestamp - draw(st.sampled_from(LATENESS))
    return Said(offset=offset, timestamp=timestamp, user=user, at=at, message_id=message_id, **happened)


@st.composite
def traits(draw: st.DrawFn, taste: Taste) -> Document:
    choices = {
        "tier": st.sampled_from(["gold", "silver", None]),
        "age": st.sampled_from([17, 18, 18.5, None]),
        "vip": st.sampled_from([True, False, None]),
        "day": st.sampled_from(DATES),
        "tags": st.sampled_from([[], ["gold"], ["x", "5"], [5], "gold", None, ["x"] * 200, ["x"] * 200 + ["gold"]]),
        "timezone": st.sampled_from([*ZONES, "No/Where", " europe / BERLIN", "america/new york", None]),
    }
    if taste.odd:
        choices["tier"] = st.sampled_from(["gold", 5, "5", True, ["gold"], {"a": 1}, "Ulm"])
        choices["age"] = st.sampled_from([18, "18", "18.0", 18.0, "x", True, False, 0, "", " 18", "1e1", [18], -2])
        choices["address"] = st.sampled_from([{"city": "Ulm"}, {"city": 5}, {"city": None}, "Ulm", {}])
    names = ["day", "day", "day", "vip", "timezone"] if taste.clocked else sorted(choices)
    return {name: draw(choices[name]) for name in draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True))}


@st.composite
def cases(draw: st.DrawFn, taste: Taste = MIXED, fewest: int = 12, most: int = 30) -> Case:
    """One to three folders; the first apply and go-live somewhere near the beginning, others where they fall; a long tick at the end."""
    pool = draw(st.lists(taste.texts, min_size=3, max_size=4))
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
        elif choice == 18:
            log.append(draw(user_commands(len(log), now)))
        elif choice > 15:
            log.append(draw(commands(len(log), now)))
        else:
            # With `clock: log` a record may come after a later one.
            log.append(draw(said(taste, len(log), now - draw(st.sampled_from([0, 0, 0, 0, 0, 0, 0, HOUR])), message_ids)))
    log.append(Tick(offset=len(log), timestamp=now + draw(st.sampled_from([0, DAY, 8 * DAY]))))
    return Case(tuple(made), tuple(log))
