"""A kind of step is one class: here is one more, which nests, registered by a line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from triggers import gates, steps
from triggers.conditions.compiler import Compiled, compile_condition
from triggers.definitions.model import Condition, Step
from triggers.language.documents import Node, RuleErrors
from triggers.language.shapes import EXPRESSION, STEPS, TEXT, Shape, mapping
from triggers.rules.checks import load
from triggers.state.encoding import decode
from triggers.steps.context import StepContext
from triggers.steps.kind import Moment, Reader, StepKind
from triggers.steps.program import End, Entry, Outcome, Program
from triggers.steps.waits import FORMS
from triggers.testing import Story

DESIGN = Path(__file__).parents[3] / "docs" / "design.md"


@dataclass(frozen=True, slots=True)
class Either(StepKind):
    """`either: {if: C, then: [...], else: [...]}`."""

    name: str
    condition: Condition
    then: tuple[Step, ...]
    otherwise: tuple[Step, ...] = ()
    when: Condition | None = None

    does: ClassVar[str] = "chooses"
    life: ClassVar[tuple[Moment, ...]] = ()

    @classmethod
    def keys(cls) -> Mapping[str, Shape]:
        return {"": mapping({"if": EXPRESSION, "then": STEPS, "else": STEPS})}

    @classmethod
    def read(cls, node: Node, name: str, when: Condition | None, reader: Reader, extra: Mapping[str, Node]) -> Either | None:
        parts = reader.fields.keys(node, "either", ("if", "then", "else"), required=("if", "then"))
        if parts is None or "if" not in parts or "then" not in parts:
            return None
        condition = reader.condition(parts["if"], "if", None)
        then = reader.steps(parts["then"], f"{name}.then.")
        otherwise = reader.steps(parts["else"], f"{name}.else.") if "else" in parts else ()
        return None if condition is None or then is None or otherwise is None else cls(name, condition, then, otherwise, when)

    def wire(self) -> tuple[str, dict[str, object]]:
        return "Either", {"name": self.name, "condition": self.condition, "then": self.then, "else": self.otherwise}

    def ways(self) -> Sequence[tuple[str, tuple[Step, ...]]]:
        return (("yes", self.then), ("no", self.otherwise))

    def compile(self, program: Program) -> None:
        entry = Choosing(self)
        entry.places = program.fork(entry, [block for block in (self.then, self.otherwise) if block])


class Choosing(Entry):
    def __init__(self, step: Either) -> None:
        super().__init__(step)
        self.condition = compile_condition(step.condition)
        self.places: list[int] = []

    @property
    def conditions(self) -> list[Compiled]:
        return [self.condition]

    def carry_out(self, context: StepContext) -> Outcome:
        if self.condition.value(context.view):
            return self.places[0]
        return self.places[1] if len(self.places) > 1 else self.next


@dataclass(frozen=True, slots=True)
class Stop(StepKind):
    """`stop: why`."""

    name: str
    why: str
    when: Condition | None = None

    does: ClassVar[str] = "stops"
    life: ClassVar[tuple[Moment, ...]] = ()

    @classmethod
    def keys(cls) -> Mapping[str, Shape]:
        return {"": TEXT}

    @classmethod
    def read(cls, node: Node, name: str, when: Condition | None, reader: Reader, extra: Mapping[str, Node]) -> Stop | None:
        why = reader.fields.text(node, "stop")
        return None if why is None else cls(name, why, when)

    def wire(self) -> tuple[str, dict[str, object]]:
        return "Stop", {"name": self.name, "why": self.why}

    def compile(self, program: Program) -> None:
        program.add(Stopping(self))


class Stopping(Entry):
    def __init__(self, step: Stop) -> None:
        super().__init__(step)
        self.why = step.why

    def carry_out(self, context: StepContext) -> Outcome:
        return End(self.why)


@pytest.fixture(autouse=True)
def _more_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(steps.KINDS, "either", Either)
    monkeypatch.setitem(steps.KINDS, "stop", Stop)


RULES = """version: 1
journeys:
  offer:
    entry: {event: Signed Up}
    steps:
      - wait: 1h
      - either:
          if: did("Paid")
          then:
            - wait: 1h
            - send: {channel: push, text: Thanks}
          else:
            - either:
                if: traits.vip
                then: [{send: {channel: push, text: Dear}, name: dear}, {stop: enough}]
            - send: {channel: push, text: Please}
      - wait: 2h
      - send: {channel: sms, text: Bye}
        name: bye
