"""What is refused and warned of in the section `policies`."""

import pytest

from tests.unit.rules.loading import problems
from triggers.rules.checks import load, read
from triggers.rules.warnings import warnings

NEVER_KEPT_BACK = "caps and quiet hours never keep transactional messages back"
JOURNEY = "journeys: {j: {entry: {event: A}, steps: [{send: {channel: sms, text: Hi}}]}}\n"


@pytest.mark.parametrize(
    ("policies", "problem"),
    [
        ("consents: {}", '3:3: unknown key "consents" in policies; did you mean "consent"?'),
        (
            "consent: [a]",
            "3:12: consent without a name; each policy has a name, as in consent: {sms: {channels: [sms], if: traits.sms_opt_in}}",
        ),
        ("consent: {a b: {if: traits.x}}", '"a b" is no name for a policy of consent'),
        ("consent: {sms: {channels: [sms]}}", '3:18: the consent "sms" has no "if"'),
        ("consent: {sms: {if: traits.x, channels: sms}}", "3:43: channels is a text; a list belongs here, as in channels: [sms]"),
        ("consent: {sms: {if: traits.x, channels: []}}", "3:43: channels is an empty list; leave it out, or name some"),
        ("consent: {sms: {if: traits.x, channels: [smss]}}", '3:44: unknown channel "smss"; did you mean "sms"?'),
        ("consent: {sms: {if: traits.x, categories: [new]}}", '3:46: unknown category "new"; did you mean "news"?'),
        ("consent: {sms: {if: traits.x, unknown: maybe}}", '3:42: unknown cannot be "maybe"; known: allow, block'),
        ("consent: {sms: {if: trait.x}}", '3:23: unknown name "trait"'),
        ("consent: {sms: {if: [traits.x]}}", "3:23: if is a list; an expression belongs here"),
    ],
)
def test_what_is_wrong_in_a_policy_is_refused_at_its_place(policies: str, problem: str) -> None:
    [found] = problems(f"version: 2\npolicies:\n  {policies}\nsettings: {{categories: [news]}}\n{JOURNEY}")
    assert problem in found


def test_a_policy_that_is_given_twice_is_refused() -> None:
    text = "version: 2\npolicies: {consent: {a: {if: traits.x}}}\n"
    assert problems(text + JOURNEY, text) == [
        'b.yaml:2:22: a second policy of consent named "a"; the first is at a.yaml:2',
    ]


def test_version_1_knows_neither_policies_nor_categories() -> None:
    text = "version: 1\npolicies: {consent: {a: {if: traits.x}}}\nsettings: {categories: [news]}\n"
    journey = JOURNEY.replace("{entry", "{category: news, entry")
    assert problems(text + journey) == [
        'a.yaml:2:11: policies in a file of version 1; needs "version: 2" at the top of the file',
        'a.yaml:3:24: categories in a file of version 1; needs "version: 2" at the top of the file',
        'a.yaml:4:16: unknown key "category" in the journey "j"; needs "version: 2" at the top of the file',
    ]


def test_a_journey_has_a_category_that_is_known() -> None:
    journey = JOURNEY.replace("{entry", "{category: transaction, entry")
    assert problems(f"version: 2\n{journey}") == ['a.yaml:2:26: category cannot be "transaction"; did you mean "transactional"?']


def test_a_category_belongs_to_the_version_of_its_journey() -> None:
    versions = [
        load({"a.yaml": f"version: 2\n{JOURNEY.replace('{entry', f'{{{category}entry')}"}).journeys["j"].version
        for category in ("", "category: marketing, ", "category: transactional, ")
    ]
    assert versions[0] == versions[1] != versions[2]


@pytest.mark.parametrize(
    ("consent", "warned"),
    [
        ("if: traits.x", []),
        ("if: did('A')", ["3:23"]),
        ("if: did('A'), unknown: block", []),
        ("if: did('A'), unknown: allow", []),
    ],
)
def test_check_warns_of_a_consent_that_can_be_unknown(consent: str, warned: list[str]) -> None:
    text = f"version: 2\npolicies:\n  consent: {{sms: {{{consent}}}}}\n{JOURNEY}"
    found = [str(warning) for warning in warnings(read({"r.yaml": text}))]
    assert [":".join(line.split(":")[1:3]) for line in found] == warned
    assert all("can be unknown for users who were here before these rules" in line for line in found)
    whole = f"{text}settings: {{before_rules: nothing}}\n"
    assert warnings(read({"r.yaml": whole})) == []


