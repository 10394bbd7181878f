"""A checked rule set together with its places in the files."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from triggers.definitions.model import Condition, Measure, RuleSet
from triggers.language.documents import Map, Node, Scalar


@dataclass(frozen=True)
class Expression:
    """A condition with the text that states it."""

    node: Scalar
    parts: tuple[tuple[int, Condition], ...]
    """The condition and all in it, inner ones first, each with its offset in the text."""
    measures: Mapping[Measure, int]
    """The measures, each with the offset of its call."""


@dataclass(frozen=True)
class Written:
    """A rule set and the nodes of its files, for messages about a place in them."""

    rules: RuleSet
    journeys: Mapping[str, Map]
    """The definition of each journey."""
    expressions: tuple[Expression, ...]
    declared: Collection[str]
    """The events that the schema declares."""
    moments: Collection[str] = ()
    """The traits that the schema declares as moments."""
    policies: tuple[Node, ...] = ()
    """The sections `policies`."""
    named: Mapping[str, Mapping[str, Node]] = field(default_factory=dict)
    """The definitions of `segments` and of `values`, by section and name."""
    steps: Mapping[str, Mapping[str, Node]] = field(default_factory=dict)
    """The steps of each journey by name."""
    versions: Mapping[str, int] = field(default_factory=dict)
    """The version of the rule language of each file."""
    made: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """The names that `each` has made, by section and by the name of the definition."""
    sections: Mapping[str, Sequence[Node]] = field(default_factory=dict)
    """The sections of all files."""
    in_scenarios: tuple[Scalar, ...] = ()
    """The names of the events in scenario files."""
