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


def drawn(steps: str, more: str = "") -> str:
    text = f"version: 2\nsegments: {{vip: traits.vip}}\njourneys:\n  j: {{entry: {{event: Go}}, {more}steps: [{steps}]}}\n"
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
