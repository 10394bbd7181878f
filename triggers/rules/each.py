"""Write out `each`: one journey or segment of a file of version 2 for each value of a list.

journeys:
  promo:
    each: {category: [fiction, history, {sci-fi: Science Fiction}]}
    entry: {event: chapter_read, where: category == "$category"}
    steps: [{send: {channel: push, text: "New in $category"}}]

`$category` is the value, `$category.name` the short name of it that the made definition has in its own name; they differ only for
`{sci-fi: Science Fiction}`.

This happens on the nodes of the files, before anything is read, so no later module knows of it: the journeys `promo-fiction`,
`promo-history` and `promo-sci-fi` are what they would be if they were written by hand, with the same versions. A copy shares the nodes
that show no value: an error in them is reported once. The others name their value in each error, at the place where it is written.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Final

from triggers.language.documents import List, Map, Node, Problem, Scalar, Source
from triggers.language.fields import MAX_NAME, NEEDS_2, Fields, is_name, kind, nearest

EACH: Final = "each"
MANY: Final = ("journeys", "segments")
"""The sections whose definitions can have `each`."""
MAX_VALUES: Final = 200
"""Most copies of one definition."""
MAX_WRITTEN: Final = 4 * 1024 * 1024
"""Most characters of all copies together; about 10 s of checking."""
_CONDITION: Final = "if"
"""The key of a segment's condition next to `each`."""
_EXAMPLE: Final = "as in each: {category: [fiction, history]}"
_SLUG: Final = "give it a short name for names, as in {sci-fi: Science Fiction}"
_VARIABLE: Final = re.compile(r"[^\W\d]\w*")
_SHOWN: Final = re.compile(r"(?P<escape>\$(?=\$[^\W\d]|\$\{))?\$(?:(?P<plain>[^\W\d]\w*(?:\.name\b)?)|\{(?P<braced>[^}]*)\})")
_SHORT: Final = ".name"
"""Behind a variable: the short name of the value."""
_NODE: Final = 16
"""Characters that a node counts in addition to its text."""


@dataclass(frozen=True)
class CopySource(Source):
    """The file of a copy. Its problems name the values of the copy."""

    values: str = ""

    def problem(self, index: int, message: str, hint: str = "") -> Problem:
        return super().problem(index, f"{message} ({self.values})", hint)


@dataclass(frozen=True, slots=True, eq=False)
class Filled(Scalar):
    """A text in which values were put. Its places in the file are those of the text as it is written."""

    origin: Scalar | None = None
    pieces: tuple[tuple[int, int, bool], ...] = ()
    """Where each piece begins in this text and in the one of `origin`, and whether it is a value."""

    def index(self, offset: int) -> int:
        assert self.origin is not None
        offset = max(0, min(offset, len(self.text)))
        begin, before, is_value = self.pieces[max(0, bisect_right(self.pieces, (offset, len(self.origin.text), True)) - 1)]
        return self.origin.index(before if is_value else before + offset - begin)


@dataclass(frozen=True, slots=True)
class _Value:
    slug: str
    node: Scalar


