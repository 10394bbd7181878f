"""`inspect users` shows what policies hold, and how much of each cap is used."""

from streams.browse.user_view import user_view
from triggers.state.encoding import decode
from triggers.testing import Story

RULES = """version: 2
policies:
  quiet_hours: {night: {from: "22:00", to: "08:00"}}
  caps:
    day: {most: 2, per: day}
    hour: {most: 1, per: 1h, channels: [push]}
journeys:
  welcome: {entry: {event: A}, re_entry: always, steps: [{send: {channel: push, text: Hi}}]}
"""


def test_holds_and_caps_are_shown() -> None:
    story = Story({"r.yaml": RULES}, start="2026-01-01T00:00Z")
    story.track("ann", "A", at="2026-01-02T12:00Z")
    partition = story.fold()[0]
    shown = user_view("ann", decode(partition.table.states()["ann"]), partition.position, story.library)
    assert shown["caps"] == [
        {"cap": "day", "used": 1, "most": 2, "per": "day", "room_from": None},
        {"cap": "hour", "used": 1, "most": 1, "per": "1h", "room_from": "2026-01-02T13:00:00.000Z"},
    ]
    assert "holds" not in shown
    story.track("ann", "A", at="2026-01-02T23:00Z")
    partition = story.fold()[0]
    shown = user_view("ann", decode(partition.table.states()["ann"]), partition.position, story.library)
    assert shown["holds"] == [{"journey": "welcome", "until": "2026-01-03T08:00:00.000Z", "reason": "quiet hours night"}]
    assert shown["timers"] == [{"at": "2026-01-03T08:00:00.000Z", "what": "continue journey welcome"}]
