"""Which records are commands about a user, and what becomes of wrong ones."""

from typing import Any

import orjson
import pytest

from triggers.base.model import DAY, SIGNATURE_HEADER
from triggers.engine.interface import Options
from triggers.records.events import NeedsNewer
from triggers.records.user_commands import user_command, user_command_headers, user_command_record, user_command_value
from triggers.testing import Story

RULES = {"rules.yaml": "version: 1\njourneys: {j: {entry: {event: E}, steps: [{send: {channel: push, text: x}}]}}\n"}
HEADERS = user_command_headers(b"", "events", None)
START = "2026-01-01T00:00Z"


def told(value: object, key: bytes | None = b"ann", options: Options | None = None) -> Story:
    story = Story(RULES, start=START, options=options)
    story.record(key, value if isinstance(value, bytes) else orjson.dumps(value), None, HEADERS)
    return story


def command(story_at: int, **fields: Any) -> dict[str, Any]:
    return {"kind": "suppress", "user": "ann", "id": "x", "at": story_at, "engine": 3, **fields}


AT = Story(RULES, start=START).now


@pytest.mark.parametrize(
    ("value", "key", "reason"),
    [
        (b"{", b"ann", "not a user command: not JSON"),
        (b"", b"ann", "not a user command: not JSON"),
        (command(AT), b"bob", "not a user command: key and user differ"),
        (command(AT), None, "not a user command: key and user differ"),
        (command(AT - DAY - 1), b"ann", "not a user command: its moment, 2025-12-30T23:59:59.999Z, is more than a day from"),
        (command(AT + DAY + 1), b"ann", "not a user command: its moment"),
        (command(AT, id=""), b"ann", "not a user command: Expected `str` of length >= 1"),
        (command(AT, id=5), b"ann", "not a user command: Expected `str`, got `int`"),
        (command(AT, journey="j"), b"ann", "not a user command: suppress has no journey"),
        (command(AT, kind="enter"), b"ann", "not a user command: enter without a journey"),
        (command(AT, kind="erase", reason="x"), b"ann", "not a user command: erase has no reason"),
        (command(AT, user="a\nb"), b"a\nb", "bad user id: control characters"),
        (command(AT, reason="x" * 5_000), b"ann", "not a user command: more than 4096 bytes"),
    ],
)
def test_a_wrong_command_is_a_dead_letter_and_changes_nothing(value: object, key: bytes | None, reason: str) -> None:
    story = told(value, key)
    [why] = story.dead_letters()
    assert why.startswith(reason)
    assert story.fold()[0].table.states() == {}


@pytest.mark.parametrize("moment", [AT - DAY, AT, AT + DAY])
def test_a_moment_within_a_day_is_right(moment: int) -> None:
    story = told(command(moment))
    assert story.dead_letters() == []
    assert list(story.fold()[0].table.states()) == ["ann"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"kind": "merge"}, 'the unknown user command "merge"'),
        ({"kind": "merge", "into": "bob"}, 'a user command with the unknown field "into"'),
        ({"engine": 99}, "a user command of engine 99"),
        ({"schema": 2}, "a user command of schema 2"),
    ],
)
def test_an_unknown_form_stops_the_partition(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(NeedsNewer, match=reason):
        told(command(AT, **fields)).decisions()


def test_an_override_makes_an_unknown_form_a_dead_letter() -> None:
    story = told(command(AT, kind="merge"), options=Options(overrides=frozenset({2})))
    assert story.dead_letters() == ['passed by an override: the unknown user command "merge"']


def test_only_a_signed_command_is_obeyed_where_there_is_a_key() -> None:
    options = Options(command_key=b"secret")
    right = user_command("suppress", "ann", "x", AT)
    for key, topic, obeyed in ((b"secret", "events", True), (b"other", "events", False), (b"secret", "other", False), (None, "", False)):
        story = Story(RULES, start=START)
        story.log.append(user_command_record(len(story.log), AT, right, topic=topic, key=key))
        commands = [record for record in story.log if record.key is None]
        assert len(commands) == 2
        partition = story._partition()
        story.options = None
        partition.advance(story.log[:2])
        while partition.drain():
            pass
        partition.advance(story.log[:2])
        partition.options = options
        partition.advance(story.log)
        assert (list(partition.table.states()) == ["ann"]) is obeyed
        assert [dict(out.headers)["reason"] for out in partition.take().dead_letters] == (
            [] if obeyed else [b"a command without a right signature"]
        )


def test_a_signature_covers_the_user() -> None:
    """A signed command under another user's key is refused, whatever its signature."""
    value = user_command_value(user_command("erase", "ann", "x", AT))
    headers = user_command_headers(value, "events", b"secret")
    assert SIGNATURE_HEADER in dict(headers)
    story = Story(RULES, start=START)
    story.record(b"bob", value, None, headers)
    assert story.dead_letters() == ["not a user command: key and user differ"]


def test_a_user_of_another_partition_is_refused_unless_such_keys_are_accepted() -> None:
    def elsewhere(_: bytes) -> bool:
        return False

    assert told(command(AT), options=Options(belongs=elsewhere)).dead_letters() == [
        "the key does not belong to this partition: its producer uses another partitioner than murmur2"
    ]
    accepted = told(command(AT), options=Options(belongs=elsewhere, accept_foreign_keys=True))
    assert accepted.dead_letters() == []
    assert list(accepted.fold()[0].table.states()) == ["ann"]


def test_the_written_form_names_nothing_that_is_not_there() -> None:
    value = user_command_value(user_command("enter", "ann", "x", 5, journey="j"))
    assert orjson.loads(value) == {"kind": "enter", "user": "ann", "id": "x", "at": 5, "journey": "j", "engine": 3, "schema": 1}


def test_a_timeline_shows_the_command() -> None:
    story = Story(RULES, start=START)
    story.suppress("ann", channel="push", reason="asked")
    assert 'command  suppress push "asked"' in story.timeline("ann")
