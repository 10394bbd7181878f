"""`{reaches: member.gold}`, `{rises: member}` and `{falls: member}`: the user moves in a tier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from triggers.causes.cause import CauseKind, Change, Reader, Signal, WatchedSegment
from triggers.language.fields import nearest
from triggers.language.shapes import TEXT, Shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from triggers.definitions.model import Cause, Segment
    from triggers.language.documents import Node


@dataclass(frozen=True, slots=True)
class OnTier(CauseKind):
    """The user rises or falls in a tier, or rises to a level of it."""

    tier: str
    change: Change
    level: str = ""
    """Of `reaches`; else empty."""

    since: ClassVar[int] = 2
    example: ClassVar[Mapping[str, str]] = {"reaches": "{reaches: T.L}", "rises": "{rises: T}", "falls": "{falls: T}"}

    @classmethod
    def keys(cls) -> Mapping[str, Shape]:
        return {"reaches": TEXT, "rises": TEXT, "falls": TEXT}

    @classmethod
    def read(cls, word: str, parts: Mapping[str, Node], what: str, reader: Reader) -> OnTier | None:
        fields, node = reader.fields, parts[word]
        text = fields.text(node, f"{what}: {word}")
        if text is None:
            return None
        name, dot, level = text.partition(".")
        if name not in reader.tiers:
            tiers = [tier for tier in reader.tiers.values() if tier is not None]
            of_level = next((tier.name for tier in tiers for one in tier.levels if one.name == name), "")
            hint = f"as in reaches: {of_level}.{name}" if of_level else nearest(name, reader.tiers)
            fields.refuse(node, f'unknown tier "{name}"', hint)
            return None
        tier = reader.tiers[name]
        if word != "reaches":
            if dot:
                fields.refuse(node, f"{what}: {word} with a level", f"{word}: {name} is meant, or reaches: {text}")
                return None
            return cls(name, "rises" if word == "rises" else "falls")
        if not dot:
            fields.refuse(node, f"{what}: reaches without a level", f"as in reaches: {name}.gold; for all levels, rises: {name}")
            return None
        levels = [] if tier is None else [one.name for one in tier.levels]
        if tier is not None and level not in levels:
            fields.refuse(node, f'unknown level "{level}" of the tier "{name}"', nearest(level, levels))
            return None
        return cls(name, "reaches", level)

    def wire(self) -> tuple[str, dict[str, object]]:
        fields: dict[str, object] = {"tier": self.tier, "change": self.change}
        return "OnTier", fields | ({"level": self.level} if self.level else {})

    def signal(self, segments: Mapping[str, WatchedSegment]) -> Signal:
        return Signal(f"exit: {self.words()}", change=self.change, tier=moved(self.tier, self.level))

    def tier_name(self) -> str | None:
        return self.tier

    def words(self) -> str:
        return f"{self.change} {self.tier}.{self.level}" if self.level else f"{self.change} {self.tier}"

    def comes_with(self, other: Cause, segments: Mapping[str, Segment]) -> bool:
        if not isinstance(other, OnTier) or self.tier != other.tier:
            return False
        return (self.change, self.level) == (other.change, other.level) or (self.change, other.change) == ("rises", "reaches")


def moved(tier: str, level: str = "") -> str:
    """Return the key under which a move in a tier, or to a level of it, is reported. No segment has such a key."""
    return f"tier {tier}.{level}" if level else f"tier {tier}"
