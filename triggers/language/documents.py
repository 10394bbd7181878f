"""Parse one YAML 1.2 file into nodes that know their place, and report what is wrong with it.

The file is read from the parser's *events*, not from a loader: an anchor, an alias, a tag or a nesting bomb is refused at the event that
announces it, before anything is built from it. Plain scalars mean what the YAML 1.2 core schema says, so `on` and `yes` are words.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Final, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

MAX_FILE: Final = 256 * 1024
"""Largest rule file in characters; YAML in pure Python reads about a million of them a second."""
MAX_PROBLEMS: Final = 1_000
"""Most problems that are looked for in one rule set."""
MAX_MESSAGE: Final = 400
"""Longest message in characters."""
MAX_DEPTH: Final = 20
"""Deepest nesting of lists and mappings in a rule file."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something wrong in a rule file, for the person who has to fix it. Line and column count from 1."""

    file: str
    line: int
    column: int
    message: str
    hint: str = ""
    """What would be right, if that is known."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}" + (f"; {self.hint}" if self.hint else "")


class RuleErrors(Exception):  # noqa: N818 - several in one
    """The rule files are refused, all of them; `problems` says why, in the order of files and lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(sorted(set(problems)))
        super().__init__("\n".join(map(str, self.problems)))


class TooMany(Exception):  # noqa: N818 - the end of a search, not an error of ours
    """There are `MAX_PROBLEMS` problems: looking for more does not help, and would let a hostile file cost as much as it likes."""


class Problems(list[Problem]):
    """The problems found so far. Adding one too many raises `TooMany`."""

    def append(self, problem: Problem) -> None:
        if len(self) >= MAX_PROBLEMS:
            raise TooMany
        super().append(problem)


@dataclass(frozen=True)
class Source:
    """The text of a file, with a line feed at each line end and no byte order mark."""

    file: str
    text: str

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.text))]

    def place(self, index: int) -> tuple[int, int]:
        """Return line and column, from 1, of the character at `index`."""
        line = bisect_right(self._starts, index)
        return line, index - self._starts[line - 1] + 1

    def problem(self, index: int, message: str, hint: str = "") -> Problem:
        return Problem(self.file, *self.place(index), _one_line(message), _one_line(hint))


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """One value as written: `text` is what YAML makes of it, `style` how it was quoted ("" plain, or one of `'"|>`)."""

    source: Source
    start: int
    end: int
    text: str
    style: str = ""

    kind = "a text"

    @property
    def value(self) -> str | int | float | bool | None:
        """What it means by the core schema; only plain scalars can be anything but text."""
        return self.text if self.style else _resolve(self.text)

    def index(self, offset: int) -> int:
        """Return the place in the file of the character at `offset` of `text`.

        Quoting, escapes and folding add and remove white space and signs, but every other character of the text is in the file in the
        same order: so count those.
        """
        return _places(self)[max(0, min(offset, len(self.text)))]

    def visible(self) -> Iterator[tuple[int, int]]:
        """Index and length in the file of each character of the text that is not white space."""
        text, index, end = self.source.text, self.start, self.end
        if self.style in ("|", ">"):
            index = text.find("\n", index, end) + 1 or end
        elif self.style:
            index, end = index + 1, end - 1
        while index < end:
            length, char = 1, text[index]
            if self.style == '"' and char == "\\":
                length, char = _escape(text, index)
            elif self.style == "'" and text.startswith("''", index):
                length = 2
            if not char.isspace():
                yield index, length
            index += length


@lru_cache(maxsize=4)
def _places(scalar: Scalar) -> list[int]:
    """Return the index in the file of each character of a text, and of its end. Cached, because one text may have a thousand problems."""
    visible = scalar.visible()
    places: list[int] = []
    after = scalar.start
    for char in scalar.text:
        if char.isspace():
            places.append(after)
            continue
        index, length = next(visible, (after, 0))
        places.append(index)
        after = index + length
    return [*places, after]


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """A mapping; its keys are texts, and no two are equal."""

    source: Source
    start: int
    entries: list[tuple[Scalar, Node]] = field(default_factory=list)

    kind = "a mapping"

    @property
    def is_block(self) -> bool:
        """Whether it is written without { }, by indentation."""
        return not self.source.text.startswith("{", self.start)


@dataclass(frozen=True, slots=True, eq=False)
class List:
    source: Source
    start: int
    items: list[Node] = field(default_factory=list)

    kind = "a list"


Node = Scalar | Map | List

