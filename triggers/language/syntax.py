"""Parse the text of an expression into a small and shallow syntax tree, with the places of its parts."""

from __future__ import annotations

import ast
import re
import unicodedata
import warnings
from collections.abc import Callable
from typing import Final

from triggers.language.characters import known

MAX_TEXT: Final = 4_000
"""Maximum length of an expression in characters."""
MAX_DEPTH: Final = 50
"""Maximum nesting of an expression."""
MAX_NODES: Final = 1_000
"""Maximum number of parts of an expression."""

Report = Callable[[int, str, str], None]
"""Reports a problem: offset in the text, message, hint."""

_LENGTH: Final = re.compile(r"\b(minutes|hours|days|weeks|months)\s?=\s?([0-9]{1,6})([a-zA-Z])")
_BARE_LENGTH: Final = re.compile(r"[,(]\s?([0-9]{1,6})([mhdwMHDW])\b")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}
_HINTS: Final = (
    (re.compile(r"[\u2018\u2019\u201c\u201d]"), "quotes are straight: \" or '"),
    (re.compile(r"&"), "write and"),
    (re.compile(r"\|"), "write or"),
    (re.compile(r"!(?!=)"), "write not"),
    (re.compile(r"\b(AND|OR|NOT)\b"), "and, or and not are written small"),
    (re.compile(r"<>"), "write !="),
    (re.compile(r"\(\s*[A-Za-z]\w* [A-Za-z]"), 'the name of an event is in quotes, as in count("Order Completed")'),
    (re.compile(r"\bbetween\b", re.IGNORECASE), 'write 3 <= count("A") <= 5'),
    (re.compile(r"\b(contains|includes|has)\b"), 'write "vip" in traits.tags'),
    (re.compile(r"=>|=<"), "write >= or <="),
    (re.compile(r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}\b"), 'put a date in quotes, as in first("Signed Up") >= "2026-01-31"'),
    (re.compile(r"(?<![=<>!:])(?<!\bdays)(?<!\bhours)(?<!\bminutes)(?<!\bwhere)(?<!\s)\s?=(?!=)"), "compare with =="),
)


class Expression:
    """One expression; `body` is its tree, or None if it was refused. `failed` says whether there was a problem."""

    def __init__(self, text: str, report: Report) -> None:
        self.text = text
        self.failed = False
        self._report = report
        self._lines = text.split("\n")
        self.body = self._parse()

    def refuse(self, at: ast.AST | int, message: str, hint: str = "") -> None:
        self.failed = True
        self._report(at if isinstance(at, int) else self.offset(at), message, hint)

    def offset(self, node: ast.AST) -> int:
        """Return where a node begins in the text."""
        return self._offset(getattr(node, "lineno", 1), getattr(node, "col_offset", 1))

    def source(self, node: ast.AST) -> str:
        """Return what the author wrote for a node."""
        return self.text[self.offset(node) : self._offset(getattr(node, "end_lineno", 1), getattr(node, "end_col_offset", 1))]

    def _offset(self, line: int, column: int) -> int:
        # `ast` counts bytes of UTF-8, and we add one bracket before the text.
        if line > len(self._lines):
            return len(self.text)
        column -= line == 1
        before = sum(len(other) + 1 for other in self._lines[: line - 1])
        return before + len(self._lines[line - 1].encode(errors="replace")[: max(column, 0)].decode(errors="ignore"))

    def _parse(self) -> ast.expr | None:
        if not self.text.strip():
            self.refuse(0, "an empty expression", 'a condition belongs here, such as count("Order Completed") >= 2')
            return None
        if len(self.text) > MAX_TEXT:
            self.refuse(0, f"an expression of {len(self.text):,} characters", f"at most {MAX_TEXT:,}")
            return None
        try:
            body = _tree(f"({self.text}\n)")  # in brackets, so that it may have several lines and comments
            if (body.lineno, body.col_offset) == (1, 0) and not isinstance(body, ast.Tuple | ast.GeneratorExp):
                # The tree begins at our bracket, so the author closed it: `a) or (b`.
                raise SyntaxError("unmatched ')'", ("", 1, self.text.find(")") + 2, ""))
        except SyntaxError as error:
            self._syntax(error)
            return None
        except (ValueError, MemoryError, RecursionError):
            self.refuse(0, "not an expression that can be read", "it is nested too deeply or has forbidden characters")
            return None
        bare = known(without_strings(self.text))
        if unicodedata.normalize("NFKC", bare) != bare:
            # Python would silently read another name than the written one.
            self.refuse(0, "a name with letters in a compatibility form", 'put it in quotes, as in traits["..."]')
            return None
        depth, size = _extent(body)
        if depth > MAX_DEPTH or size > MAX_NODES:
            self.refuse(
                0, "the expression is too big", f"at most {MAX_DEPTH} levels and {MAX_NODES:,} parts: split it into several segments"
            )
            return None
        return body

    def _syntax(self, error: SyntaxError) -> None:
        """Report Python's error. If the text without our brackets is also wrong, report that error, because the author did not write the
        brackets.
        """
        text = self.text.replace("\n", " ").strip()
        lead = len(self.text) - len(self.text.lstrip())
        reason = " ".join(str(error.msg).split())
        offset = 0
        try:
            _tree(text)
        except SyntaxError as other:
            reason, offset = " ".join(str(other.msg).split()), lead + (other.offset or 0) - 1
            if not lead <= offset < lead + len(text):
                offset = lead + len(text) - 1
                reason = "it ends too early" if reason == "invalid syntax" else reason
        except (ValueError, MemoryError, RecursionError):
            pass  # use the first error
        else:
            line = min(error.lineno or 1, len(self._lines)) - 1
            offset = sum(len(other) + 1 for other in self._lines[:line]) + (error.offset or 1) - 1 - (line == 0)
        bare = without_strings(self.text)
        hint = _length_hint(bare) or next((hint for pattern, hint in _HINTS if pattern.search(bare)), "")
        self.refuse(max(0, min(offset, len(self.text) - 1)), f"not an expression: {reason}", hint)


def _length_hint(text: str) -> str:
    """Report a length with a unit after its number: `days=7d`."""
    match = _LENGTH.search(text)
    if match is None:
        bare = _BARE_LENGTH.search(text)
        if bare is None:
            return ""
        name, number, letter = "", bare[1], bare[2].lower()
    else:
        name, number, letter = match[1], match[2], match[3].lower()
    right = f"days={7 * int(number)}" if letter == "w" else f"{_UNITS.get(letter, name)}={number}"
    return f"a length is a whole number without a unit: write {right}"


def _tree(text: str) -> ast.expr:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "\d" in a string and similar: not relevant to the user of the check
        return ast.parse(text, mode="eval").body


def _extent(body: ast.expr) -> tuple[int, int]:
    """Measure depth and size of a tree, without recursion and only up to the limits."""
    depth = size = 0
    layer: list[ast.AST] = [body]
    while layer and depth <= MAX_DEPTH and size <= MAX_NODES:
        depth, size = depth + 1, size + len(layer)
        layer = [child for node in layer for child in children(node)]
    return depth, size


def children(node: ast.AST) -> list[ast.AST]:
    """List the parts of a node that count."""
    return [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr | ast.keyword)]


def without_strings(text: str) -> str:
    """Return the text with empty quotes."""
    return re.sub(r"\"[^\"]*\"|'[^']*'", '""', text)


REFUSED: Final[dict[type[ast.AST], str]] = {
    ast.NamedExpr: "an assignment (:=)",
    ast.Lambda: "a lambda",
    ast.IfExp: "an if ... else",
    ast.Dict: "a mapping",
    ast.Set: "a set",
    ast.ListComp: "a comprehension",
    ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
    ast.Await: "await",
    ast.Yield: "yield",
    ast.YieldFrom: "yield",
    ast.JoinedStr: "a formatted string",
    ast.Starred: "a starred value",
    ast.Slice: "a slice",
    ast.List: "a list",
    ast.Tuple: "a comma outside brackets, also in a number such as 1,000,",
    ast.UnaryOp: "this operator",
}
"""Parts of Python that the language does not have."""
