"""One user's state, in words that the rules gave it."""

import json
from typing import Any

import pytest

from streams.browse.user_view import user_view
from streams.cli.lines import as_json, of_position, of_record, of_user, of_user_line
from streams.commands.changes import incomplete
from triggers.base.model import DAY
from triggers.base.moments import iso, parse_moment
from triggers.journeys.library import Library
from triggers.rules.checks import load
from triggers.state.encoding import decode
from triggers.state.position import Position
from triggers.testing import Story

START = parse_moment("2026-01-01T00:00:00Z")
RULES = """version: 1
segments:
  many: count("Read", days=3) >= 2 and sum("Read.minutes", days=3) > 10
  varied: distinct("Read.book", days=7) >= 2
  early: first("Read", days=30) < "2026-01-15" and last("Read") > "2026-01-01"
  steady: every_day(2, sum("Read.minutes") > 5)
  total: count("Read") >= 100 or sum("Read.minutes") >= 1000
  long: max("Read.minutes", days=3) > 5 and min("Read.minutes") < 7
journeys:
  welcome:
    entry: {event: Signed Up}
    steps: [{wait: 3d, name: rest}, {send: {channel: push, text: Hello}}]
"""


@pytest.fixture
def story() -> Story:
    story = Story({"rules.yaml": RULES}, start=START)
    story.identify("ann", {"name": "Ann", "timezone": "Asia/Shanghai"}, at=START + 1)
    story.track("ann", "Signed Up", at=START + 2)
    story.track("ann", "Read", {"minutes": 7.5, "book": "Hesse"}, at=START + DAY)
    story.track("ann", "Read", {"minutes": 6, "book": True}, at=START + 2 * DAY)
    return story


def picture(story: Story, user: str = "ann") -> dict[str, Any]:
    partition, _ = story.fold()
    return user_view(user, decode(partition.table.states()[user]), partition.position, story.library)


def test_windows_stand_under_the_measures_that_they_keep(story: Story) -> None:
    windows = {window.pop("measure"): window for window in picture(story)["windows"]}
    assert windows['count("Read", days=3)']["panes"] == {"2026-01-02": 1, "2026-01-03": 1}
    assert windows['count("Read", days=3)']["value"] == 2
    assert windows['sum("Read.minutes", days=3)']["panes"] == {"2026-01-02": 7.5, "2026-01-03": 6}
    assert windows['sum("Read.minutes")']["total"] == 13.5
    assert windows['distinct("Read.book", days=7)']["values"] == {"Hesse": "2026-01-02", "true": "2026-01-03"}
    assert (windows['max("Read.minutes", days=3)']["value"], windows['min("Read.minutes")']["value"]) == (7.5, 6)
    assert windows['max("Read.minutes", days=3)']["panes"] == {"2026-01-02": 7.5, "2026-01-03": 6}
    assert windows['last("Read")']["at"] == iso(START + 2 * DAY)
    assert windows['first("Read", days=30)']["times"] == [iso(START + DAY), iso(START + 2 * DAY)]
    [daily] = [window for name, window in windows.items() if name.endswith(" of each day")]
    assert daily["panes"] == {"2026-01-02": 7.5, "2026-01-03": 6}


def test_segments_say_where_the_user_stands_and_why(story: Story) -> None:
    standings = {standing["segment"]: standing for standing in picture(story)["segments"]}
    assert standings["many"]["inside"] is True
    assert standings["many"]["values"]['count("Read", days=3)'] == 2
    assert standings["total"]["inside"] is False
    assert standings["many"]["next_look"] == "2026-01-04T16:00:00.000Z", "midnight in Shanghai, when the second of January leaves"


def test_runs_and_timers_say_what_is_waited_for(story: Story) -> None:
    found = picture(story)
    [run] = found["runs"]
    assert (run["journey"], run["next_step"], run["steps"], run["due"]) == ("welcome", "2", 2, iso(START + 2 + 3 * DAY))
    assert {"at": run["due"], "what": "continue journey welcome"} in found["timers"]
    assert found["due"] == min(timer["at"] for timer in found["timers"])
    assert found["entered"] == {"welcome": iso(START + 2)}
    assert (found["traits"], found["message_ids"]) == ({"name": "Ann", "timezone": "Asia/Shanghai"}, 2)


def test_what_no_rule_set_names_is_shown_under_its_hash(story: Story) -> None:
    partition, _ = story.fold()
    rules = partition.position.rule_set
    state = decode(partition.table.states()["ann"])
    found = user_view("ann", state, Position(rule_set=rules, clock=START), Library())
    assert found["unknown_rule_sets"] == [rules]
    assert all("of no active rule set" in window["measure"] for window in found["windows"])