QUOTES: Final = "inside { } and [ ] what has commas or brackets needs quotes, as in when: 'did(\"E\", days=2)'"
_COLON: Final = "a text or an expression that contains ': ' needs quotes"
_APOSTROPHE: Final = "a text in quotes ends at the next quote: inside '...' an apostrophe is doubled, or put the text in double quotes"
_INDENT: Final = "the indentation is wrong: keys of one mapping, and dashes of one list, must be exactly below each other"
_UNDER_VALUE: Final = (
    "the line is indented under a value: put it exactly below its neighbours, a colon at the end of the line above, "
    "or quotes around a text of several lines"
)
_HINTS: Final = {
    **{f"expected ',' or '{close}', but got '{got}'": QUOTES for close in "}]" for got in "[{"},
    **{f"expected ',' or '{close}', but got ':'": _COLON for close in "}]"},
    **{f"expected ',' or '{close}', but got '<scalar>'": _APOSTROPHE for close in "}]"},
    **{f"expected <block end>, but found '{found}'": _INDENT for found in ("<block mapping start>", "<block sequence start>", "-", "?")},
    "expected <block end>, but found '<scalar>'": "a text that has quotes or { } at its beginning is put in quotes as a whole",
    "mapping values are not allowed here": _COLON,
    "found character '\\t' that cannot start any token": "YAML wants spaces, not tabs",
    "found character '%' that cannot start any token": "a text that begins with % needs quotes",
    "found character '@' that cannot start any token": "a text that begins with @ needs quotes",
    "found character '`' that cannot start any token": "a text that begins with ` needs quotes",
}
_ESCAPES: Final = {
    "n": "\n",
    "t": "\t",
    "\t": "\t",
    "r": "\r",
    " ": " ",
    "_": "\xa0",
    "N": "\x85",
    "L": "\u2028",
    "P": "\u2029",
    "v": "\v",
    "f": "\f",
}
_REST: Final = 4_000
"""Longest value in characters that is put back together where a comma ended it: as long as an expression may be."""
_INT = re.compile(r"[-+]?[0-9]{1,40}|0o[0-7]{1,40}|0x[0-9a-fA-F]{1,40}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def parse(file: str, text: str, problems: Problems) -> Node | None:
    """Return the root of the only document in `text`, or None. Errors are added to `problems`; nothing is raised."""
    source = Source(file, text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n"))
    if len(source.text) > MAX_FILE:
        problems.append(source.problem(0, f"the file has {len(source.text):,} characters", f"at most {MAX_FILE:,} are read: split it"))
        return None
    builder = _Builder(source, problems)
    try:
        for event in YAML(typ="safe", pure=True).parse(source.text):
            if not builder.take(event):
                break
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = " ".join(str(error.problem or error.context).split())
        index = mark.index if mark else 0
        problems.append(source.problem(index, f"not YAML: {reason}", _hint(source, index, reason)))
        return None
    except ReaderError as error:
        problems.append(source.problem(error.position, f"not YAML: the character U+{_code(error.character):04X} is not allowed"))
        return None
    except (YAMLError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError, AssertionError) as error:
        # What the parser itself trips over, as \U99999999 or a directive without a number: still the file's fault.
        problems.append(source.problem(0, f"not YAML: {type(error).__name__} in the parser"))
        return None
    return builder.root


def _hint(source: Source, index: int, reason: str) -> str:
    """Suggest a correction where the parser reports `reason` at `index`."""
    line = source.text[source.text.rfind("\n", 0, index) + 1 : index]
    if reason == "mapping values are not allowed here" and line[:1] == " " and ": " not in line:
        return _UNDER_VALUE  # it is the first colon of its line, so the line is wrong and not the colon
    return _HINTS.get(reason, "")


def _one_line(text: str) -> str:
    """Make any text of a file fit to be quoted in a message."""
    if not text.isprintable():
        text = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return text if len(text) <= MAX_MESSAGE else text[:MAX_MESSAGE] + "..."


def _code(character: str | int) -> int:
    return character if isinstance(character, int) else ord(character[:1] or "\0")


class _Builder:
    """Puts nodes together from events, and refuses what rule files do without."""

    def __init__(self, source: Source, problems: Problems) -> None:
        self.source = source
        self.problems = problems
        self.root: Node | None = None
        self.documents = 0
        self._open: list[Map | List] = []
        self._keys: list[tuple[Scalar | None, dict[str, Scalar]]] = []

    def take(self, event: Event) -> bool:
        """Take the next event. Return false if the rest of the file should not be read."""
        at = event.start_mark.index
        if isinstance(event, DocumentStartEvent):
            return self._document(event, at)
        if isinstance(event, AliasEvent):
            self._refuse(at, f"alias *{event.anchor}", "rule files have no anchors and aliases: write it out")
            self._put(Scalar(self.source, at, event.end_mark.index, "", "*"))
            return True
        if isinstance(event, (MappingEndEvent, SequenceEndEvent)):
            self._open.pop()
            self._keys.pop()
            return True
        if isinstance(event, (ScalarEvent, MappingStartEvent, SequenceStartEvent)):
            return self._node(event, at)
        return True

    def _document(self, event: DocumentStartEvent, at: int) -> bool:
        self.documents += 1
        if event.version not in (None, (1, 2)):
            self._refuse(0, f"%YAML {'.'.join(map(str, event.version))}", "rule files are YAML 1.2")
        if event.tags:
            self._refuse(0, "%TAG directive", "rule files have no tags")
        if self.documents > 1:
            self._refuse(at, "a second document in the file", "one file, one document: remove the ---")
        return self.documents == 1

    def _node(self, event: ScalarEvent | MappingStartEvent | SequenceStartEvent, at: int) -> bool:
        if event.anchor is not None:
            self._refuse(at, f"anchor &{event.anchor}", "rule files have no anchors and aliases: write it out")
        if event.ctag is not None:
            self._refuse(at, f"tag {event.ctag}", "rule files have no tags")
        if isinstance(event, ScalarEvent):
            text = event.value
            if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
                self._refuse(at, "half of a character (a surrogate)", "write the character itself")
                text = text.encode(errors="replace").decode()  # the search for more errors must be able to encode it
            self._put(Scalar(self.source, at, event.end_mark.index, text, event.style or ""))
            return True
        node: Map | List = Map(self.source, at) if isinstance(event, MappingStartEvent) else List(self.source, at)
        if len(self._open) >= MAX_DEPTH:
            self._refuse(at, "nested too deeply", f"at most {MAX_DEPTH} levels")
            return False
        self._put(node)
        self._open.append(node)
        self._keys.append((None, {}))
        return True

    def _put(self, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        if isinstance(parent, List):
            parent.items.append(node)
            return
        key, seen = self._keys[-1]
        if key is None:
            self._key(node, seen)
            return
        self._keys[-1] = (None, seen)
        if isinstance(node, Scalar) and not node.text and not node.style:
            at = min(key.end + 1, len(self.source.text))
            node = Scalar(self.source, at, at, "")  # nothing: where it should be, not where the parser noticed
        if seen.get(key.text) is key:
            parent.entries.append((key, node))

    def _key(self, node: Node, seen: dict[str, Scalar]) -> None:
        if isinstance(node, Scalar) and self._continues(node):
            self._keys[-1] = (node, seen)
            return
        if not isinstance(node, Scalar):
            if self.source.text.startswith("{{", self._open[-1].start):
                self._refuse(self._open[-1].start, "a text that begins with {{ without quotes", 'as in text: "{{ traits.name }}"')
            else:
                self._refuse(node.start, f"{node.kind} as a key", "keys are texts")
            node = Scalar(self.source, node.start, node.start, "")
        elif node.text in seen:
            line, _ = self.source.place(seen[node.text].start)
            self._refuse(node.start, f'"{node.text}" appears twice', f"first on line {line}")
        else:
            seen[node.text] = node
        self._keys[-1] = (node, seen)

    def _continues(self, key: Scalar) -> bool:
        """Return whether this is not a key but the rest of the value before it: YAML ends `{when: did("E", days=2)}` at the comma.

        It is put back together, so that this is all that is said of it.
        """
        entries, text = cast("Map", self._open[-1]).entries, self.source.text
        key_before, value = entries[-1] if entries else (key, key)
        if key.style or not isinstance(value, Scalar) or value.style or key.end - value.start > _REST or not _is_open(value.text):
            return False
        if text[value.end : key.start].strip() != "," or text[key.end : key.end + _REST].lstrip()[:1] not in (",", "}"):
            return False
        if "," not in value.text:  # else it was said at the first comma
            self._refuse(value.end, "the text ends at the comma", QUOTES)
        entries[-1] = key_before, Scalar(self.source, value.start, key.end, text[value.start : key.end])
        return True

    def _refuse(self, at: int, message: str, hint: str) -> None:
        self.problems.append(self.source.problem(at, message, hint))


def _resolve(text: str) -> str | int | float | bool | None:
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if len(text) <= 40 and _FLOAT.fullmatch(text):
        return float(text)
    return text


def _is_open(text: str) -> bool:
    return text.count("(") > text.count(")")


def _escape(text: str, index: int) -> tuple[int, str]:
    """Return the length and the meaning of the escape at `index` of a double-quoted text; white space is a line that continues."""
    sign = text[index + 1 : index + 2]
    width = {"x": 2, "u": 4, "U": 8}.get(sign, 0)
    if width:
        code = int(text[index + 2 : index + 2 + width], 16)
        return 2 + width, chr(code) if code < 0x110000 else "?"
    return 2, _ESCAPES.get(sign, " " if sign == "\n" else "?")
