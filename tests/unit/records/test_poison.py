"""Bad input loses nothing and stops nothing: it is dead-lettered with reason and place, or normalised as documented."""

import hashlib
import re
from typing import Any

import orjson
import pytest

from tests.unit.journeys.test_runs import kinds, rules
from triggers.base.model import MAX_DEAD_LETTER, MAX_VALUE, LogRecord, Out, Place
from triggers.base.numbers import TALLY
from triggers.engine.interface import Options
from triggers.engine.partition import Partition
from triggers.journeys.library import Library
from triggers.records.events import NeedsNewer, signature
from triggers.state.table import Table
from triggers.testing import Story, documents, run

EACH = """  each:
    entry: {event: Read}
    re_entry: always
    steps: [{send: {channel: push, text: hello}}]
  rich:
    entry: {enters: rich}
    steps: [{send: {channel: push, text: rich}}]
"""
RICH = """  rich: sum("Paid.total") >= 100 or traits.balance >= 1000
"""


def event(**fields: Any) -> bytes:
    return orjson.dumps({"type": "track", "event": "Read", "userId": "ann", "messageId": "m", **fields})


def story() -> Story:
    return Story(rules(EACH, RICH))


def letters(told: Story) -> list[Out]:
    return told.fold()[1].dead_letters


POISON = [
    (b"", "empty"),
    (b"\xff\xfe{bad", "not JSON"),
    (b"not json", "not JSON"),
    (b'{"type":"track","userId":"ann","event":"\xff"}', "not JSON"),
    (b"[" * 200_000, "nested too deeply"),
    (b'{"a":' * 40_000 + b"1" + b"}" * 40_000, "nested too deeply"),
    (b'{"type":"track","userId":"ann","event":"Read","properties":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    (b'{"type":"track","userId":"ann","event":"Read","properties":{"x":NaN}}', "not JSON"),
    (b'{"type":5', "not JSON"),
    (b'{"timestamp":1', "not JSON"),
    (b'{"type":"x"', "not JSON"),
    (b'{"type":5,"userId":"\xff"}', "not JSON"),
    (b'{"type":[],"userId":"ann"}', "unknown type of call"),
    (b'{"type":{},"userId":"ann"}', "unknown type of call"),
    (b"[]", "not an event"),
    (b"null", "not an event"),
    (b"1", "not an event"),
    (orjson.dumps({"type": "track", "event": "Read"}), "no user id"),
    (orjson.dumps({"type": "track", "event": "Read", "userId": None}), "no user id"),
    (orjson.dumps({"type": "track", "event": "Read", "userId": 5}), "key and user id differ"),
    (event(userId="bob"), "key and user id differ"),
    (event(event=None), "a track call without an event name"),
    (event(type="alias", previousId="x"), "alias is not supported"),
    (event(type="vanish"), "unknown type of call"),
    (event(properties=[1]), "not an event: properties is no object"),
    (event(messageId={}), "not an event: messageId is neither"),
    (event(event=5), "not an event: event is no text"),
    (b'{"type":"track","userId":"ann","event":"Read","pad":"' + b"x" * 5_000_000 + b'"}', "too big"),
    (orjson.dumps({"type": "identify", "userId": "ann", "traits": {"bio": "x" * 20_000}}), "too big"),
]


@pytest.mark.parametrize(("value", "reason"), POISON, ids=lambda part: repr(part)[:50])
def test_what_cannot_be_read_is_a_dead_letter_with_its_reason(value: bytes, reason: str) -> None:
    told = story()
    told.record(b"ann", value, "+1h")
    told.track("ann", "Read", at="+1h")
    [letter] = letters(told)
    headers = dict(letter.headers)
    assert headers["reason"].decode().startswith(reason)
    assert (headers["source-topic"], headers["source-partition"], headers["source-offset"]) == (b"events", b"0", b"2")
    assert headers["size"] == str(len(value)).encode()
    assert headers["sha256"] == hashlib.sha256(value).hexdigest().encode()
    assert letter.key == b"ann"
    assert letter.value == value[:MAX_DEAD_LETTER]
    assert len(told.actions()) == 1


@pytest.mark.parametrize("user", ["", "\0position", "a\nb", "x" * 257, "é" * 129, "\x7f", "\x85"])
def test_a_user_id_is_text_of_1_to_256_bytes_without_control_characters(user: str) -> None:
    told = story()
    told.record(user.encode(), event(userId=user))
    [letter] = letters(told)
    assert dict(letter.headers)["reason"].startswith((b"bad user id", b"no user id"))


@pytest.mark.parametrize("user", ["a", "x" * 256, "用户", "é" * 128, "a b", "🙂"])
def test_any_other_text_is_a_user_id(user: str) -> None:
    told = story()
    told.track(user, "Read")
    assert [u for u, _, _ in told.sent()] == [user]


def test_the_key_of_a_dead_letter_counts_towards_the_size_of_a_checkpoint() -> None:
    """Law 11: it is written too."""
    partition = Partition(Place("events", 0), Table(), Library())
    partition.advance([LogRecord(0, 0, b"k" * 60_000, b"x")])
    assert partition.pending > 60_000


def test_an_event_without_a_key_is_a_dead_letter() -> None:
    told = story()
    told.record(None, event())
    assert told.dead_letters() == ["no key"]


def test_of_duplicate_keys_the_last_one_counts() -> None:
    told = story()
    told.record(b"ann", b'{"type":"track","userId":"bob","userId":"ann","event":"Other","event":"Read"}')
    assert [user for user, _, _ in told.sent()] == ["ann"]


def test_the_year_9999_becomes_now() -> None:
    told = story()
    told.record(b"ann", event(timestamp="9999-12-31T23:59:59Z"), "2026-02-01")
    [action] = told.actions()
    assert action["at"] == action["due"] == told.moment("2026-02-01")


@pytest.mark.parametrize(
    "written", ["2026-01-20", "2026-01-20T00:00Z", "2026-01-20T01:00+01:00", "2026-01-20 00:00:00", "2026-01-20T00:00:00.000001Z"]
)
def test_a_time_may_be_any_iso_8601_date_or_time(written: str) -> None:
    told = story()
    told.record(b"ann", event(timestamp=written), "2026-02-01")
    assert told.dead_letters() == []
    assert told.actions()[0]["due"] == told.moment("2026-01-20")


def test_a_wrong_phone_clock_is_corrected_by_sent_at() -> None:
    told = story()
    told.record(b"ann", event(timestamp="2030-01-01T00:00:00Z", sentAt="2030-01-01T00:00:05Z"), "2026-02-01T00:00:05Z")
    assert told.actions()[0]["due"] == told.moment("2026-02-01")


def test_numbers_may_come_as_text_and_are_summed_exactly() -> None:
    told = story()
    for total in ("33.3", 33.3, "33.4"):
        told.track("ann", "Paid", {"total": total})
    assert [journey for _, journey, _ in told.sent()] == ["rich"]


def test_a_missing_number_adds_nothing() -> None:
    told = story()
    told.track("ann", "Paid", {"total": None})
    told.track("ann", "Paid", {})
    assert told.sent() == []
    assert told.dead_letters() == []


def test_a_key_of_another_partition_is_a_dead_letter_or_counted() -> None:
    for accept, dead in ((False, 1), (True, 0)):
        told = Story(rules(EACH, RICH), options=Options(belongs=lambda key: key == b"ann", accept_foreign_keys=accept))
        told.track("ann", "Read")
        told.track("bob", "Read")
        partition, output = told.fold()
        assert len(output.dead_letters) == dead
        assert partition.foreign_keys == 1 - dead
        assert len(output.actions) == 2 - dead


@pytest.mark.parametrize("total", ["1.2345678", 1e300, True, [1], "x", {}])
def test_a_value_that_a_sum_cannot_add_is_counted_and_the_event_lives(total: object) -> None:
    told = story()
    TALLY.taken()
    told.track("ann", "Paid", {"total": total})
    partition, output = told.fold()
    assert output.dead_letters == []
    assert partition.table.get("ann") is not None
    assert TALLY.taken() == 1


LONG = "9" * 5_000


@pytest.mark.parametrize(
    "number",
    ["123456789012345678901234567890", "-9223372036854775809", "1e400", "-1e400", LONG, "-" + LONG, LONG + ".5", LONG + "e5"],
    ids=lambda number: number[:40] + number[4_999:],
)
def test_a_number_that_no_state_can_hold_is_null_to_a_text_and_as_a_trait_and_the_call_lives(number: str) -> None:
    text = "x{{ properties.x }}{{ properties.in.x }}{{ traits.n }}{{ traits.name }}"
    told = Story(rules(f"  j:\n    entry: {{event: E}}\n    steps: [{{send: {{channel: push, text: '{text}'}}}}]\n"))
    told.record(b"ann", f'{{"type": "identify", "userId": "ann", "traits": {{"n": {number}, "name": "Ann"}}}}'.encode())
    told.record(
        b"ann",
        f'{{"type": "track", "userId": "ann", "event": "E", "properties": {{"x": {number}, "in": {{"x": {number}}}}},'
        f' "context": {{"traits": {{"n": [{number}]}}}}}}'.encode(),
    )
    assert told.dead_letters() == []
    assert [action["message"]["text"] for action in told.actions()] == ["x[null]Ann"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"cut \ud83d", "cut \ufffd"),
        (r"\ude00 cut", "\ufffd cut"),
        (r"\uD83D\ude00", "\U0001f600"),
        (r"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (r"\\ud83d \ud83d", "\\ud83d \ufffd"),
    ],
)
def test_a_text_that_was_cut_in_the_middle_of_a_character_loses_that_character_only(written: str, read: str) -> None:
    told = Story(rules("  j:\n    entry: {event: E}\n    steps: [{send: {channel: push, text: '{{ properties.x }}'}}]\n"))
    told.record(b"1", f'{{"type": "track", "userId": 1, "event": "E", "properties": {{"x": "{written}"}}}}'.encode())
    told.record(b"b", f'{{"type": "track", "userId": "b", "event": "E", "properties": {{"x": "{written}"}}}}'.encode())
    assert told.dead_letters() == []
    assert [action["message"]["text"] for action in told.actions()] == [read, read]


