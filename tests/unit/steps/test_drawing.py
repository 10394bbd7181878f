"""`cueline draw` shows a journey as a flowchart."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.cli.main import app
from triggers.rules.checks import load
from triggers.steps.drawing import draw

ROOT = Path(__file__).parents[3]
NODE = re.compile(r'    (n\d+)(?:\(\[|\{\{|\{|\[/|\[)"([^"]*)"(?:\]\)|\}\}|\}|/\]|\])')
ARROW = re.compile(r'    (n\d+) (?:-->|-\.->)(?:\|"([^"]*)"\|)? (n\d+)')


def drawn(steps: str, more: str = "", entry: str = "{event: Go}") -> str:
    text = f"version: 2\nsegments: {{vip: traits.vip}}\njourneys:\n  j: {{entry: {entry}, {more}steps: [{steps}]}}\n"
    return draw(load({"r.yaml": text}).journeys["j"])


def read(chart: str) -> tuple[dict[str, str], list[tuple[str, str, str]]]:
    """Nodes by their text, and arrows as texts; every line is one or the other."""
    nodes: dict[str, str] = {}
    arrows: list[tuple[str, str, str]] = []
    first, *lines = chart.splitlines()
    assert first == "flowchart TD"
    for line in lines:
        if node := NODE.fullmatch(line):
            nodes[node[1]] = node[2]
        else:
            arrow = ARROW.fullmatch(line)
            assert arrow is not None, line
            arrows.append((nodes[arrow[1]], arrow[2] or "", nodes[arrow[3]]))
    return nodes, arrows


SEND = "{send: {channel: push, text: Hi}}"


def test_branches_part_and_come_together_again() -> None:
    _, arrows = read(drawn(f"{{if: traits.vip, then: [{SEND}, {{end: enough}}]}}, {{wait: 90m}}, {SEND}"))
    assert arrows == [
        ("the event Go", "", "traits.vip == True?"),
        ("traits.vip == True?", "yes", "push: Hi"),
        ("push: Hi", "", "end: enough"),
        ("traits.vip == True?", "no", "wait 90m"),
        ("wait 90m", "", "push: Hi"),
        ("push: Hi", "", "completed"),
    ]


def test_conditions_of_steps_end_the_run() -> None:
    _, arrows = read(drawn(f"{{wait: 1d}}, {{when: traits.vip}}, {SEND}"))
    assert ("traits.vip == True?", "no, or unknown", "exited") in arrows
    assert ("traits.vip == True?", "yes", "push: Hi") in arrows


def test_arms_have_their_shares_and_waits_their_outcomes() -> None:
    split = f"{{split: s, arms: {{a: {{weight: 1, steps: [{SEND}]}}, b: {{weight: 3}}}}}}"
    wait = f"{{wait: {{event: Read, timeout: 2d}}, came: [{SEND}], timed_out: [{{end: gone}}]}}"
    _, arrows = read(drawn(f"{split}, {wait}"))
    assert ("split s", "a 25 %", "push: Hi") in arrows
    assert ("split s", "b 75 %", "wait for the event Read, 2d at most") in arrows
    assert ("wait for the event Read, 2d at most", "timed out", "end: gone") in arrows


@pytest.mark.parametrize(
    ("wait", "text"),
    [
        ("{days: 3, at: '09:00'}", "wait 3 days, until 09:00"),
        ("{at: '18:30', on: [monday, friday]}", "wait until 18:30 on monday, friday"),
        ("{date: run.entered, offset: 2d}", "wait until 2d after run.entered"),
        ("{inside: vip, timeout: 12h}", "wait until inside vip, 12h at most"),
    ],
)
def test_each_form_of_wait_says_what_it_waits_for(wait: str, text: str) -> None:
    nodes, _ = read(drawn(f"{{wait: {wait}}}, {SEND}"))
    assert text in nodes.values()


def test_exits_and_the_goal_stand_beside_the_steps() -> None:
    nodes, arrows = read(drawn(SEND, "exit: {enters: vip}, goal: {event: Paid, within: 14d}, "))
    assert ("at any step: enters vip", "", "exited") in arrows
    assert "goal: the event Paid within 14d" in nodes.values()


@pytest.mark.parametrize(
    ("entry", "more", "text"),
    [
        ("{event: A, where: total > 20 and local.hour >= 9}", "", "the event A where (total > 20) and (local.hour >= 9)"),
        ("{event: A, where: total > 20, key: id}", "", "the event A where total > 20, one run for each id"),
        ('{every: week, on: [monday, friday], at: "10:00", inside: vip}', "", "every week on monday, friday at 10:00, inside vip"),
        ('{every: month, on: [1, last], at: "10:00", inside: vip}', "", "every month on day 1, last at 10:00, inside vip"),
        ('{every: year, on: [12-24], at: "10:00", inside: vip}', "", "every year on 12-24 at 10:00, inside vip"),
        ('{every: day, at: "10:00", inside: vip}', "spread: 2h, ", "every day at 10:00, inside vip, spread over 2h"),
        ('{on: 2026-12-24, at: "10:00", inside: vip}', "", "on 2026-12-24 at 10:00, inside vip"),
        ('{date: traits.b, every: year, at: "09:00"}', "", "each anniversary of traits.b at 09:00"),
        ('{date: traits.b, offset: -3d, at: "09:00", inside: vip}', "", "3d before the date in traits.b at 09:00, inside vip"),
        ('{date: traits.b, offset: 1w, at: "09:00"}', "", "7d after the date in traits.b at 09:00"),
        (
            "[{event: A}, {enters: vip}]",
            "from: 2026-03-01, until: 2026-03-31, ",
            "the event A or enters vip, from 2026-03-01, until 2026-03-31",
        ),
    ],
)
def test_an_entry_says_all_that_decides_about_it(entry: str, more: str, text: str) -> None:
    chart = drawn(SEND, more, entry)
    assert text.replace(">", "#62;") in chart.splitlines()[1]


def test_a_message_says_its_condition_and_its_budget() -> None:
    nodes, _ = read(drawn("{send: {channel: push, text: Hi}, skip_unless: traits.vip}"))
    assert "push: Hi, only if traits.vip == True" in nodes.values()
    nodes, _ = read(drawn("{send: {channel: benefit, grant: {coupon: x}, budget: {name: x, most: 100}}}"))
    assert "benefit: grant coupon x, 100 at most" in nodes.values()


def test_what_keeps_messages_back_is_named() -> None:
    policies = """policies:
  quiet_hours: {night: {from: "22:00", to: "08:00", channels: [sms]}, day: {from: "12:00", to: "13:00"}}
  caps: {weekly: {most: 5, per: 7d}, other: {most: 1, per: day, journeys: [k]}}
  consent: {mail: {channels: [email], if: traits.mail}, all: {if: traits.all}}
  control: {percent: 5}
