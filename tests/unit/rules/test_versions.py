"""A journey's version is a hash of what the journey means."""

import pytest

from tests.unit.rules.loading import loaded

J = "entry: {enters: s}, steps: [{wait: 1d}, {send: {channel: push, text: hi}}]"


def version(body: str = J, segment: str = "did('A')", more: str = "") -> str:
    return loaded(f'segments: {{s: "{segment}"}}\njourneys: {{j: {{{body}}}}}\n{more}').journeys["j"].version


def test_a_journeys_version_is_8_hex_of_its_definition() -> None:
    assert len(version()) == 8
    assert int(version(), 16) >= 0


def test_what_is_written_otherwise_but_means_the_same_is_the_same_version() -> None:
    spaced = "steps: [ {wait: 24h} , {send: {channel: push, text: 'hi'}} ], re_entry: never, entry: {enters: s}, late: {after: 24h}"
    assert version(spaced, "did( 'A' )  # bought") == version()
    assert version(more="settings: {time_zone: Asia/Tokyo}\n") == version()


@pytest.mark.parametrize(
    "body",
    [
        *[J.replace("1d", "2d"), J.replace("hi", "ho"), J.replace("push", "sms"), J.replace("enters", "leaves"), J + ", re_entry: always"],
        *[
            J + ", exit: {event: B}",
            J + ", on_change: exit",
            J + ", late: {then: send}",
            J.replace("text", "title"),
            J.replace("{wait", "{name: x, wait"),
        ],
    ],
)
def test_what_means_something_else_is_another_version(body: str) -> None:
    assert version(body) != version()


def test_the_definitions_of_the_segments_that_it_names_belong_to_a_journeys_version() -> None:
    assert version(segment="did('B')") != version()
    assert version(more="settings: {late: {then: send}}\n") != version()