class Writer:
    """Writes out the definitions of all files."""

    def __init__(self, fields: Fields) -> None:
        self.fields = fields
        self.made: dict[tuple[str, str], tuple[str, ...]] = {}
        """The names of all copies, by section and by the name of the definition."""
        self._written = 0

    def section(self, name: str, node: Node) -> Node:
        """Return the section with a copy for each value of the definitions that have `each`."""
        if name not in MANY or not isinstance(node, Map) or not any(_each_of(value) for _, value in node.entries):
            return node
        entries: list[tuple[Scalar, Node]] = []
        for key, value in node.entries:
            each = _each_of(value)
            if each is None or not isinstance(value, Map):
                entries.append((key, value))
            elif self.fields.version(value) < 2:
                self.fields.refuse(each[0], f"{EACH} in a file of version 1", NEEDS_2)
            else:
                entries += self._copies(name, key, value, each[1])
        return Map(node.source, node.start, entries)

    def _copies(self, section: str, key: Scalar, definition: Map, each: Node) -> list[tuple[Scalar, Node]]:
        lists = self._lists(each)
        body = self._body(section, key, definition)
        if not lists or body is None:
            return []
        count = 1
        for listed in lists.values():
            count *= len(listed)
        if count > MAX_VALUES:
            self.fields.refuse(each, f"{EACH} makes {count:,} {section}", f"at most {MAX_VALUES}: make two definitions of it")
            return []
        self._written += count * _size(body)
        if self._written > MAX_WRITTEN:
            self.fields.refuse(each, f"the copies have more than {MAX_WRITTEN:,} characters together", "have fewer values")
            return []
        if not self._names_are_known(body, each, lists):
            return []
        copies: list[tuple[Scalar, Node]] = []
        for values in product(*lists.values()):
            name = "-".join([key.text, *(value.slug for value in values)])
            if not is_name(name):
                wrong = next((value for value in values if not is_name(f"a{value.slug}")), values[-1])
                self.fields.refuse(wrong.node, f'"{name[:MAX_NAME]}" is no name', f"at most {MAX_NAME} characters; {_SLUG}")
                continue
            shown = ", ".join(f"${variable}: {value.node.text[:MAX_NAME]}" for variable, value in zip(lists, values, strict=True))
            source = CopySource(key.source.file, key.source.text, shown)
            copy = _Copy(self.fields, source, dict(zip(lists, values, strict=True)))
            copies.append((Filled(source, key.start, key.end, name, key.style, key, ((0, 0, False),)), copy.fill(body)))
        self.made[section, key.text] = tuple(made.text for made, _ in copies)
        return copies

    def _body(self, section: str, key: Scalar, definition: Map) -> Node | None:
        """Return the definition without `each`: a journey, or the condition of a segment."""
        if section == "journeys":
            return Map(definition.source, definition.start, [entry for entry in definition.entries if entry[0].text != EACH])
        parts = self.fields.keys(definition, f'the segment "{key.text}"', (EACH, _CONDITION), required=(_CONDITION,))
        return parts.get(_CONDITION) if parts else None

    # ---- the values -------------------------------------------------------------------------------------------------

    def _lists(self, each: Node) -> dict[str, list[_Value]]:
        """Read the values by variable; nothing if one of them has errors."""
        if not isinstance(each, Map):
            self.fields.refuse(each, f"{EACH} is {kind(each)}", _EXAMPLE)
            return {}
        found = each
        before = len(self.fields.problems)
        if not found.entries:
            self.fields.refuse(each, f"{EACH} has no values", _EXAMPLE)
        lists: dict[str, list[_Value]] = {}
        for key, node in found.entries:
            if not _VARIABLE.fullmatch(key.text):
                self.fields.refuse(
                    key, f'"{key.text[:MAX_NAME]}" cannot be written as ${key.text[:MAX_NAME]}', "letters, digits and _ belong here"
                )
            lists[key.text] = self._values(node, f"{EACH}: {key.text}")
        return lists if len(self.fields.problems) == before else {}

    def _values(self, node: Node, what: str) -> list[_Value]:
        items = self.fields.items(node, what)
        if items is None:
            return []
        if not 0 < len(items) <= MAX_VALUES:
            self.fields.refuse(node, f"{what} has {len(items)} values", f"1 to {MAX_VALUES} values belong here")
            return []
        values: dict[str, _Value] = {}
        for item in items:
            value = self._value(item, what)
            if value is not None and value.slug in values:
                self.fields.refuse(
                    item, f'{what} has "{value.slug}" twice', "each value makes one of its own: remove one, or name it otherwise"
                )
            elif value is not None:
                values[value.slug] = value
        return list(values.values())

    def _value(self, node: Node, what: str) -> _Value | None:
        slug = ""
        if isinstance(node, Map) and len(node.entries) == 1:
            (key, node) = node.entries[0]
            slug = key.text
        if isinstance(node, Scalar) and node.text.strip() and type(node.value) in (str, int):
            return _Value(slug or node.text, node)
        self.fields.refuse(node, f"{what}: a value is {kind(node)}", "a text, a whole number or {short-name: text} belongs here")
        return None

    def _names_are_known(self, body: Node, each: Node, lists: Mapping[str, object]) -> bool:
        """Compare the variables that are shown with those that there are. Refuse each difference."""
        before = len(self.fields.problems)
        shown: set[str] = set()
        for node in _scalars(body):
            for match in _SHOWN.finditer(node.text):
                name = (match["plain"] or match["braced"] or "").removesuffix(_SHORT)
                if match["escape"]:
                    continue
                shown.add(name)
                if name not in lists:
                    near = nearest(name, lists)
                    hint = f"{near}{'' if near.endswith('?') else ';'} The text itself is written {f'${match[0]}'[:MAX_NAME]}".lstrip("; ")
                    self.fields.refuse(node, f'unknown value "{match[0][:MAX_NAME]}"', hint, match.start())
        for key, _ in each.entries if isinstance(each, Map) else []:
            if key.text not in shown and len(self.fields.problems) == before:
                self.fields.refuse(key, f"${key.text} is never used", f"all copies would be the same: write ${key.text} where they differ")
        return len(self.fields.problems) == before


