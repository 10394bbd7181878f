"""Parse the policies of rule files.

policies:
  consent:
    sms: {channels: [sms], if: traits.sms_opt_in}
    email: {channels: [email], if: not traits.unsubscribed, unknown: allow}
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final, Literal, TypeVar, cast

from triggers.definitions.model import Condition
from triggers.definitions.policies import MARKETING, TRANSACTIONAL, Consent, Policies, Scope
from triggers.language.documents import List, Node, Scalar
from triggers.language.fields import NEEDS_2, Fields, kind, nearest
from triggers.steps.send import CHANNELS

POLICIES: Final = ("consent",)
NAMED_ONLY: Final = ("webhook", "benefit")
"""Channels that a policy binds only if it names them."""
MAX_POLICIES: Final = 100
"""Most policies of one kind."""

Named = TypeVar("Named")


class PolicyReader:
    """Reads the sections `policies` of all files."""

    def __init__(
        self,
        fields: Fields,
        compile_: Callable[[Scalar, str | None], Condition | None],
        channels: Sequence[str],
        categories: Sequence[str],
    ) -> None:
        self.fields = fields
        self._compile = compile_
        self._channels = (*CHANNELS, *channels)
        self._usual = tuple(channel for channel in self._channels if channel not in NAMED_ONLY)
        self._categories = (MARKETING, TRANSACTIONAL, *categories)

    def read(self, sections: Sequence[Node]) -> Policies | None:
        """Return the policies; None if no file has any."""
        nodes: dict[str, list[Node]] = {name: [] for name in POLICIES}
        for section in sections:
            if self.fields.version(section) < 2:
                self.fields.refuse(section, "policies in a file of version 1", NEEDS_2)
            for name, node in (self.fields.keys(section, "policies", POLICIES) or {}).items():
                nodes[name].append(node)
        if not sections:
            return None
        return Policies(self._all(nodes["consent"], "consent", self._consent))

    def _all(self, nodes: Sequence[Node], section: str, read: Callable[[str, Node], Named | None]) -> tuple[Named, ...]:
        """Read the policies of one kind, by name. Refuse a name that is given twice."""
        found: dict[str, tuple[Scalar, Named | None]] = {}
        for node in nodes:
            mapping = self.fields.mapping(node, section)
            for key, value in mapping.entries if mapping else ():
                name = self.fields.name(key, f"a policy of {section}")
                if name is None:
                    continue
                if name in found:
                    first = found[name][0]
                    line, _ = first.source.place(first.start)
                    self.fields.refuse(key, f'a second policy of {section} named "{name}"', f"the first is at {first.source.file}:{line}")
                    continue
                found[name] = key, read(name, value)
                if len(found) == MAX_POLICIES + 1:
                    self.fields.refuse(key, f"more than {MAX_POLICIES} policies of {section}", "make fewer, with more channels each")
        return tuple(policy for _, (_, policy) in sorted(found.items()) if policy is not None)

    # ---- kinds -------------------------------------------------------------------------------------------------------

    def _consent(self, name: str, node: Node) -> Consent | None:
        parts = self.fields.keys(node, f'the consent "{name}"', ("channels", "categories", "if", "unknown"), required=("if",))
        if parts is None:
            return None
        scope = self._scope(parts)
        condition = self._condition(parts["if"]) if "if" in parts else None
        unknown = self.fields.word(parts["unknown"], "unknown", ("block", "allow")) if "unknown" in parts else "block"
        if condition is None or unknown is None:
            return None
        return Consent(name, condition, scope, cast('Literal["block", "allow"]', unknown))

    # ---- parts -------------------------------------------------------------------------------------------------------

    def _condition(self, node: Node) -> Condition | None:
        if isinstance(node, Scalar):
            return self._compile(node, None)
        self.fields.refuse(node, f"if is {kind(node)}", "an expression belongs here")
        return None

    def _scope(self, parts: dict[str, Node]) -> Scope:
        channels = self._words(parts["channels"], "channels", self._channels) if "channels" in parts else self._usual
        categories = self._words(parts["categories"], "categories", self._categories) if "categories" in parts else None
        return Scope(channels, categories)

    def _words(self, node: Node, what: str, known: Collection[str]) -> tuple[str, ...]:
        """Read a list of some of these words."""
        if not isinstance(node, List):
            self.fields.refuse(node, f"{what} is {kind(node)}", f"a list belongs here, as in {what}: [{next(iter(known))}]")
            return ()
        if not node.items:
            self.fields.refuse(node, f"{what} is an empty list", "leave it out, or name some")
        found: dict[str, None] = {}
        for item in node.items:
            if isinstance(item, Scalar) and item.text in known:
                found[item.text] = None
            else:
                shown = f'"{item.text[:64]}"' if isinstance(item, Scalar) else kind(item)
                self.fields.refuse(item, f"unknown {_ONE[what]} {shown}", nearest(item.text if isinstance(item, Scalar) else "", known))
        return tuple(sorted(found))


_ONE: Final = {"channels": "channel", "categories": "category"}