def test_a_context_that_would_make_the_traits_too_big_is_left_out_and_the_event_lives() -> None:
    told = story()
    told.call("ann", type="track", event="Read", context={"traits": {"page": "x" * 20_000}})
    partition, output = told.fold()
    assert (len(output.actions), output.dead_letters) == (1, [])
    assert partition.counts["traits left out", ""] == 1


@pytest.mark.parametrize("kind", [b"reboot", b"command", b"tick"])
def test_a_users_record_with_a_control_header_is_a_dead_letter(kind: bytes) -> None:
    told = story()
    told.record(b"ann", event(event="Read"), headers=[("cueline-control", kind)])
    assert told.dead_letters() == ["a control header on a record with a key"]
    assert told.actions() == []


@pytest.mark.parametrize("options", [Options(), Options(command_key=b"secret")])
def test_an_event_without_a_key_in_the_guise_of_a_tick_is_a_dead_letter_that_moves_the_clock(options: Options) -> None:
    told = Story(rules(EACH, RICH), options=options)
    told.record(None, event(event="Read"), headers=[("cueline-control", b"tick")])
    told.until("+1d")
    assert told.dead_letters()[-1:] == ["not a tick: it has a value"]
    assert told.fold()[0].position.clock == told.log[-1].timestamp


NEWER: dict[str, tuple[bytes, dict[str, Any], str]] = {
    "a kind of control record": (b"reboot", {}, 'the unknown control record "reboot"'),
    "a kind of control record that is no text": (b"\xff" * 500, {}, f'the unknown control record "{chr(0xFFFD) * 100}"'),
    "a command": (b"command", {"kind": "split"}, 'the unknown command "split"'),
    "an engine": (b"command", {"engine": 9}, "a command of engine 9"),
    "an engine and a command": (b"command", {"kind": "split", "engine": 9, "x": 1}, "a command of engine 9"),
    "a schema": (b"command", {"schema": 2}, "a command of schema 2"),
    "a field": (b"command", {"part": "j"}, 'a command with the unknown field "part"'),
}


