"""Steps are read from the list of a journey."""

import pytest

from tests.unit.rules.loading import journey, journey_problems
from triggers.base.model import DAY, HOUR
from triggers.definitions.model import Did, Measure
from triggers.steps.send import Send
from triggers.steps.waits.delay import Delay
from triggers.steps.when import When


def test_steps_wait_send_or_ask() -> None:
    """They are named by `name` or by their number; `when` is alone or part of a step."""
    steps = journey(
        "",
        steps="""
      - wait: 90m
      - {when: did("A"), name: asked}
      - {wait: 1w, when: did("A")}
      - send: {channel: push, title: "Hi {{ traits.name }}", text: T, badge: 1, not_after: 2h}
        when: did("A")
        name: first-push
      - send: {channel: benefit, grant: {plan: member, days: 3, options: [1, null, true, {x: 2.5}]}}
""",
    ).steps
    did = Did(Measure("did", "A"))
    assert steps == (
        Delay("1", 90 * 60_000),
        When("asked", did),
        Delay("3", 7 * DAY, did),
        Send("first-push", "push", {"title": "Hi {{ traits.name }}", "text": "T", "badge": "1"}, None, 2 * HOUR, did),
        Send("5", "benefit", None, {"plan": "member", "days": 3, "options": [1, None, True, {"x": 2.5}]}),
    )


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ("[]", "6:12: 0 steps; 1 to 100 steps belong here"),
        ("[" + "{wait: 1s}, " * 101 + "]", "6:12: 101 steps; 1 to 100 steps belong here"),
        ("{wait: 1d}", "6:12: steps is a mapping; a list belongs here: each step begins with a dash"),
        ("[{}]", "6:13: a step that does nothing; wait, send or when belongs here"),
        ("[{name: x}]", "6:13: a step that does nothing; wait, send or when belongs here"),
        ("[wait]", "6:13: a step is a text; as in - wait: 3d, - end: no interest or - send: {channel: push, text: Hi}"),
        ("[{wat: 1d}]", '6:14: unknown key "wat" in a step; did you mean "wait"?'),
        (
            "[{wait: 1d, send: {channel: push, text: x}}]",
            "6:13: a step that waits and sends; make two steps of it: - wait: ... and - send: ...",
        ),
        ("[{wait: 0d}]", "6:20: wait is nothing; a duration above zero belongs here"),
        ("[{wait: 3}]", '6:20: wait is "3", which is no duration; a unit belongs behind it, as in 3d for days (ms, s, m, h, d, w)'),
        ("[{wait: 3 d}]", '6:20: wait is "3 d", which is no duration; for example 30m, 24h or 3d (ms, s, m, h, d, w; at most 100 years)'),
        (
            "[{wait: 999999w}]",
            '6:20: wait is "999999w", which is no duration; for example 30m, 24h or 3d (ms, s, m, h, d, w; at most 100 years)',
        ),
        (
            "[{wait: {days: 3}}]",
            '6:20: "days" in wait; needs "version: 2" at the top of the file',
        ),
        ("[{when: }]", '6:19: an empty expression; a condition belongs here, such as count("Order Completed") >= 2'),
        ("[{when: [1]}]", "6:20: when is a list; an expression belongs here"),
        (
            "[{wait: 1d, name: a}, {wait: 1d, name: a}]",
            '6:51: a second step named "a"; the first is on line 6; steps without a name are named by their number',
        ),
        (
            "[{wait: 1d, name: '2'}, {wait: 1d}]",
            '6:36: a second step named "2"; the first is on line 6; steps without a name are named by their number',
        ),
        ("[{wait: 1d, name: a b}]", '6:30: "a b" is no name for a step; letters, digits, _ - and . inside, at most 64 characters'),
        ("[{send: {text: x}}]", '6:20: send has no "channel"; one of push, sms, email, in_app, webhook, benefit'),
        ("[{send: {channel: push}}]", '6:20: send has nothing to send; a message, as in text: "Welcome", or a grant belongs here'),
        (
            "[{send: {channel: push, not_after: 1h}}]",
            '6:20: send has nothing to send; a message, as in text: "Welcome", or a grant belongs here',
        ),
        ("[{send: {channel: psh, text: x}}]", '6:30: unknown channel "psh"; did you mean "push"? Others are listed in settings: channels'),
        (
            "[{send: {channel: push, text: x, grant: {a: 1}}}]",
            '6:36: "text" with grant; a send is a message or a grant; make two steps of it',
        ),
        ("[{send: {channel: benefit, grant: {}}}]", "6:46: an empty grant; as in grant: {plan: member, days: 3}"),
        ("[{send: {channel: benefit, grant: x}}]", "6:46: grant is a text; a mapping belongs here"),
        ("[{send: {channel: benefit, grant: {n: 99999999999999999}}}]", "6:50: a number of this size: 99999999999999999; put it in quotes"),
        ("[{send: {channel: benefit, grant: {t: '" + "x" * 4_100 + "'}}}]", "6:46: the grant is too big; at most 4,096 bytes"),
        ("[{send: {channel: push, text: }}]", '6:41: "text" is empty; a text belongs here'),
        ("[{send: {channel: push, text: [x]}}]", '6:42: "text" is a list; a text belongs here'),
        (
            "[{send: {channel: push, t t: x}}]",
            '6:36: "t t" is no name for a part of a message; letters, digits, _ - and . inside, at most 64 characters',
        ),
        (
            "[{send: {channel: push, text: x, not_after: soon}}]",
            '6:56: not_after is "soon", which is no duration; for example 30m, 24h or 3d (ms, s, m, h, d, w; at most 100 years)',
        ),
        ('[{send: {channel: push, text: "Hi {{ traits.name }"}}]', "6:46: {{ is not closed; close it with }}"),
        ('[{send: {channel: push, text: "Hi \\"{{ trait.name }}"}}]', '6:51: unknown variable "trait"; did you mean "traits"?'),
        (
            '[{send: {channel: push, text: "{{ traits.name | }}"}}]',
            "6:60: not a template: unexpected end of variable block, expected identifier",
        ),
        ('[{send: {channel: push, text: x, when: did("A")}}]', '6:45: "when" inside send; it belongs next to send: {send: ..., when: ...}'),
        ("[{send: {channel: push, text: x, name: offer}}]", '6:45: "name" inside send; it belongs next to send: {send: ..., name: ...}'),
        ("[{send: {channel: push, text: x, wait: 3d}}]", '6:45: "wait" inside send; make a step of its own of it'),
        (
            "[{send: {channel: push, text: x, late: {then: send}}}]",
            '6:45: "late" inside send; it belongs to the journey, next to its steps',
        ),
        ("[{send: {channel: push, text: x, not_afer: 6h}}]", '6:45: unknown key "not_afer" in send; did you mean "not_after"?'),
        ("[{send: {channel: push, text: x, notAfter: 6h}}]", '6:45: unknown key "notAfter" in send; did you mean "not_after"?'),
        ("[{send: {channel: benefit, grants: {a: 1}}}]", '6:39: unknown key "grants" in send; did you mean "grant"?'),
        ("[{send: {Channel: push, text: x}}]", '6:21: unknown key "Channel" in send; did you mean "channel"?'),
        ('[{send: {channel: push, text: "{{ 1 / 0 }}"}}]', "6:42: a text that cannot be rendered: unable to calculate 1 / 0 (line 1)"),
        (
            '[{send: {channel: push, text: "{{ traits.a|replace }}"}}]',
            "6:55: replace with 0 arguments; as in traits.name|replace('a', 'b')",
        ),
        ("[{send: x}]", '6:20: send is a text; as in send: {channel: push, text: "Welcome"}'),
    ],
)
def test_a_wrong_step_is_named(steps: str, problem: str) -> None:
    assert problem in journey_problems("", steps=steps)


def test_a_misplaced_or_misspelt_key_is_reported_once() -> None:
    """The checks do not also report a missing channel, an empty send or a missing value."""
    for send in ("{chanel: email, text: x}", "{channel: push, not-after: soon}", "{channel: push, when: x >}"):
        assert len(journey_problems("", steps=f"[{{send: {send}}}]")) == 1


def test_an_unknown_key_of_send_is_a_part_of_the_message() -> None:
    send = "{channel: push, text: hi, channel_id: orders, brand: x, category: y, event: z, after: w, sender: v, names: u}"
    (step,) = journey("", steps=f"[{{send: {send}}}]").steps
    assert isinstance(step, Send)
    assert list(step.message or ()) == ["text", "channel_id", "brand", "category", "event", "after", "sender", "names"]
