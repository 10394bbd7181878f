"""Warns of names of events that look like another one's: three spellings of one name are three events to the engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from triggers.language.documents import Map, Problem, Problems, Scalar, parse
from triggers.language.fields import nearest
from triggers.rules.warnings.nodes import control_goals, events, items, value, warning
from triggers.rules.written import Written

_SHORTEST: Final = 4
"""Shorter keys and names are not taken for slips of each other."""
_SHORTEST_EVENT: Final = 6
_LONGEST: Final = 64


@dataclass(frozen=True)
class _Use:
    """A name of an event, and its place."""

    name: str
    node: Scalar
    offset: int = 0
    in_rules: bool = True

    def warning(self, message: str, hint: str) -> Problem:
        return self.node.source.problem(self.node.index(self.offset) if self.offset else self.node.start, message, hint)


def segments_as_events(written: Written) -> Iterator[Problem]:
    """Warn of an event that has the name of a segment."""
    for journey in written.journeys.values():
        for event in events(journey):
            if event.text in written.rules.segments and event.text not in written.declared:
                what = f'"{event.text}" is a segment, and here the name of an event'
                yield warning(event, what, f"for users who enter it write {{enters: {event.text}}}")


def near_names(written: Written) -> Iterator[Problem]:
    """Warn of a name that is another spelling of one that is declared, or used more often."""
    uses = _uses(written)
    uses += [_Use(node.text, node, in_rules=False) for node in written.in_scenarios]
    counts = Counter(use.name for use in uses)
    first = {use.name: use for use in reversed(uses)}
    ranked = sorted(first, key=lambda name: (name not in written.declared, not first[name].in_rules, -counts[name]))
    right: dict[str, str] = {}
    for name in ranked:
        shapes = _shapes(name)
        near = next((right[shape] for shape in shapes if shape in right and _is_like(name, right[shape])), None)
        if near is None:
            for shape in shapes:
                right.setdefault(shape, name)
        elif name not in written.declared:
            how = "the schema declares" if near in written.declared else f"{counts[near]} {'place' if counts[near] == 1 else 'places'} name"
            hint = f'{how} "{near}"; where both are meant, declare both in schema: events'
            yield first[name].warning(f'the event "{name}" looks like another spelling of one', hint)


def unseen(written: Written, seen: Collection[str], where: str) -> list[Problem]:
    """List the events in the rules that are not among the names in `seen`, each at its first place."""
    first = {use.name: use for use in reversed(_uses(written))}
    return sorted(
        use.warning(f'the event "{name}" does not occur in {where}', nearest(name, seen)) for name, use in first.items() if name not in seen
    )


def scenario_events(scenarios: Mapping[str, str]) -> Iterator[Scalar]:
    """List the names of the events in scenario files, as far as the files can be read."""
    for file, text in sorted(scenarios.items()):
        root = parse(file, text, Problems())
        found = value(root, "scenarios") if isinstance(root, Map) else None
        for _, scenario in found.entries if isinstance(found, Map) else ():
            for record in items(value(scenario, "given")) if isinstance(scenario, Map) else ():
                event = value(record, "event") if isinstance(record, Map) else None
                if isinstance(event, Scalar) and event.text:
                    yield event


def _uses(written: Written) -> list[_Use]:
    """List the events that the rules name, in the order of files and places."""
    found = [_Use(event.text, event) for journey in written.journeys.values() for event in events(journey)]
    found += [_Use(event.text, event) for event in control_goals(written.policies)]
    for expression in written.expressions:
        text = expression.node.text
        for measure, offset in expression.measures.items():
            found.append(_Use(measure.event, expression.node, max(text.find(measure.event, offset), offset)))
    return sorted(found, key=lambda use: (use.node.source.file, use.node.start, use.offset))


def _folded(name: str) -> str:
    return "".join(char for char in name.casefold() if char.isalnum())


def _shapes(name: str) -> list[str]:
    """List the name, and the name without each of its letters: names that differ by one letter have one of them in common."""
    folded = _folded(name) or name
    if not _SHORTEST_EVENT <= len(folded) <= _LONGEST:
        return [folded]
    return [folded, *dict.fromkeys(folded[:index] + folded[index + 1 :] for index in range(len(folded)))]


def _is_like(name: str, other: str) -> bool:
    one, two = _folded(name), _folded(other)
    return one == two or (min(len(one), len(two)) >= _SHORTEST_EVENT and _is_one_off(one, two))


def is_slip(name: str, meant: str) -> bool:
    """Return whether `name` is `meant` with one letter too many, too few, wrong or exchanged, or other capitals; `text2` is not."""
    folded = name.casefold()
    if folded == meant:
        return name != meant
    return len(meant) >= _SHORTEST and _is_one_off(folded, meant)


def _is_one_off(one: str, two: str) -> bool:
    """Return whether a letter was left out, added or replaced, or two neighbours exchanged. A digit does not count: it is a number."""
    if abs(len(one) - len(two)) > 1 or one == two:
        return False
    start = next((index for index, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    rest, other = one[start:], two[start:]
    if any(char.isdigit() for char in (*rest[:1], *other[:1])):
        return False
    if len(one) != len(two):
        longer, shorter = (rest, other) if len(rest) > len(other) else (other, rest)
        return longer[1:] == shorter
    return rest[1:] == other[1:] or (rest[:2] == other[1::-1] and rest[2:] == other[2:])