def test_the_page_of_a_user_says_it_all(story: Story) -> None:
    page = of_user({"partition": 3, "bytes": 100, "clock": iso(START), **picture(story)})
    for line in ("user ann", 'count("Read", days=3): 2', "many: inside", "entered 2026-01-01", "continue journey welcome", "name: Ann"):
        assert line in page


# ---- lines -----------------------------------------------------------------------------------------------------------


def record(value: Any, *, key: str | None = "ann", headers: dict[str, str] | None = None) -> dict[str, Any]:
    return {"timestamp": iso(START), "partition": 2, "offset": 17, "key": key, "headers": headers or {}, "value": value}


@pytest.mark.parametrize(
    ("word", "document", "line"),
    [
        (
            "events",
            record({"type": "track", "event": "Read", "properties": {"a": 1}}),
            'ann              Read {"a":1}',
        ),
        ("events", record({"type": "track", "event": "Read", "timestamp": iso(START - 1)}), f"Read happened {iso(START - 1)}"),
        ("events", record("", key=None, headers={"cueline-control": "tick"}), "2@17      tick"),
        (
            "events",
            record({"kind": "pause", "seq": 4, "journey": "welcome"}, key=None, headers={"cueline-control": "command"}),
            "command 4: pause welcome",
        ),
        ("events", record("\\xff nonsense"), "ann              \\xff nonsense"),
        (
            "dead-letters",
            record(
                "x", headers={"reason": "not JSON", "source-topic": "events", "source-partition": "1", "source-offset": "9", "size": "1"}
            ),
            "not JSON (events[1] offset 9, 1 bytes) x",
        ),
        (
            "decisions",
            record({"kind": "sent", "journey": "welcome", "step": "2", "user": "ann", "at": START + 1}),
            f"{iso(START + 1)}  2@17      ann              sent     welcome step 2",
        ),
        (
            "actions",
            record(
                {"channel": "push", "journey": "w", "step": "2", "user": "ann", "at": START, "message": {"text": "Hi"}, "not_after": START}
            ),
            f'push by w step 2 not after {iso(START)}: text "Hi"',
        ),
        ("rules", record({"files": {"a.yaml": ""}}, key="rule-set:0123456789abcdef"), "rule set 0123456789ab: a.yaml"),
        ("rules", record({"seq": 5, "kind": "pause", "journey": "welcome"}, key="command:head"), "last command 5: pause welcome"),
        (
            "rules",
            record(
                {
                    "command": {"kind": "apply", "seq": 5, "previous": 4, "rule_set": "7515" * 16, "journey": None},
                    "topic_id": "x" * 22,
                    "offsets": [7, 9],
                    "at": START,
                    "by": "root@vm",
                    "schema": 1,
                },
                key="command:5",
            ),
            f"command 5: apply 751575157515 by root@vm at {iso(START)}, offsets [7,9]",
        ),
        (
            "rules",
            record({"reason": "ticket 815", "at": START, "by": "root@vm", "topic_id": "x"}, key="override:shop.events:3:17"),
            f"override of shop.events[3] offset 17 by root@vm at {iso(START)}: ticket 815",
        ),
        (
            "rules",
            record({"reason": "ticket 816", "at": START, "by": "root@vm", "topic_id": "x"}, key="override:shop.events:3:17-20"),
            f"override of shop.events[3] offsets 17-20 by root@vm at {iso(START)}: ticket 816",
        ),
        ("rules", record(None, key="override:shop.events:3:17"), "override:shop.events:3:17 deleted"),
        ("rules", record({"what": "ever"}, key="command:5"), 'command:5 {"what":"ever"}'),
        ("actions", record({"user": None, "at": 10**17}), f"{10**17}  2@17      -"),
    ],
)
def test_a_record_is_one_line(word: str, document: dict[str, Any], line: str) -> None:
    found = of_record(word, document)
    assert line in found
    assert "\n" not in found


@pytest.mark.parametrize(("done", "what"), [(True, "rebase of partition 3"), (False, "rebase begun, not done, of partition 3")])
def test_a_rebase_is_told_in_words(*, done: bool, what: str) -> None:
    value = {
        "kind": "rebase",
        "done": done,
        "partition": 3,
        "from": "end",
        "state": "keep",
        "users": 1,
        "epoch": 2,
        "before": None,
        "after": {"offset": 41},
        "notes": ["offsets 0 to 41 are never folded: what they hold did not happen"],
        "at": START,
        "by": "root@vm",
    }
    assert of_record("rules", record(value, key=f"audit:{START}:3")) == (
        f"{iso(START)}  2@17      {what} from end by root@vm at {iso(START)}: states of 1 user: keep; "
        "before: nothing folded, now: folded up to offset 41, epoch 2; offsets 0 to 41 are never folded: what they hold did not happen"
    )


