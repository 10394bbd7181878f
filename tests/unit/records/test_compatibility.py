"""docs/compatibility.md is true, row by row."""

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.unit.journeys.test_runs import rules
from triggers.base.model import LogRecord
from triggers.base.moments import iso, parse_moment
from triggers.base.numbers import exactly, lenient, plain
from triggers.records.events import Unreadable, check_user_id, event_time, read_event
from triggers.rules.checks import load
from triggers.state.encoding import decode
from triggers.testing import Story

PAGE = (Path(__file__).parents[3] / "docs/compatibility.md").read_text()
ARRIVED = parse_moment("2026-01-06T09:00:07Z")
READ = "  j:\n    entry: {event: E}\n    re_entry: always\n    steps: [{send: {channel: push, text: hello}}]\n"


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    part = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def call(**fields: Any) -> bytes:
    return orjson.dumps({"type": "track", "userId": "ann", "event": "E", **fields})


def happened(value: bytes) -> int:
    return event_time(read_event(LogRecord(0, ARRIVED, b"ann", value))[4], ARRIVED)


@pytest.mark.parametrize("row", rows("Who sends what"), ids=lambda row: row[0])
def test_a_call_of_each_sender_is_read_as_the_page_says(row: list[str]) -> None:
    _, sent, user, event, moment, traits = row
    value = sent.strip("`").encode()
    _, _, name, _, times, _, _ = read_event(LogRecord(0, ARRIVED, user.encode(), value))
    assert name == (None if event == "none" else event)
    assert event_time(times, ARRIVED) == parse_moment(f"2026-01-06T{moment}Z")
    told = Story(rules(READ), start="2026-01-05")
    told.record(user.encode(), value, ARRIVED)
    assert told.dead_letters() == []
    assert decode(told.fold()[0].table.states()[user]).traits == orjson.loads(traits.strip("`"))


def test_there_are_twelve_rows_of_clocks() -> None:
    assert [row[0] for row in rows("When it happened")] == ["ahead", "behind", "queued"] * 4


@pytest.mark.parametrize("row", rows("When it happened"), ids=" ".join)
def test_each_row_of_clocks_is_true(row: list[str]) -> None:
    names = ("timestamp", "sentAt", "receivedAt", "originalTimestamp")
    fields = {name: f"2026-01-06T{time}Z" for name, time in zip(names, row[1:5], strict=True) if time}
    for zone in ("Z", "+00:00", ""):
        assert iso(happened(call(**{name: text[:-1] + zone for name, text in fields.items()}))) == f"2026-01-06T{row[5]}.000Z"


def test_a_correction_before_1970_and_a_late_received_at_are_not_made() -> None:
    day = "2026-01-06T08:00:00Z"
    assert iso(happened(call(timestamp=day, sentAt="2026-01-06T08:00:05Z", receivedAt="2026-01-06T09:00:08Z"))) == iso(parse_moment(day))
    old = call(timestamp="1970-01-01T00:00:01Z", sentAt="9999-01-01T00:00:00Z")
    assert happened(old) == 1_000


@pytest.mark.parametrize(("written", "means"), rows("How a time may be written"))
def test_each_way_to_write_a_time_is_read(written: str, means: str) -> None:
    value = call(timestamp=orjson.loads(written.strip("`")))
    told = Story(rules(READ), start="2026-02-01")
    told.record(b"ann", value, "2026-02-01T09:00Z")
    partition, output = told.fold()
    assert (len(output.actions), output.dead_letters) == (1, [])
    unreadable = means == "when it was received"
    assert partition.unreadable_times == unreadable
    assert happened(value) == (-1 if unreadable else parse_moment(means))
    if unreadable:
        assert told.actions()[0]["due"] == told.moment("2026-02-01T09:00Z")


