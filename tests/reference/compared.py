"""What engine and reference both say about one decision, and whether they say the same.

Left out: decisions that only report (`met`, unknown at an entry) and reasons in words. Each user's decisions are compared in their order;
where RULES.md leaves open which run comes first, each run's.
"""

from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import chain, groupby, repeat
from typing import Any, NamedTuple, TypeVar

from tests.reference.log import Outcome
from triggers.base.moments import iso


class Decided(NamedTuple):
    """What both sides say about one decision."""

    user: str
    at: int
    kind: str
    journey: str
    run: str
    step: str | None
    due: int | None
    rule_set: str | None
    arms: tuple[tuple[str, str], ...] = ()
    path: tuple[tuple[str, str | None, bool], ...] = ()
    key: str | None = None
    arm: str | None = None
    dry: bool = False


def check(outcomes: Sequence[Outcome], decisions: list[dict[str, Any]], actions: list[dict[str, Any]]) -> None:
    """Raises AssertionError with both sides' timelines of the first user that differs, or if a `sent` has not its action."""
    found, theirs_of, ours_of = list(comparable(decisions)), by_user(outcomes), by_user(comparable(decisions))
    for user in sorted({*theirs_of, *ours_of}):
        told = theirs_of.get(user, [])
        ties = [outcome.tie for outcome in told]
        theirs, ours = settled(map(decided, told), ties), settled(ours_of.get(user, []), ties)
        assert ours == theirs, difference(ours, theirs)
    made = [(document["id"], document["user"], document["at"], document["due"], arms_of(document)) for document in actions]
    assert made == [(f"{one.run}:{one.step}", one.user, one.at, one.due, one.arms) for one in found if one.kind == "sent"]


One = TypeVar("One", Outcome, Decided)


def by_user(ones: Iterable[One]) -> dict[str, list[One]]:
    found: dict[str, list[One]] = {}
    for one in ones:
        found.setdefault(one.user, []).append(one)
    return found


def settled(decisions: Iterable[Decided], ties: list[int]) -> list[Decided]:
    """One user's decisions; where the reference has a tie, they are sorted by journey, each run's in their order."""
    made: list[Decided] = []
    for tie, group in groupby(zip(decisions, chain(ties, repeat(0)), strict=False), key=lambda pair: pair[1]):
        tied = [one for one, _ in group]
        made += sorted(tied, key=lambda one: one.journey) if tie else tied
    return made


def comparable(decisions: Iterable[dict[str, Any]]) -> Iterator[Decided]:
    """The engine's decisions without those that only report: commands, who was met, and what unknown kept out (meant for no moment)."""
    for document in decisions:
        reports = document["kind"] == "met" or (document["kind"] == "refused" and document["due"] is None)
        if document["user"] is not None and not reports:
            yield plain(_found(document))


def _found(document: dict[str, Any]) -> Decided:
    moved = {"journey": document["values"]["tier"], "step": document["values"]["level"]} if document["kind"] == "tier" else {}
    if document["kind"] == "converted" and document["journey"] is None:  # by the goal of the control group
        moved = {"journey": "", "run": ""}
    named = {name: (document | moved)[name] for name in Decided._fields[:8]}
    dry = document["values"].get("dry", False) if document["kind"] in {"entered", "converted"} else False
    return Decided(**named, arms=arms_of(document), path=path_of(document), key=document.get("key"), arm=document.get("arm"), dry=dry)


def arms_of(document: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(document.get("arms", {}).items())


def path_of(document: dict[str, Any]) -> tuple[tuple[str, str | None, bool], ...]:
    return tuple((taken["step"], taken["branch"], taken.get("unknown", False)) for taken in document.get("path", ()))


def decided(outcome: Outcome) -> Decided:
    return plain(
        Decided(
            outcome.user,
            outcome.at,
            outcome.kind,
            outcome.journey,
            outcome.run,
            outcome.step or None,
            outcome.due,
            outcome.rule_set,
            outcome.arms,
            outcome.path,
            outcome.key,
            outcome.arm,
            outcome.dry,
        )
    )


def plain(one: Decided) -> Decided:
    """Without what is only said: what starts nothing has no run, and an exit was meant for no moment and is of no step."""
    if one.kind == "exited":
        return one._replace(due=None, step=None)
    if one.kind == "tier":
        return one._replace(run="")
    if one.kind in {"converted", "ended"}:
        return one._replace(key=None)
    if one.kind == "refused" or (one.kind == "skipped" and one.step is None):
        return one._replace(run="", key=None)
    return one


def difference(found: list[Decided], expected: list[Decided]) -> str:
    lines: list[tuple[str, Decided]] = []
    for kind, begin, end, other_begin, other_end in SequenceMatcher(None, expected, found, autojunk=False).get_opcodes():
        if kind == "equal":
            lines += [("both     ", one) for one in expected[begin:end]]
        else:
            lines += [("reference", one) for one in expected[begin:end]]
            lines += [("engine   ", one) for one in found[other_begin:other_end]]
    return "\n".join(["", *(f"{who} {iso(one.at)} {one}" for who, one in lines)])
