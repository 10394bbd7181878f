"""What keeps an upgrade from being written."""

from types import SimpleNamespace
from typing import Any

import pytest

from streams.commands import upgrade
from streams.commands.terms import State
from streams.commands.write import Refused
from streams.settings import Settings
from triggers.records.messages import Terms
from triggers.state.position import Meeting, Position

ONE = Terms(engine=1, tzdata="2025b", foreign_keys=False)
OLD = Terms(engine=2, tzdata="2025b", foreign_keys=False)
NEW = Terms(engine=2, tzdata="2026f", foreign_keys=False)
RULES = "a" * 64
UNUSABLE = "b" * 64


async def checked(monkeypatch: pytest.MonkeyPatch, was: Terms, *positions: Position | None, in_force: str | None = RULES) -> None:
    async def nobody(_settings: Settings) -> None:
        pass

    monkeypatch.setattr(upgrade, "_check_members", nobody)
    seen: Any = SimpleNamespace(
        state=State({number: one for number, one in enumerate(positions) if one is not None}),
        partitions=len(positions),
        standing=SimpleNamespace(rule_set=in_force),
        rules=lambda rule_set: SimpleNamespace(hash=rule_set) if rule_set == RULES else None,
    )
    await upgrade._check(Settings(), seen, NEW, was, [])


async def test_a_partition_without_a_position_comes_first_since_no_copy_could_be_restored_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for was in (ONE, OLD):
        await checked(monkeypatch, was, Position(), Position())
        with pytest.raises(Refused, match=r"partitions \[1\] have no position yet"):
            await checked(monkeypatch, was, Position(), None)
    await checked(monkeypatch, ONE, None, None)


async def test_rules_that_this_release_cannot_use_are_named_before_anything_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the old workers leave, and the new ones open no partition."""
    met = Position(rule_set=RULES)
    meeting = Position(rule_set=RULES, meeting=Meeting(kind="apply", at=0, previous=UNUSABLE))
    await checked(monkeypatch, OLD, met, met)
    with pytest.raises(Refused, match=f"this release cannot use the active rule set {UNUSABLE[:12]}"):
        await checked(monkeypatch, OLD, met, met, in_force=UNUSABLE)
    for position in (Position(rule_set=UNUSABLE), meeting):
        with pytest.raises(Refused, match="this release cannot use the active rule set"):
            await checked(monkeypatch, OLD, met, position)
