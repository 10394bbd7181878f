"""What `check` warns of in texts, in what is counted and in times that policies never let through."""

import pytest

from tests.unit.rules.test_warnings_of_steps import SEND, SHOWS, found, of_steps

DROPS = 'policies: {quiet_hours: {night: {from: "22:00", to: "08:00", channels: [push], then: drop}}}\n'


def of_text(text: str, before: str = "") -> list[str]:
    return of_steps(f"{{send: {{channel: push, text: {text}}}}}", before=before)


# ---- values and languages --------------------------------------------------------------------------------------------


def test_a_value_without_each_is_warned_of_at_its_place() -> None:
    hint = "in a definition with each: {category: [...]} it is a value; a trait is {{ traits.category }}"
    assert of_text('"New in $category"') == [f'5:50: "$category" is taken as it is written; {hint}']
    assert of_text('"New in ${category}"')[0].startswith('5:50: "${category}" is taken')
    (warning,) = of_steps(f'{{when: \'did("A", where=c == "$category")\'}}, {SEND}')
    assert '"$category" is taken as it is written' in warning


@pytest.mark.parametrize("text", ["$5 and US$ 6", "$AAPL", "a$b", "$$category", "$ x"])
def test_other_dollar_signs_are_not_warned_of(text: str) -> None:
    assert of_text(f'"{text}"') == []


def test_a_value_of_each_is_not_warned_of() -> None:
    assert of_steps('{send: {channel: push, text: "$c and $$d"}}', "each: {c: [a, b]}") == []


def test_single_braces_are_warned_of() -> None:
    assert of_text('"Hi {traits.name}!"') == ['5:46: "{traits.name}" is sent as it is written; two braces show a value: {{ traits.name }}']
    assert of_text("{default: Hi, de: 'Hallo { properties.name }'}")[0].startswith('5:67: "{ properties.name }" is sent')
    for right in ('"{{ traits.name }}"', '"{{traits.name}}"', '"{ name }"', '"{% if traits.a %}b{% endif %}"', "'{\"traits.x\": 1}'"):
        assert of_text(right) == [], right


@pytest.mark.parametrize(
    ("language", "warned"),
    [
        ("cn", 'no user gets the text of "cn": that is a country; its language is zh'),
        ("US", 'no user gets the text of "US": that is a country; its language is en'),
        ("german", 'no user gets the text of "german": languages have codes of two or three letters; as in de, zh-TW or pt-BR'),
        ("de", None),
        ("zh_TW", None),
        ("yue", None),
    ],
)
def test_a_language_that_no_user_has_is_warned_of(language: str, warned: str | None) -> None:
    text = f"{{default: Hi, {language}: x}}"
    assert of_text(text) == ([] if warned is None else [f"5:56: {warned}"])


def test_a_region_counts_only_in_the_trait_language() -> None:
    def schema(traits: str) -> str:
        return f"schema: {{traits: {{{traits}}}}}\n"

    text = "{default: Hi, zh-TW: x, zh: y}"
    (warning,) = of_text(text, schema("locale: text"))
    assert 'no user gets the text of "zh-TW": of the trait locale only the first part counts, here "zh"' in warning
    assert of_text(text, schema("locale: text, language: text")) == []
    assert of_text(text) == []


def test_an_event_in_one_language_of_a_text_is_warned_of() -> None:
    wait = '{{wait: {{event: B, timeout: 3d}}, timed_out: [{{send: {{channel: push, text: {{default: Hi, de: "{}"}}}}}}]}}'
    (warning,) = of_steps(wait.format("{{ event.x }}"))
    assert "event is always empty here: no event has ended the wait before it" in warning
    assert of_steps(wait.format("Hallo")) == []


# ---- times -----------------------------------------------------------------------------------------------------------


def test_a_condition_of_one_message_takes_no_time() -> None:
    (warning,) = of_steps(f'{{wait: {{at: "09:00"}}}}, {{{SEND[1:-1]}, skip_unless: traits.a}}, {{wait: {{at: "09:00"}}}}, {SEND}')
    assert "the wait before has ended at 09:00 already, so this one ends at once" in warning


@pytest.mark.parametrize(
    "steps",
    [
        f'{{wait: {{at: "23:00"}}}}, {SEND}',
        f'{{wait: {{days: 3, at: "07:59"}}}}, {SEND}',
        f'{{wait: {{at: "23:00"}}}}, {{wait: {{days: 1}}}}, {SEND}',
        f'{{wait: {{at: "23:00"}}}}, {{if: traits.a, then: [{SEND}]}}',
        f'{{wait: {{at: "23:00"}}}}, {{if: traits.a, else: [{{end: x}}]}}, {SEND}',
    ],
)
def test_a_message_that_quiet_hours_always_drop_is_warned_of(steps: str) -> None:
    (warning,) = of_steps(steps, before=DROPS)
    assert ', and the quiet hours "night" drop it then; take another time, or then: hold' in warning