@pytest.mark.parametrize("case", NEWER)
def test_what_a_newer_release_has_written_stops_the_fold_before_it_until_an_override_passes_it(case: str) -> None:
    kind, odd, said = NEWER[case]
    told = story()
    told.track("ann", "Read")
    clock = told.fold()[0].position.clock
    command = {"schema": 1, "kind": "pause", "seq": 3, "previous": 2, "journey": "each", **odd}
    told.record(None, orjson.dumps(command), at="+1d", headers=[("cueline-control", kind)])
    offset = told.log[-1].offset
    told.track("ann", "Read")
    with pytest.raises(NeedsNewer, match=re.escape(said)):
        told.fold()
    partition = Partition(told.place, Table(), told.library)
    assert partition.advance(told.log) == len(told.log) - 2
    assert (partition.newer, partition.position.offset, partition.position.clock) == (said, offset - 1, clock)
    partition.options = Options(overrides=frozenset({offset}))
    while partition.position.offset < told.log[-1].offset:
        partition.advance(told.log)
    assert partition.newer is None
    [dead] = partition.take().dead_letters
    assert dict(dead.headers)["reason"] == f"passed by an override: {said}".encode()
    at_once = Partition(told.place, Table(), told.library, options=Options(overrides=frozenset({offset})))
    run(at_once, told.log)
    assert at_once.position == partition.position


