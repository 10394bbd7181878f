"""What is refused and warned of in the section `policies`."""

import pytest

from tests.unit.rules.loading import problems
from triggers.rules.checks import load, read
from triggers.rules.warnings import warnings

JOURNEY = "journeys: {j: {entry: {event: A}, steps: [{send: {channel: sms, text: Hi}}]}}\n"


@pytest.mark.parametrize(
    ("policies", "problem"),
    [
        ("consents: {}", '3:3: unknown key "consents" in policies; did you mean "consent"?'),
        ("consent: [a]", "3:12: consent is a list; a mapping belongs here"),
        ("consent: {a b: {if: traits.x}}", '"a b" is no name for a policy of consent'),
        ("consent: {sms: {channels: [sms]}}", '3:18: the consent "sms" has no "if"'),
        ("consent: {sms: {if: traits.x, channels: sms}}", "3:43: channels is a text; a list belongs here, as in channels: [push]"),
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
