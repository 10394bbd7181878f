"""Settings are read once over all files."""

import pytest

from tests.unit.rules.loading import loaded, problems
from triggers.steps.send import Send


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("settings: {time_zone: Mars/Olympus}", 'a.yaml:2:23: unknown time zone "Mars/Olympus"; as in Europe/Berlin'),
        ("settings: {time_zone: asia/shanghai}", 'a.yaml:2:23: unknown time zone "asia/shanghai"; did you mean "Asia/Shanghai"?'),
        ("settings: {time_zone: ../../etc/passwd}", 'a.yaml:2:23: unknown time zone "../../etc/passwd"; as in Europe/Berlin'),
        ("settings: {time_zone: +1}", "a.yaml:2:23: time_zone is a number (+1); put it in quotes"),
        ("settings: {timezone: UTC}", 'a.yaml:2:12: unknown key "timezone" in settings; did you mean "time_zone"?'),
        ("settings: {channels: push}", "a.yaml:2:22: channels is a text; a list belongs here, as in channels: [push]"),
        (
            "settings: {channels: [a b]}",
            'a.yaml:2:23: "a b" is no name for a channel; letters, digits, _ - and . inside, at most 64 characters',
        ),
        ("settings: x", "a.yaml:2:11: settings is a text; a mapping belongs here"),
    ],
)
def test_a_wrong_setting_is_named(text: str, problem: str) -> None:
    assert problem in problems(f"version: 1\n{text}\n")


def test_settings_and_declarations_are_given_once_over_all_files() -> None:
    text = "version: 1\nsettings: {time_zone: UTC}\nschema: {events: {A: {}}, traits: {t: text}}\n"
    assert problems(text, text) == [
        "b.yaml:2:23: time_zone is set twice; first at a.yaml:2",
        'b.yaml:3:19: the event "A" is declared twice; first at a.yaml:3',
        'b.yaml:3:36: the trait "t" is declared twice; first at a.yaml:3',
    ]


def test_a_channel_of_ones_own_is_listed_in_the_settings() -> None:
    rules = loaded("settings: {channels: [whatsapp]}\njourneys: {j: {entry: {event: A}, steps: [{send: {channel: whatsapp, text: x}}]}}\n")
    assert rules.journeys["j"].steps == (Send("1", "whatsapp", {"text": "x"}),)
