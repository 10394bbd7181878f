"""Policies of random cases."""

from typing import Any

from hypothesis import strategies as st

from tests.reference.texts import SENT, conditions

CHANNELS = ["email", "sms", "push", "benefit"]
TIMES = ["00:00", "02:30", "03:00", "08:00", "12:15", "21:30", "23:59"]
PERS = ["day", "1h", "24h", "24h", "7d", "week", "month"]
CATEGORIES = ["marketing", "news", "transactional"]

Document = dict[str, Any]


@st.composite
def scopes(draw: st.DrawFn, categories: list[str]) -> Document:
    """What a policy is about."""
    made: Document = {}
    if draw(st.booleans()):
        made["channels"] = draw(st.lists(st.sampled_from(CHANNELS), min_size=1, unique=True))
    if draw(st.integers(0, 3)) == 0:
        made["categories"] = draw(st.lists(st.sampled_from(categories), min_size=1, unique=True))
    return made


@st.composite
def policies(draw: st.DrawFn, pool: list[str], goals: st.SearchStrategy[Document], bound: bool) -> Document:
    made: Document = {}
    for name in ("c1", "c2")[: draw(st.sampled_from([0, 0, 1] if bound else [0, 1, 2]))]:
        condition = draw(st.sampled_from([None, None, None, *SENT])) or draw(conditions(pool))
        consent = {**draw(scopes(CATEGORIES)), "if": condition}
        unknown = draw(st.sampled_from([None, "block", "allow"]))
        made.setdefault("consent", {})[name] = {**consent, **({"unknown": unknown} if unknown else {})}
    for name in ("q1", "q2")[: draw(st.sampled_from([1, 2] if bound else [0, 1, 1, 2]))]:
        begin, end = draw(st.lists(st.sampled_from(TIMES), min_size=2, max_size=2, unique=True))
        quiet = {**draw(scopes(CATEGORIES[:2])), "from": begin, "to": end}
        if draw(st.integers(0, 2)) == 0:
            quiet["on"] = draw(st.lists(st.sampled_from(["friday", "saturday", "sunday", "monday"]), min_size=1, unique=True))
        how = draw(st.sampled_from([{}, {"then": "drop"}, {"spread": "30m"}, {"spread": "5h"}]))
        made.setdefault("quiet_hours", {})[name] = {**quiet, **how}
    made |= draw(st.sampled_from([{}, {}, {"control": {"percent": 50}}, {"control": {"percent": 99.5}}]))
    if "control" in made and draw(st.booleans()):
        made["control"] = {**made["control"], "goal": draw(goals)}
    for name in ("p1", "p2")[: draw(st.sampled_from([1, 2] if bound else [0, 1, 1, 2]))]:
        cap = {**draw(scopes(CATEGORIES[:2])), "most": draw(st.sampled_from([1, 1, 2, 3])), "per": draw(st.sampled_from(PERS))}
        if draw(st.integers(0, 3)) == 0:
            cap["journeys"] = ["j1"]
        if cap["most"] > 1 and draw(st.booleans()):
            cap["reserved"] = {"places": draw(st.integers(1, cap["most"] - 1)), "priority": draw(st.sampled_from([1, 50, 80, 100]))}
        made.setdefault("caps", {})[name] = {**cap, **draw(st.sampled_from([{}, {"then": "hold"}, {"then": "hold"}]))}
    return made