def test_a_fold_that_has_skipped_what_it_stood_before_does_not_stand_any_more() -> None:
    told = story()
    told.record(None, orjson.dumps({"schema": 1, "kind": "new", "seq": 3, "previous": 2}), headers=[("cueline-control", b"command")])
    offset = told.log[-1].offset
    told.track("ann", "Read")
    partition = Partition(told.place, Table(), told.library)
    partition.advance(told.log)
    assert partition.newer is not None
    partition.reach(offset)
    partition.advance(told.log[-1:])
    assert partition.newer is None


def test_without_a_signature_nobody_stops_a_fold_where_commands_are_signed() -> None:
    told = Story(rules(EACH, RICH), options=Options(command_key=b"secret"))
    told.record(None, b"{}", headers=[("cueline-control", b"reboot")])
    told.record(None, b'{"kind": "split", "seq": 9}', headers=[("cueline-control", b"command")])
    assert told.dead_letters()[-2:] == ["a command without a right signature"] * 2


def test_what_is_no_command_is_a_dead_letter() -> None:
    told = story()
    for value in (b"{}", b"", b"[]", b'{"kind": "split"}', b'{"kind": "upgrade", "seq": "x"}', b'{"kind": 5, "seq": 5}', b"\xff"):
        told.record(None, value, headers=[("cueline-control", b"command")])
    assert [reason[:13] for reason in told.dead_letters()] == ["not a command"] * 7


def test_a_command_that_does_not_follow_the_last_one_is_a_recorded_no_op() -> None:
    told = story()
    told._commands += 5
    told.pause("each")
    told.track("ann", "Read")
    assert len(told.actions()) == 1
    [refused] = [d for d in told.decisions() if d["user"] is None and d["kind"] == "refused"]
    assert refused["reason"] == "command 8 follows 7, but the last one here was 2"


def test_with_a_command_key_unsigned_commands_are_dead_letters() -> None:
    key = b"secret"
    told = Story(rules(EACH, RICH), options=Options(command_key=key))
    told.log = [LogRecord(*r[:4], [*r.headers, ("cueline-signature", signature(key, "events", r.value or b""))]) for r in told.log]
    for signed in (None, b"", signature(key, "staging", b"")):
        told.pause("each")
        told.log[-1] = told.log[-1]._replace(headers=[*told.log[-1].headers, ("cueline-signature", signed)])
    told.pause("each")
    told.track("ann", "Read")
    assert len(told.actions()) == 1
    assert told.dead_letters() == ["a command without a right signature"] * 4


def test_a_record_far_ahead_does_not_move_the_clock_when_an_override_says_so() -> None:
    text = EACH.replace("steps: [", "steps: [{wait: 1d}, ")
    told = Story(rules(text, RICH), options=Options(overrides=frozenset({3})))
    told.track("ann", "Read", at="2026-01-02")
    told.record(b"bob", event(userId="bob"), "2036-01-01")
    told.log.append(LogRecord(4, told.moment("2026-01-02T12:00Z"), b"cem", event(userId="cem"), ()))
    assert told.actions() == []


HUNDRED = ", ".join(["{send: {channel: push, text: hello}}"] * 100)


def test_a_run_of_too_many_moves_is_cut_with_a_decision() -> None:
    """A record moves a user through 1,000 steps, over all runs: ten journeys of 100 steps go through, and one more does not."""
    told = Story(rules("".join(f"  {name}:\n    entry: {{event: Read}}\n    steps: [{HUNDRED}]\n" for name in "abcdefghijkl")))
    told.track("ann", "Read")
    assert len(told.actions()) == 1_000
    assert [(d["journey"], d["step"], d["reason"]) for d in told.decisions("ann", "failed")] == [
        ("k", "1", "too many moves at one moment"),
        ("l", "1", "too many moves at one moment"),
    ]


def test_each_moment_has_moves_of_its_own() -> None:
    journeys = "".join(f"  {name}:\n    entry: {{event: Read}}\n    steps: [{{wait: {name}h}}, {HUNDRED}]\n" for name in range(1, 13))
    told = Story(rules(journeys.replace(", {send: {channel: push, text: hello}}]", "]")))
    told.track("ann", "Read")
    told.until("+1d")
    assert len(told.actions()) == 12 * 99
    assert told.decisions("ann", "failed") == []