"""
    journeys = "".join(
        f"  {name}: {{entry: {{event: Go}}, {more}steps: [{SEND}]}}\n" for name, more in (("j", "holdout: 2.5%, "), ("k", ""))
    )
    other = f"  t: {{entry: {{event: Go}}, category: transactional, steps: [{SEND}]}}\n"
    rules = load({"r.yaml": f"version: 2\n{policies}journeys:\n{journeys}{other}"})

    def notes(name: str) -> list[str]:
        return [text for text in read(draw(rules.journeys[name], rules.policies))[0].values() if "message" in text]

    assert notes("j") == [
        "without messages: 2.5 % holdout, 5 % control group",
        "its messages: consent all, quiet hours day, caps weekly",
    ]
    assert notes("k")[1] == "its messages: consent all, quiet hours day, caps other, weekly"
    assert notes("t") == []


def test_an_exit_by_the_goal_says_so() -> None:
    nodes, _ = read(drawn(SEND, "exit: goal, goal: {event: Paid, where: total > 0, within: 14d}, "))
    assert {"at any step: the goal", "goal: the event Paid where total #62; 0 within 14d"} <= set(nodes.values())


@pytest.mark.parametrize("text", ['a "b" c', "a | b", "<b>x</b>", "`x`", "a; b", "x\\ny", "end", "%% x", "{{ user }}", "# a & b", "é 你好"])
def test_no_text_can_break_out_of_its_label(text: str) -> None:
    chart = drawn("{send: {channel: push, text: '" + text + "'}}, " + SEND)
    nodes, arrows = read(chart)
    assert len(nodes) == 4
    assert len(arrows) == 3
    assert not re.search(r"[<>`|;&](?![^#]*$)", re.sub(r"#\d+;", "", chart.replace("-->", "")))


def test_a_long_text_is_cut() -> None:
    assert max(map(len, drawn("{send: {channel: push, text: '" + "x" * 5_000 + "'}}").splitlines())) < 160


def test_the_picture_in_the_page_on_rules_is_what_the_command_prints() -> None:
    page = (ROOT / "docs" / "rules.md").read_text("utf-8")
    [shown] = re.findall(r"^```mermaid\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    result = CliRunner().invoke(app, ["draw", str(ROOT / "examples" / "reading-app"), "cart"])
    assert result.exit_code == 0
    assert result.stdout == shown


def test_a_journey_that_is_not_there_is_named_with_the_nearest_one() -> None:
    result = CliRunner().invoke(app, ["draw", str(ROOT / "examples" / "reading-app"), "carts"])
    assert result.exit_code == 1
    assert 'no journey "carts"; did you mean "cart"?' in result.stderr