EVIL = "\x1b[2Jann\n2026-01-01T00:00:00.000Z  0@0       bob\x9b\u2028\udc80"


@pytest.mark.parametrize("word", ["events", "actions", "decisions", "receipts", "dead-letters", "rules"])
def test_what_others_have_written_cannot_steer_the_terminal_nor_forge_a_line(word: str) -> None:
    values: list[Any] = [
        EVIL,
        None,
        dict.fromkeys(("event", "type", "user", "journey", "kind", "reason", "channel", "step", "at", "by"), EVIL),
    ]
    values += [{"traits": {EVIL: EVIL}, "properties": {"a": EVIL}, "message": {"text": EVIL}, "values": {EVIL: EVIL}, "files": {EVIL: ""}}]
    for key in (EVIL, f"rule-set:{EVIL}", f"command:{EVIL}", f"override:{EVIL}", f"audit:{EVIL}"):
        for value in values:
            line = of_record(word, record(value, key=key, headers={"reason": EVIL, "source-topic": EVIL}))
            assert line.isprintable(), line
            assert line.splitlines() == [line]


def test_neither_can_a_users_page_and_the_list_of_users(story: Story) -> None:
    page = of_user({"partition": 3, "bytes": 100, "clock": iso(START), **picture(story), "user": EVIL, "traits": {EVIL: EVIL}})
    lines = page.split("\n")
    assert lines[0] == r"user \x1b[2Jann\n2026-01-01T00:00:00.000Z  0@0       bob\x9b\u2028\udc80"
    assert all(line.isprintable() for line in lines)
    assert of_user_line({"user": EVIL, "partition": 1, "due": None, "bytes": 5}).isprintable()
    assert of_position({**POSITION, "paused": [EVIL]}).isprintable()


def test_json_of_half_a_surrogate_pair_is_json() -> None:
    assert json.loads(as_json({"user": "a\udc80"})) == {"user": "a\udc80"}


POSITION: dict[str, Any] = {
    "partition": 3,
    "offset": 5,
    "behind": 0,
    "clock": None,
    "rule_set": None,
    "live": True,
    "paused": [],
    "last_command": 0,
    "meeting": None,
    "epoch": 1,
}


def test_a_position_is_one_line() -> None:
    assert of_position({"partition": 3, "offset": None, "behind": 1200}) == "partition 3    nothing folded yet, 1,200 behind"


def test_a_window_says_until_when_it_does_not_know_all() -> None:
    rules = "version: 1\nsegments: {a: 'not did(\"paid\")', b: 'count(\"used\", days=3) > 1', c: 'not did(\"read\", hours=5)'}\n"
    story = Story({"rules.yaml": "version: 1\n"}, start=START)
    story.track("ann", "used", at=START + 1)
    story.apply({"rules.yaml": rules}, at=START + DAY // 2)
    until = {window["measure"]: window.get("incomplete_until") for window in picture(story)["windows"]}
    assert until == {
        'last("paid")': "for ever",
        'count("used", days=3)': iso(START + 3 * DAY),
        'last("read")': iso(START + DAY // 2 + 5 * DAY // 24),
    }
    story.until(START + 4 * DAY)
    later = {window["measure"]: window.get("incomplete_until") for window in picture(story)["windows"]}
    assert later == {'last("paid")': "for ever", 'count("used", days=3)': None, 'last("read")': None}


def test_an_unknown_time_zone_and_refusals_stand_in_the_page_about_a_user() -> None:
    story = Story({"rules.yaml": RULES}, start=START)
    story.identify("ann", {"timezone": "Mars/One"}, at=START + 1)
    for _ in range(3):
        story.track("ann", "Signed Up", at=START + 2)
    known = picture(story)
    assert (known["time_zone"], known["unknown_time_zone"]) == ("UTC", "Mars/One")
    assert known["refusals"] == [
        {"journey": "welcome", "reason": "a run of this journey is under way", "told": "2026-01-01", "not_told": 1}
    ]


def test_apply_says_for_how_many_users_which_windows_start_incomplete_and_until_when() -> None:
    old, new = load({"a.yaml": "version: 1\nsegments: {b: 'count(\"used\", days=3) > 1'}\n"}), load({"a.yaml": RULES})
    lines = incomplete(old, new, 4009, START)
    assert '! count("Read") starts incomplete for 4,009 users, for ever: give it days=' in lines
    assert f'! count("Read", days=3) starts incomplete for 4,009 users, until {iso(START + 2 * DAY)}' in lines
    assert incomplete(new, new, 4009, START) == incomplete(None, new, 0, START) == []


def test_a_position_counts_the_users_of_its_partition(story: Story) -> None:
    story.track("bob", "Read", at=START + 3 * DAY)
    partition, _ = story.fold()
    assert partition.position.users == 2
