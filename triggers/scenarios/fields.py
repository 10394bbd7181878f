"""What the readers of scenario files share: moments, names that must exist, and where those names come from."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Final

from triggers.base.moments import LAST, parse_duration, parse_moment
from triggers.definitions.model import Journey, RuleSet
from triggers.language.documents import List, Map, Node, Problems, Scalar, parse
from triggers.language.fields import MAX_NAME, Fields, kind, nearest
from triggers.language.schema import SchemaReader
from triggers.steps import all_of
from triggers.steps.send import CHANNELS

_ISO: Final = "as in 2026-01-31T09:00Z"


class ScenarioFields(Fields):
    """Reads values of scenario files; one that returns None has said why."""

    def moment(self, node: Node, what: str, before: int | None = None) -> int | None:
        """Read a moment in ms: ISO, or `+3d` after `before`, if there is such a moment."""
        text = node.text if isinstance(node, Scalar) else ""
        hint = _ISO if before is None else f"{_ISO}, or as in +3d"
        if before is None and text.startswith("+"):
            self.refuse(node, f'{what} is "{text[:MAX_NAME]}", but nothing comes before it', hint)
            return None
        try:
            moment = parse_moment(text) if before is None or not text.startswith("+") else before + parse_duration(text[1:])
        except ValueError:
            shown = f'"{text[:MAX_NAME]}"' if text else kind(node)
            self.refuse(node, f"{what} is {shown}, which is no moment", hint)
            return None
        if moment > LAST:
            self.refuse(node, f"{what} is beyond the year 9999")
            return None
        return moment

    def known(self, node: Node, what: str, names: Iterable[str]) -> str | None:
        """Read one of these names."""
        if not isinstance(node, Scalar) or not node.text:
            self.refuse(node, f"{what} is {kind(node)}", "a name belongs here")
            return None
        if node.text in names:
            return node.text
        self.refuse(node, f'unknown {what} "{node.text[:MAX_NAME]}"', nearest(node.text, names))
        return None

    def id(self, node: Node, what: str) -> str | None:
        """Read any text or number as it is written: 00001 is a user."""
        if isinstance(node, Scalar) and node.text and node.value is not None:
            return node.text
        self.refuse(node, f"{what} is {kind(node)}", "a text belongs here")
        return None

    def flag(self, node: Node, what: str) -> bool | None:
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return node.value
        self.refuse(node, f"{what} is {kind(node)}", "true or false belongs here")
        return None


class Names:
    """What a scenario can name: of the rule sets that it applies, and of the parts of their files that these do not keep."""

    def __init__(self, *rule_sets: RuleSet) -> None:
        self.journeys = {name for rules in rule_sets for name in rules.journeys}
        self._rule_sets = rule_sets

    def with_rules(self, rules: RuleSet) -> Names:
        """Return these names, and those of another rule set."""
        return Names(*self._rule_sets, rules)

    def steps(self, journey: str | None, *, sends: bool) -> set[str]:
        """List the names of the steps of a journey, or of all journeys. `sends`: only of steps that send."""
        return {step.name for one in self._chosen(journey) for step in all_of(one.steps) if step.sends or not sends}

    def parts(self, what: str, journey: str | None) -> set[str]:
        """List the keys of the messages or the grants of a journey, or of all journeys."""
        return {key for one in self._chosen(journey) for step in all_of(one.steps) for key in step.parts(what)}

    @cached_property
    def channels(self) -> set[str]:
        lists = [node for rules in self._rule_sets for node in _sections(rules, "settings", "channels")]
        return {*CHANNELS, *(item.text for node in lists if isinstance(node, List) for item in node.items if isinstance(item, Scalar))}

    @cached_property
    def events(self) -> set[str] | None:
        """Those that the schemas declare; None where one declares none, and every name is right."""
        declared: set[str] = set()
        for rules in self._rule_sets:
            reader = SchemaReader(Fields(Problems()))
            for node in _sections(rules, "schema"):
                reader.read(node)
            events = reader.schema().events
            if events is None:
                return None
            declared.update(events)
        return declared

    def _chosen(self, journey: str | None) -> Iterable[Journey]:
        return [one for rules in self._rule_sets for name, one in rules.journeys.items() if journey in (None, name)]


def _sections(rules: RuleSet, *path: str) -> list[Node]:
    """Return the nodes at a path of keys, in all rule files. The files are checked already: there are no problems."""
    texts = {file: text for file, text in rules.files.items() if all(key in text for key in path)}
    nodes = [root for file, text in texts.items() if (root := parse(file, text, Problems())) is not None]
    for name in path:
        nodes = [value for node in nodes if isinstance(node, Map) for key, value in node.entries if key.text == name]
    return nodes
