"""`{enters: likely-payer}` and `{leaves: likely-payer}`: the user starts or stops satisfying a condition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from triggers.causes.cause import CauseKind, Change, Reader, Signal, WatchedSegment
from triggers.definitions.model import Cause, Segment
from triggers.language.fields import nearest
from triggers.language.shapes import TEXT, Shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from triggers.language.documents import Node


@dataclass(frozen=True, slots=True)
class OnSegment(CauseKind):
    """The user enters or leaves a segment."""

    segment: str
    change: Change

    example: ClassVar[Mapping[str, str]] = {"enters": "{enters: S}", "leaves": "{leaves: S}"}

    @classmethod
    def keys(cls) -> Mapping[str, Shape]:
        return {"enters": TEXT, "leaves": TEXT}

    @classmethod
    def read(cls, word: str, parts: Mapping[str, Node], what: str, reader: Reader) -> OnSegment | None:
        segment = reader.fields.text(parts[word], f"{what}: {word}")
        if segment is None:
            return None
        if segment not in reader.segments:
            tiers = [tier for tier in reader.tiers.values() if tier is not None]
            levels = [f"{tier.name}.{level.name}" for tier in tiers for level in tier.levels]
            level = next((one for one in levels if segment in (one, one.partition(".")[2])), "")
            hint = f"a level of a tier is reached, as in reaches: {level}" if level else nearest(segment, reader.segments)
            if segment.removeprefix("not ") in reader.segments:
                hint = f"{'leaves' if word == 'enters' else 'enters'}: {segment.removeprefix('not ')} is meant"
            reader.fields.refuse(parts[word], f'unknown segment "{segment}"', hint)
            return None
        return cls(segment, "enters" if word == "enters" else "leaves")

    def wire(self) -> tuple[str, dict[str, object]]:
        return "OnSegment", {"segment": self.segment, "change": self.change}

    def signal(self, segments: Mapping[str, WatchedSegment]) -> Signal:
        return Signal(f"exit: {self.words()}", segment=segments[self.segment], change=self.change)

    def words(self) -> str:
        return f"{self.change} {self.segment}"

    def comes_with(self, other: Cause, segments: Mapping[str, Segment]) -> bool:
        if not isinstance(other, OnSegment) or self.change != other.change:
            return False
        return segments[self.segment].key == segments[other.segment].key

    def segment_names(self) -> tuple[str, ...]:
        return (self.segment,)
