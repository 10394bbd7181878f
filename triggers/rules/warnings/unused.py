"""Warn of segments and values that nothing names. A rule set without journeys is taken for one of segments alone."""

from __future__ import annotations

from collections.abc import Iterator

from triggers.causes import kind_of
from triggers.language.documents import Problem
from triggers.language.references import named_segments, named_values
from triggers.rules.warnings.nodes import warning
from triggers.rules.written import Written
from triggers.steps import all_of


def unused(written: Written) -> Iterator[Problem]:
    journeys = written.rules.journeys.values()
    if not journeys:
        return
    used = {"segments": set[str](), "values": set[str]()}
    for expression in written.expressions:
        if written.versions.get(expression.node.source.file, 2) > 1:
            used["segments"].update(name for name, _ in named_segments(expression.node.text))
            used["values"].update(name for name, _ in named_values(expression.node.text))
    for journey in journeys:
        causes = [*journey.entries, *journey.exits, *((journey.goal.cause,) if journey.goal else ())]
        used["segments"].update(name for cause in causes for name in kind_of(cause).segment_names())
        used["segments"].update(name for step in all_of(journey.steps) for name in step.segment_names())
        used["values"].update(journey.values)
    control = None if written.rules.policies is None else written.rules.policies.control
    if control is not None and control.goal is not None:
        used["segments"].update(kind_of(control.goal).segment_names())
    for section, hint in (("segments", "name it in an entry, an exit or a condition, or leave it out"), ("values", "leave it out")):
        for name, node in written.named.get(section, {}).items():
            if name not in used[section]:
                yield warning(node, f'nothing names the {section[:-1]} "{name}"', hint)