@dataclass(frozen=True)
class _Copy:
    """Makes one copy of a definition."""

    fields: Fields
    source: CopySource
    values: Mapping[str, _Value]

    def fill(self, node: Node) -> Node:
        """Return the node with the values put in; the node itself if it shows none."""
        if isinstance(node, Scalar):
            return self._text(node)
        if isinstance(node, List):
            items = [self.fill(item) for item in node.items]
            return node if all(new is old for new, old in zip(items, node.items, strict=True)) else List(self.source, node.start, items)
        entries = [(self._text(key), self.fill(value)) for key, value in node.entries]
        if all(new[0] is old[0] and new[1] is old[1] for new, old in zip(entries, node.entries, strict=True)):
            return node
        seen: set[str] = set()
        for key, _ in entries:
            if key.text in seen:
                self.fields.refuse(key, f'"{key.text}" appears twice', "two keys become the same by their values")
            seen.add(key.text)
        return Map(self.source, node.start, entries)

    def _text(self, node: Scalar) -> Scalar:
        if "$" not in node.text:
            return node
        text, old, style = "", 0, node.style
        pieces = [(0, 0, False)]
        for match in _SHOWN.finditer(node.text):
            text += node.text[old : match.start()]
            pieces.append((len(text), match.start(), True))
            if match["escape"]:
                text += match[0][1:]
            else:
                name = match["plain"] or match["braced"]
                value = self.values[name.removesuffix(_SHORT)]
                text += value.slug if name.endswith(_SHORT) else value.node.text
                if match[0] == node.text and not style:
                    style = value.node.style  # a text in quotes stays a text
            old = match.end()
            pieces.append((len(text), old, False))
        if len(pieces) == 1:
            return node
        return Filled(self.source, node.start, node.end, text + node.text[old:], style, node, tuple(pieces))


def _each_of(node: Node) -> tuple[Scalar, Node] | None:
    """Return the key `each` of a definition and its node."""
    return next((entry for entry in node.entries if entry[0].text == EACH), None) if isinstance(node, Map) else None


def _scalars(node: Node) -> list[Scalar]:
    """Return all texts in a node, those of keys too."""
    if isinstance(node, Scalar):
        return [node]
    if isinstance(node, List):
        return [found for item in node.items for found in _scalars(item)]
    return [found for key, value in node.entries for part in (key, value) for found in _scalars(part)]


def _size(node: Node) -> int:
    return sum(len(found.text) + _NODE for found in _scalars(node))