@pytest.mark.parametrize(
    "steps",
    [
        f'{{wait: {{at: "08:00"}}}}, {SEND}',
        f'{{wait: {{at: "23:00"}}}}, {{wait: 1h}}, {SEND}',
        f'{{wait: {{at: "23:00"}}}}, {{if: traits.a, then: [{{wait: 1h}}]}}, {SEND}',
        f'{{wait: {{at: "23:00"}}}}, {{choose: [{{if: traits.a, steps: [{{wait: 1h}}]}}]}}, {SEND}',
        '{wait: {at: "23:00"}}, {send: {channel: email, text: x}}',
        SEND,
    ],
)
def test_a_message_that_quiet_hours_may_let_through_is_not_warned_of(steps: str) -> None:
    assert of_steps(steps, before=DROPS) == []
    of_some_days = DROPS.replace("then: drop", "on: [monday], then: drop").replace("then: drop", "then: hold")
    assert of_steps(steps, before=of_some_days) == []


def test_an_entry_by_the_clock_says_when_its_message_goes_out() -> None:
    def warned(entry: str, more: str = "") -> bool:
        text = f"version: 2\n{DROPS}segments: {{s: traits.s}}\njourneys:\n  j:\n    entry: {entry}\n    steps: [{SEND}]\n{more}"
        return any("drop it then" in one for one in found(text))

    assert warned('{every: day, at: "23:00", inside: s}')
    assert warned('{date: traits.b, every: year, at: "23:00"}')
    assert not warned('{every: day, at: "12:00", inside: s}')
    assert not warned('{every: day, at: "23:00", inside: s}', "    spread: 12h\n")
    assert not warned('[{every: day, at: "23:00", inside: s}, {event: A}]')


# ---- what is counted -------------------------------------------------------------------------------------------------


def test_a_goal_without_a_key_in_a_journey_with_keys_is_warned_of() -> None:
    def goal(entry: str, goal: str) -> list[str]:
        steps = f"entry: {entry}, goal: {goal}, steps: [{SEND}]"
        return found(f"version: 2\nsegments: {{s: traits.s}}\njourneys:\n  j: {{{steps}}}\n")

    keyed = "{event: A, key: id}"
    (warning,) = [one for one in goal(keyed, "{event: B, within: 3d}") if "nothing names" not in one]
    assert "a goal without a key: one event converts all runs of the user" in warning
    for entry, other in (
        (keyed, "{event: B, key: id, within: 3d}"),
        (keyed, "{enters: s, within: 3d}"),
        ("{event: A}", "{event: B, within: 3d}"),
    ):
        assert [one for one in goal(entry, other) if "without a key" in one] == []


def test_a_count_of_transactional_messages_is_warned_of() -> None:
    other = f"  t: {{entry: {{event: B}}, category: transactional, steps: [{SEND}]}}\n"
    (warning,) = of_steps(f"{{when: 'sent(days=3, journey=\"t\") == 0'}}, {SEND}", before=other)
    assert 'sent(days=3, journey="t") is always 0: the journey is transactional, and such messages are not counted' in warning
    assert of_steps(f"{{when: 'sent(days=3, journey=\"t\") == 0'}}, {SEND}", before=other.replace("transactional", "marketing")) == []


def test_texts_that_show_an_event_are_found_in_all_steps() -> None:
    assert of_steps(f"{{wait: {{event: B, timeout: 3d}}, came: [{SHOWS}]}}") == []


@pytest.mark.parametrize(
    ("where", "warned"),
    [
        ("category == fiction", 'category == fiction compares two properties of the event; a text is in quotes: "fiction"'),
        ("a > 1 and category != fiction", "category != fiction compares two properties of the event"),
        ("category == properties.fiction", None),
        ('category == "fiction"', None),
        ("address.city == billing.city", None),
        ("total > limit", None),
    ],
)
def test_a_text_without_quotes_is_warned_of(where: str, warned: str | None) -> None:
    text = f"version: 2\njourneys:\n  j: {{entry: {{event: A, where: '{where}'}}, steps: [{SEND}]}}\n"
    warnings = found(text)
    assert [one for one in warnings if "two properties" in one] == warnings
    assert [warned in one for one in warnings if warned] == ([] if warned is None else [True])
    assert (
        found(
            f"{text}schema: {{events: {{A: {{a: any, total: any, limit: any, category: any, fiction: any, address.city: any,"
            f" billing.city: any}}}}}}\n"
        )
        == []
    )