def test_many_journeys_at_one_moment_cut_nobody() -> None:
    told = Story(rules("".join(f"  {name}:\n    entry: {{event: Read}}\n    steps: [{HUNDRED}]\n" for name in ("one", "two"))))
    told.track("ann", "Read")
    assert len(told.actions()) == 200


def test_how_deep_json_may_be_nested_does_not_depend_on_who_calls() -> None:
    told = story()
    for levels in (30, 31):
        deep = b"[" * levels + b'"[{"' + b"]" * levels
        told.record(b"ann", event(messageId=str(levels), properties={"x": 0}).replace(b'"x":0', b'"x":' + deep))
    for n in range(100):
        told.record(b"ann", event(messageId=f"flat {n}", properties={"x": [[]] * 50, "y": '"\\['}))
    assert told.dead_letters() == ["nested too deeply: more than 32 levels"]
    assert len(told.actions()) == 101


@pytest.mark.parametrize("timestamp", [-1, 253_402_300_800_000, 10**18])
def test_a_record_without_a_sane_timestamp_is_a_dead_letter_and_no_clock(timestamp: int) -> None:
    told = story()
    told.record(b"ann", event(), timestamp)
    told.log.append(LogRecord(3, 1_800_000_000_000, b"bob", event(userId="bob"), ()))
    partition, output = told.fold()
    assert [dict(letter.headers)["reason"] for letter in output.dead_letters] == [
        b"bad record timestamp: outside of the years 1970 to 9999"
    ]
    assert partition.position.clock == 1_800_000_000_000


@pytest.mark.parametrize(
    "odd",
    [
        {"seq": 2**60, "previous": 2**60 - 1},
        {"seq": 0, "previous": -1},
        {"journey": "j" * 900},
        {"journey": "j" * 900_000},
        {"journey": ""},
        {"rule_set": "x"},
        {"kind": "apply", "rule_set": 7},
    ],
    ids=lambda odd: str(odd)[:40],
)
def test_an_odd_command_is_a_dead_letter(odd: dict[str, Any]) -> None:
    told = story()
    command = {"schema": 1, "kind": "pause", "seq": 3, "previous": 2, "rule_set": None, "journey": "each", **odd}
    told.record(None, orjson.dumps(command), headers=[("cueline-control", b"command")])
    told.track("ann", "Read")
    [reason] = told.dead_letters()
    assert reason.startswith("not a command")
    assert len(told.actions()) == 1


def test_a_command_with_a_number_beyond_all_bounds_is_a_dead_letter() -> None:
    told = story()
    told.record(
        None, b'{"kind":"pause","seq":1' + b"0" * 30 + b',"previous":0,"journey":"each"}', headers=[("cueline-control", b"command")]
    )
    assert told.dead_letters()[0].startswith("not a command")


def test_a_group_call_is_no_event_whatever_it_holds() -> None:
    told = story()
    told.call("ann", type="group", event="Read")
    told.call("ann", type="identify", event="Read", traits={})
    assert told.actions() == []


def test_a_trait_that_cannot_be_shown_stops_nobody() -> None:
    told = Story(
        rules("  j:\n    entry: {event: Read}\n    steps: [{when: 'traits.country == \"CN\"'}, {send: {channel: push, text: x}}]\n")
    )
    told.identify("ann", {"country": [[[["CN"]]]]})
    told.track("ann", "Read")
    assert kinds(told)[-1] == ("exited", "when: false")


def test_duplicates_of_a_dead_letter_are_dead_letters_too() -> None:
    told = story()
    told.record(b"ann", event(event=5))
    told.record(b"ann", event(event="Paid", properties={"total": "100"}))
    assert len(told.dead_letters()) == 1
    assert [journey for _, journey, _ in told.sent()] == ["rich"]


def test_a_state_survives_extreme_sums() -> None:
    told = story()
    for n in range(2000):
        told.track("ann", "Paid", {"total": 9_007_199_254}, messageId=f"x{n}")
    partition, output = told.fold()
    assert output.users
    assert documents(output.actions)[0]["journey"] == "rich"
    assert partition.table.get("ann") is not None


def test_the_largest_value_that_is_read_has_the_stated_size() -> None:
    told = story()
    value = event(pad="")
    told.record(b"ann", event(pad="x" * (MAX_VALUE - len(value))))
    assert told.dead_letters() == []
