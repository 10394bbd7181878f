"""Finds its way in the nodes of a rule set that was checked: what should be there is there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from triggers.language.documents import List, Map, Node, Problem, Scalar


def warning(node: Node, message: str, hint: str) -> Problem:
    return node.source.problem(node.start, message, hint)


def value(node: Map, key: str) -> Node | None:
    """Return the node under a key."""
    return next((value for name, value in node.entries if name.text == key), None)


def items(node: Node | None) -> list[Node]:
    """Return the items of a list; a single thing is a list of one, as in `exit`."""
    return [] if node is None else node.items if isinstance(node, List) else [node]


def steps(journey: Map) -> list[Map]:
    return [step for step in items(value(journey, "steps")) if isinstance(step, Map)]


_BLOCKS = ("steps", "then", "else", "came", "timed_out")
"""Keys whose value is a list of steps."""


def all_steps(journey: Map) -> Iterator[Map]:
    """Yield the steps and those inside them, in the order of the file."""
    found = steps(journey)[::-1]
    while found:
        step = found.pop()
        yield step
        inside: list[Map] = []
        holders = [step, *(holder for key in ("choose", "arms") for holder in _holders(value(step, key)))]
        for holder in holders:
            for key, block in holder.entries:
                if key.text in _BLOCKS and isinstance(block, List):
                    inside += [item for item in block.items if isinstance(item, Map)]
        found += inside[::-1]


def blocks(journey: Map) -> Iterator[list[Map]]:
    """Yield the lists of steps of a journey, also those inside steps."""
    yield steps(journey)
    for step in all_steps(journey):
        for holder in (step, *(holder for key in ("choose", "arms") for holder in _holders(value(step, key)))):
            for key, block in holder.entries:
                if key.text in _BLOCKS and isinstance(block, List):
                    yield [item for item in block.items if isinstance(item, Map)]


def _holders(node: Node | None) -> list[Map]:
    """Return the mappings that a step such as `choose` or `split` keeps its lists of steps in."""
    nodes = node.items if isinstance(node, List) else [part for _, part in node.entries] if isinstance(node, Map) else []
    return [one for one in nodes if isinstance(one, Map)]


def parts(journey: Map) -> Iterator[list[tuple[Scalar, Node]]]:
    """Yield the keys of each message with their values; a grant may contain anything."""
    for step in all_steps(journey):
        send = value(step, "send")
        if isinstance(send, Map) and value(send, "grant") is None:
            yield [(key, part) for key, part in send.entries if key.text not in _NO_TEXTS]


def texts_of(send: Map) -> list[Scalar]:
    """Return the texts of a message, those of all languages."""
    if value(send, "grant") is not None:
        return []
    found = [part for key, part in send.entries if key.text not in _NO_TEXTS]
    return [
        text
        for part in found
        for text in ([part] if isinstance(part, Scalar) else [one for _, one in part.entries] if isinstance(part, Map) else [])
        if isinstance(text, Scalar)
    ]


def messages_of(journey: Map) -> Iterator[Scalar]:
    """Yield the texts of all messages."""
    for step in all_steps(journey):
        send = value(step, "send")
        if isinstance(send, Map):
            yield from texts_of(send)


_NO_TEXTS = ("channel", "not_after", "budget")
"""Keys of a send that are no parts of its message."""


def messages(journey: Map) -> Iterator[list[Scalar]]:
    """Yield the keys of each message."""
    for message in parts(journey):
        yield [key for key, _ in message]


def events(journey: Map) -> Iterator[Scalar]:
    """Yield the names of the events that enter and exit a journey."""
    for cause in (*items(value(journey, "entry")), *items(value(journey, "exit"))):
        event = value(cause, "event") if isinstance(cause, Map) else None
        if isinstance(event, Scalar):
            yield event


def control_goals(policies: Iterable[Node]) -> Iterator[Scalar]:
    """Yield the names of the events by which the control group is measured. `policies`: the sections of all files."""
    for section in policies:
        control = value(section, "control") if isinstance(section, Map) else None
        goal = value(control, "goal") if isinstance(control, Map) else None
        event = value(goal, "event") if isinstance(goal, Map) else None
        if isinstance(event, Scalar):
            yield event


def ways(step: Map) -> list[list[Map]] | None:
    """Return the lists of steps in a step, one for each way through it; an empty one where the run continues at once. None: it has none."""
    if value(step, "if") is not None:
        return [maps(value(step, "then")), maps(value(step, "else"))]
    if value(step, "came") is not None or value(step, "timed_out") is not None:
        return [maps(value(step, "came")), maps(value(step, "timed_out"))]
    if value(step, "split") is not None:
        arms = value(step, "arms")
        return [maps(value(arm, "steps")) for _, arm in (arms.entries if isinstance(arms, Map) else ()) if isinstance(arm, Map)]
    choices = value(step, "choose")
    if isinstance(choices, List):
        found = maps(choices)
        otherwise: list[list[Map]] = [] if found and value(found[-1], "if") is None else [[]]
        return [maps(value(choice, "steps")) for choice in found] + otherwise
    return None


def maps(node: Node | None) -> list[Map]:
    return [step for step in items(node) if isinstance(step, Map)]