@pytest.mark.parametrize(("sent", "read"), rows("Ids and shapes"))
def test_each_shape_is_read_as_the_page_says(sent: str, read: str) -> None:
    text = sent.strip("`")
    value = call()[:-1] + b"," + text[1:].encode()  # of duplicate keys the last one counts; 1e400 is no JSON of ours
    given = re.search(r'"userId": ("[^"]*"|[^,}]*)', text)
    key = "ann" if given is None else given[1].strip('"')
    try:
        kind, user_id, event, message_id, _, properties, traits = read_event(LogRecord(0, ARRIVED, key.encode(), value))
        check_user_id(user_id)
    except Unreadable as reason:
        found: dict[str, Any] = {"dead letter": str(reason)}
    else:
        found = {"type": kind, "userId": user_id, "event": event, "messageId": message_id, "properties": properties, "traits": traits}
    if read.startswith("dead letter: "):
        assert found["dead letter"].startswith(read.removeprefix("dead letter: "))
        return
    expected = orjson.loads(read.strip("`"))
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(("sent", "number", "same"), rows("Numbers"))
def test_each_number_is_read_as_the_page_says(sent: str, number: str, same: str) -> None:
    value = orjson.loads(sent.strip("`"))
    for read, expected in ((lenient, number), (exactly, same)):
        units = read(value)
        assert (None if units is None else plain(units)) == orjson.loads(expected)


@pytest.mark.parametrize("user_id", [" ", "\u00a0 ", "Undefined", "NONE"])
def test_other_spellings_of_nobody_are_refused(user_id: str) -> None:
    told = Story(rules(READ))
    told.track(user_id, "E")
    assert told.dead_letters()[0].startswith("bad user id: ")


def test_a_setting_takes_ids_that_stand_for_missing_ones() -> None:
    for setting, sends in (("refuse", 0), ("accept", 1)):
        told = Story(load({"all.yaml": f"version: 1\nsettings: {{placeholder_ids: {setting}}}\njourneys:\n{READ}"}))
        told.track("undefined", "E")
        assert len(told.actions()) == sends
        assert len(told.dead_letters()) == 1 - sends


def test_an_event_with_context_changes_traits_and_is_an_event() -> None:
    text = READ + "  k:\n    entry: {enters: gold}\n    steps: [{send: {channel: push, text: gold}}]\n"
    told = Story(rules(text, '  gold: traits.tier == "gold"\n'))
    told.track("ann", "Other")
    told.track("ann", "E", context={"traits": {"tier": "gold"}, "timezone": "Asia/Tokyo"})
    told.track("ann", "E", context={"timezone": "Asia/Tokyo"})
    assert sorted(journey for _, journey, _ in told.sent()) == ["j", "j", "k"]


def test_long_ids_compare_exactly_also_with_texts() -> None:
    told = Story(rules(READ.replace("event: E}", "event: E, where: 'id == 1767690000001 or id in [\"9007199254740993\"]'}")))
    for given in (1767690000001, "1767690000001", 9007199254740993, 1767690000002, 9007199254740992, "01767690000001"):
        told.track("ann", "E", {"id": given})
    told.track("ann", "E", {"id": 1767690000001.0})
    told.track("ann", "E", {"id": 9007199254740992.0})
    assert len(told.actions()) == 4
    assert told.dead_letters() == []


def test_a_sum_that_met_a_number_that_does_not_fit_is_incomplete_until_its_days_have_passed() -> None:
    steps = "[{when: 'sum(\"Paid.total\", days=2) < 100'}, {send: {channel: push, text: x}}]"
    text = f"  j:\n    entry: {{event: Ask}}\n    re_entry: always\n    steps: {steps}\n"
    told = Story(rules(text))
    told.track("ann", "Paid", {"total": 1e30}, at="2026-01-02T09:00Z")
    for day in ("02", "03", "04"):
        told.track("ann", "Ask", at=f"2026-01-{day}T10:00Z")
    assert told.dead_letters() == []
    assert [iso(action["at"])[:10] for action in told.actions()] == ["2026-01-04"]


def test_an_unreadable_time_counts_as_received_at_and_a_sent_at_that_was_never_set_corrects_nothing() -> None:
    for wrong in ("yesterday", "1969-12-31T23:59:59Z"):
        told = Story(rules(READ), start="2026-01-05")
        told.record(b"ann", call(timestamp=wrong, receivedAt="2026-01-06T08:00:00Z"), ARRIVED)
        assert told.actions()[0]["due"] == parse_moment("2026-01-06T08:00:00Z")
    for stamp in ("2026-01-06T08:00:00Z", 1767686400000):
        value = call(timestamp=stamp, sentAt="0001-01-01T00:00:00Z", receivedAt="2026-01-06T09:00:06Z")
        assert iso(happened(value)) == "2026-01-06T08:00:00.000Z"