# ---- quiet hours --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quiet", "problem"),
    [
        ('{from: "22:00"}', '3:23: the quiet hours "n" has no "to"'),
        ('{from: 22, to: "08:00"}', '3:30: from is "22", which is no time of day; "22:00" is meant'),
        ('{from: "22:00", to: "24:00"}', '3:43: to is "24:00", which is no time of day'),
        ('{from: "22:00", to: "22:00"}', "3:43: to is the same as from"),
        ('{from: "22:00", to: "08:00", on: monday}', "3:56: on is a text; a list belongs here, as in on: [monday]"),
        ('{from: "22:00", to: "08:00", on: [mon]}', '3:57: unknown weekday "mon"; did you mean "monday"?'),
        ('{from: "22:00", to: "08:00", then: wait}', '3:58: then cannot be "wait"; known: drop, hold'),
        ('{from: "22:00", to: "08:00", spread: 24h}', "3:60: spread is not below 24h"),
        ('{from: "22:00", to: "08:00", then: drop, spread: 1h}', "3:72: spread with then: drop"),
    ],
)
def test_what_is_wrong_in_quiet_hours_is_refused_at_its_place(quiet: str, problem: str) -> None:
    [found] = problems(f"version: 2\npolicies:\n  quiet_hours: {{   n: {quiet}}}\n{JOURNEY}")
    assert problem in found


def test_a_hold_is_at_most_31_days() -> None:
    journey = JOURNEY.replace("{entry", "{hold_at_most: 32d, entry")
    assert problems(f"version: 2\n{journey}") == [
        "a.yaml:2:30: hold_at_most is longer than 31d; a message can be held for 31 days at most",
    ]


@pytest.mark.parametrize(
    ("rules", "warned"),
    [
        ('n: {from: "22:00", to: "08:00"}', ""),
        ('n: {from: "00:00", to: "23:59"}', 'the quiet hours "n" let messages go out from 23:59 to 00:00; two policies make a whole day'),
        ('n: {from: "00:00", to: "23:30"}', ""),
        (
            'n: {from: "22:00", to: "08:00"}, d: {from: "08:00", to: "22:00"}',
            'hours "d" and "n" leave no minute of the week for email',
        ),
        ('n: {from: "22:00", to: "08:00"}, d: {from: "08:00", to: "22:00", on: [monday]}', ""),
        ('n: {from: "22:00", to: "08:00"}, d: {from: "07:00", to: "22:00", channels: [sms]}', "leave no minute of the week for sms"),
    ],
)
def test_check_warns_of_quiet_hours_without_an_end(rules: str, warned: str) -> None:
    found = [str(one) for one in warnings(read({"r.yaml": f"version: 2\npolicies: {{quiet_hours: {{{rules}}}}}\n{JOURNEY}"}))]
    assert len(found) == bool(warned)
    assert all(warned in one for one in found)


@pytest.mark.parametrize(
    ("not_after", "category", "warned"), [("9h", "news", True), ("10h", "news", False), ("9h", "transactional", False)]
)
def test_check_warns_of_a_hold_that_is_longer_than_the_message_lasts(not_after: str, category: str, warned: bool) -> None:
    journey = JOURNEY.replace("text: Hi", f"text: Hi, not_after: {not_after}").replace("{entry", f"{{category: {category}, entry")
    text = f'version: 2\nsettings: {{categories: [news]}}\npolicies: {{quiet_hours: {{n: {{from: "22:00", to: "08:00"}}}}}}\n{journey}'
    found = [str(one) for one in warnings(read({"r.yaml": text}))]
    assert len(found) == warned
    assert all('not_after is shorter than the quiet hours "n"' in one for one in found)


# ---- caps ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cap", "problem"),
    [
        ("{most: 1}", '3:13: the cap "n" has no "per"'),
        ("{most: 0, per: day}", "3:20: most is 0; a whole number from 1 to 100 belongs here"),
        ("{most: 1.5, per: day}", "3:20: most is 1.5; a whole number"),
        ("{most: 101, per: day}", "3:20: most is 101; a whole number"),
        ("{most: 1, per: 32d}", "3:28: per is longer than 31d"),
        ("{most: 1, per: day, journeys: [k]}", '3:44: unknown journey "k"; known: j'),
        ("{most: 1, per: day, categories: [transactional]}", f'3:46: unknown category "transactional"; {NEVER_KEPT_BACK}'),
        ("{most: 1, per: day, then: wait}", '3:39: then cannot be "wait"'),
    ],
)
def test_what_is_wrong_in_a_cap_is_refused_at_its_place(cap: str, problem: str) -> None:
    [found] = problems(f"version: 2\npolicies:\n  caps: {{n: {cap}}}\nsettings: {{categories: [news]}}\n{JOURNEY}")
    assert problem in found


def test_quiet_hours_cannot_bind_transactional_messages() -> None:
    text = 'version: 2\npolicies: {quiet_hours: {n: {from: "22:00", to: "08:00", categories: [transactional]}}}\n'
    assert problems(text + JOURNEY) == [f'a.yaml:2:71: unknown category "transactional"; {NEVER_KEPT_BACK}']


def test_a_short_name_of_a_day_gets_the_long_one() -> None:
    text = 'version: 2\npolicies: {quiet_hours: {n: {from: "22:00", to: "08:00", on: [Sat]}}}\n'
    assert problems(text + JOURNEY) == ['a.yaml:2:63: unknown weekday "Sat"; did you mean "saturday"?']


def test_an_unknown_category_gets_the_place_where_it_is_named() -> None:
    journey = JOURNEY.replace("{entry", "{category: magazine, entry")
    assert problems(f"version: 2\n{journey}") == [
        'a.yaml:2:26: category cannot be "magazine"; known: marketing, transactional; others are named in settings: {categories: [...]}'
    ]