"""


def sent(paid: bool, vip: bool) -> tuple[list[tuple[str, float]], str | None]:
    """The steps that sent, with hours since the entry, and how the run ended."""
    story = Story({"rules.yaml": RULES})
    story.identify("ann", {"vip": vip})
    if paid:
        story.track("ann", "Paid")
    story.track("ann", "Signed Up")
    start = story.now
    story.until("+10h")
    ends = [decision["reason"] for decision in story.decisions("ann", "exited")]
    return [(action["step"], (action["at"] - start) / 3_600_000) for action in story.actions()], ends[0]


def test_a_run_goes_through_nested_steps_and_on_behind_them() -> None:
    assert sent(paid=True, vip=False) == ([("2.then.2", 2), ("bye", 4)], "completed")
    assert sent(paid=False, vip=False) == ([("2.else.2", 1), ("bye", 3)], "completed")
    assert sent(paid=False, vip=True) == ([("dear", 1)], "enough")


def test_a_run_rests_inside_a_nested_step_by_its_name() -> None:
    story = Story({"rules.yaml": RULES})
    story.track("ann", "Paid")
    story.track("ann", "Signed Up")
    story.until("+90m")
    [run] = decode(story.fold()[0].table.states()["ann"]).runs
    assert run.step == "2.then.1"


def test_what_nested_steps_need_is_needed_by_the_journey() -> None:
    """The windows of their conditions, the properties of their texts, the keys that scenarios can name."""
    text = RULES.replace("text: Please", "text: '{{ properties.plan }}'")
    rules = load({"rules.yaml": text})
    plan = Story(rules).library.plan(rules.hash).journeys["offer"]
    assert [measure.event for measure in plan.measures.values()] == ["Paid"]
    assert plan.properties == ["plan"]
    assert [step.name for step in steps.all_of(rules.journeys["offer"].steps)][:4] == ["1", "2", "2.then.1", "2.then.2"]


def test_problems_inside_nested_steps_name_their_place() -> None:
    wrong = RULES.replace("channel: push, text: Thanks", "channel: pusch, text: Thanks").replace("name: bye", "name: dear")
    with pytest.raises(RuleErrors) as caught:
        load({"rules.yaml": wrong})
    assert [(problem.line, problem.message) for problem in caught.value.problems] == [
        (11, 'unknown channel "pusch"'),
        (19, 'a second step named "dear"'),
    ]


def test_the_words_of_a_kind_are_known_wherever_steps_are_read() -> None:
    with pytest.raises(RuleErrors) as caught:
        load({"rules.yaml": RULES.replace("      - wait: 2h\n", "      - {wait: 2h, stop: now}\n").replace("{stop: enough}", "{}")})
    assert [(problem.message, problem.hint) for problem in caught.value.problems] == [
        ("a step that does nothing", "wait, send, either, stop or when belongs here"),
        ("a step that waits and stops", "make two steps of it: - wait: ... and - stop: ..."),
    ]


def test_the_table_of_a_runs_life_has_a_line_for_all_that_kinds_and_gates_say() -> None:
    lines = re.findall(r"^\| (.*) \|$", DESIGN.read_text("utf-8"), re.MULTILINE)
    kinds: list[type[steps.StepKind]] = [*steps.KINDS.values(), *FORMS]
    moments = [moment for kind in kinds for moment in kind.life] + [moment for gate in gates.GATES for moment in gate.life]
    assert len(moments) > 7
    for moment in moments:
        decision = f"`{moment.decision}`" if moment.decision else ""
        assert f"{moment.state} | {moment.what} | {moment.then} | {decision}".strip(" |") in [line.strip(" |") for line in lines]
