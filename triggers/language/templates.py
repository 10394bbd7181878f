"""Message texts: a bounded part of the Jinja language, rendered by minijinja.

    Welcome {{ traits.name or "reader" }}, your order over {{ properties.total }} is on its way.
    {% for item in properties.products %}{{ item.name }}{% if not loop.last %}, {% endif %}{% endfor %}

An operator writes the template and a phone sends its data, so neither may cost more than a message is worth. Fuel limits the steps but not
the work of one step, and minijinja gives Python's own methods to the template (`{{ traits.clear() }}` would empty a user's state,
`{{ properties.items }}` would print an address in memory). Therefore

* everything that could multiply its input (`*`, `set`, macros, list literals, `format`, nested definitions) is refused when the template is
  read;
* the template gets values in wrappers without methods, and a few filters, each limited (`triggers.language.rendering`).

A text made by a template is plain text: only `|escape` escapes it for HTML.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

import minijinja

from triggers.base.moments import Zone, zone
from triggers.language import later
from triggers.language.dates import format_fault
from triggers.language.fields import nearest
from triggers.language.rendering import FILTERS, MAX_RESULT, TESTS, ZONE, Takes, TemplateFailed, environment, reason, shown

__all__ = ["Template", "TemplateError", "TemplateFailed", "TemplateFault", "compile_template"]

MAX_TEMPLATE: Final = 16 * 1024
"""Maximum length of a template in characters."""
MAX_FAULTS: Final = 20
"""Maximum number of faults that are reported for one template."""
MAX_JOINS: Final = 20
"""Maximum number of `~` and `+` in one tag."""

_UTC: Final = zone("UTC")
VARIABLES: Final = ("traits", "properties", "run", "user", "values")
EVENT: Final = "event"
"""The event that has ended the last wait of the run. A loop may have a variable of this name: older rule files may."""
RUN: Final = ("id", "journey", "entered")
TAGS: Final = ("if", "elif", "else", "endif", "for", "endfor")
_WORDS: Final = frozenset({"and", "or", "not", "in", "is", "if", "else", "for", "true", "false", "none", "True", "False", "None", "loop"})


class TemplateFault(NamedTuple):
    """A problem in a template's text."""

    offset: int
    message: str
    hint: str = ""


class TemplateError(ValueError):
    """The text is not a valid template; `faults` says why."""

    def __init__(self, faults: list[TemplateFault]) -> None:
        self.faults = faults
        super().__init__("; ".join(fault.message for fault in faults))


class Template:
    """A template ready to render. Rendering changes nothing and depends on nothing else. Create it with `compile_template`."""

    __slots__ = ("_environment", "event", "paths", "properties", "text", "values")

    def __init__(self, text: str, environment: minijinja.Environment | None, paths: frozenset[tuple[str, ...]]) -> None:
        self.text = text
        self.paths = paths
        """What it reads: `("traits", "name")`, `("user",)`."""
        self.properties: frozenset[str] = frozenset(path[1] for path in paths if path[0] == "properties")
        """The top-level names of the entry event's properties that it reads."""
        self.values: frozenset[str] = frozenset(path[1] for path in paths if path[0] == "values")
        """The values that it shows."""
        self.event: frozenset[str] = frozenset(path[1] for path in paths if path[0] == EVENT)
        """Those of the event that has ended the run's last wait."""
        self._environment = environment

    def render(self, zone: Zone = _UTC, /, **variables: object) -> str:
        """Render the text for these `traits`, `properties`, `run` and `user`, with dates of this zone. Raises `TemplateFailed`."""
        if self._environment is None:
            return self.text
        try:
            text = self._environment.render_template("text", **{ZONE: zone}, **{name: shown(value) for name, value in variables.items()})
        except TemplateFailed:
            raise
        except minijinja.TemplateError as error:
            raise TemplateFailed(reason(error)) from None
        except Exception as error:  # noqa: BLE001
            # A value of another kind than expected: the only way in which data can make minijinja itself raise.
            raise TemplateFailed(f"{type(error).__name__} while rendering") from None
        except BaseException as error:
            if type(error).__name__ != "PanicException":
                raise
            raise TemplateFailed("the template engine gave up") from None
        if len(text) > MAX_RESULT:
            raise TemplateFailed(f"text of {len(text):,} characters; at most {MAX_RESULT:,}")
        return text


@lru_cache(maxsize=4096)
def compile_template(text: str) -> Template:
    """Compile a template. Raises `TemplateError` with all its faults."""
    if len(text) > MAX_TEMPLATE:
        raise TemplateError([TemplateFault(0, f"a template of {len(text):,} characters", f"at most {MAX_TEMPLATE:,}")])
    if not text.isascii() and any("\ud800" <= sign <= "\udfff" for sign in text):
        raise TemplateError([TemplateFault(0, "half of a surrogate pair, which is no character", "write the whole character")])
    if "{{" not in text and "{%" not in text and "{#" not in text:
        return Template(text, None, frozenset())
    reader = _Reader(text)
    reader.read()
    if reader.faults:
        raise TemplateError(reader.faults)
    made = environment()
    try:
        made.add_template("text", text)
    except minijinja.TemplateError as error:
        at = len(text.encode()[: error.range[0]].decode(errors="ignore")) if error.range else 0
        raise TemplateError([TemplateFault(at, f"not a template: {error.detail or error.kind}")]) from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise TemplateError([TemplateFault(0, "not a template that can be read")]) from None
    return Template(text, made, frozenset(reader.paths))


# ---- reading --------------------------------------------------------------------------------------------------------


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


# Python's definition of a letter changes with its version, so a name may have any character beyond ASCII; minijinja has the last word.
_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<name>(?:[A-Za-z_]|[^\x00-\x7f\s])(?:\w|[^\x00-\x7f\s])*)
    |(?P<number>[0-9][0-9_]*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
    |(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<sign>//|\*\*|[=!<>]=|.)""",
    re.VERBOSE | re.DOTALL,
)
_QUOTES: Final = ("'", '"')
_OPEN = re.compile(r"\{[{%#]")
_HINTS: Final = {
    "*": "multiply with the filter times, as in {{ properties.total|times(2) }}",
    "**": "multiply with the filter times",
    "[": "lists cannot be written in a template",
    "{": "mappings cannot be written in a template",
}


class _Reader:
    """Checks the tags of a template: collects what it reads and refuses what is not in the language."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.faults: list[TemplateFault] = []
        self.paths: set[tuple[str, ...]] = set()
        self._scopes: Counter[str] = Counter()
        """How often each name is bound by the surrounding loops."""
        self._bound: list[list[str]] = []
        self._closing: dict[int, int] = {}
        """For the current tag: the token that closes each opening bracket."""

    def refuse(self, at: int, message: str, hint: str = "") -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(TemplateFault(at, message, hint))

    def read(self) -> None:
        index = 0
        while match := _OPEN.search(self.text, index):
            if match[0] == "{#":
                end = self.text.find("#}", match.end())
                if end < 0:
                    return self.refuse(match.start(), "a comment {# that is not closed", "close it with #}")
                index = end + 2
                continue
            close = "}}" if match[0] == "{{" else "%}"
            tokens, after = self._tokens(match.end(), close)
            if after is None and tokens and tokens[-1].text in _QUOTES:
                return self.refuse(tokens[-1].at, "a text in quotes that is not closed", f"close it with {tokens[-1].text}")
            if after is None:
                return self.refuse(match.start(), f"{match[0]} is not closed", f"close it with {close}")
            index = after
            if match[0] == "{{":
                self._expression(tokens, match.start())
            else:
                self._tag(tokens, match.start())
        return None

    def _tokens(self, index: int, close: str) -> tuple[list[_Token], int | None]:
        """Return the tokens up to `close`, and where the text continues; None if it never closes."""
        tokens: list[_Token] = []
        while index < len(self.text):
            if self.text.startswith(close, index):
                if tokens and tokens[0].text in ("-", "+"):
                    tokens.pop(0)
                if tokens and tokens[-1].text in ("-", "+"):
                    tokens.pop()
                return tokens, index + len(close)
            match = _TOKEN.match(self.text, index)
            assert match is not None  # the last alternative takes any character
            if match.lastgroup != "space":
                tokens.append(_Token(match.lastgroup or "sign", match[0], index))
            if match[0] in _QUOTES:
                return tokens, None  # it never closes; searching from each further one to the end would take quadratic time
            index = match.end()
        return tokens, None

    def _tag(self, tokens: list[_Token], at: int) -> None:
        if not tokens:
            return self.refuse(at, "an empty {% %}")
        word, rest = tokens[0], tokens[1:]
        if word.text not in TAGS:
            return self.refuse(word.at, f'unknown tag "{word.text[:40]}"', nearest(word.text, TAGS))
        if word.text == "for":
            return self._for(rest, at)
        if word.text == "endfor" and self._bound:
            self._scopes.subtract(self._bound.pop())
        return self._expression(rest, at)

    def _for(self, tokens: list[_Token], at: int) -> None:
        middle = next((index for index, token in enumerate(tokens) if token.text == "in"), None)
        if middle is None:
            return self.refuse(at, "a for without in", "as in {% for item in properties.products %}")
        names = [token.text for token in tokens[:middle] if token.kind == "name"]
        source = tokens[middle + 1 :]
        for token in source:
            if token.text in ("~", "+", "if", "recursive", "("):
                self.refuse(token.at, f"{token.text} in a for", "a for goes over a list of traits, properties or of a loop around it")
        for name in names:
            if name in VARIABLES or name in _WORDS:
                self.refuse(at, f"{name} cannot be the name of an item")
        self._expression(source, at)
        self._scopes.update(names)
        self._bound.append(names)
        return None

    def _expression(self, tokens: list[_Token], at: int) -> None:
        joins = sum(token.text in ("~", "+") for token in tokens)
        if joins > MAX_JOINS:
            self.refuse(at, f"{joins} ~ and + in one tag", f"at most {MAX_JOINS}")
        self._closing = _closing(tokens)
        index = 0
        while index < len(tokens):
            index = self._token(tokens, index)

    def _token(self, tokens: list[_Token], index: int) -> int:
        """Check one token and what belongs to it; return where to continue."""
        token = tokens[index]
        before = tokens[index - 1] if index else None
        follower = tokens[index + 1] if index + 1 < len(tokens) else None
        if token.kind == "name":
            if before is not None and before.text == ".":
                return index + 1  # of a value in brackets: ().name
            if before is not None and before.text == "|":
                return self._known(tokens, index, "filter", FILTERS)
            if before is not None and (before.text == "is" or (before.text == "not" and index > 1 and tokens[index - 2].text == "is")):
                return index + 1 if token.text == "not" else self._known(tokens, index, "test", TESTS)
            if follower is not None and follower.text == "=":
                return index + 1  # the name of a filter's argument
            return self._path(tokens, index)
        if token.text in ("*", "**", "{", "}") or (token.text == "[" and not _can_index(before)):
            self.refuse(token.at, f"{token.text} in a template", _HINTS.get(token.text, ""))
        elif token.text == "(" and before is not None and _is_callable(tokens, index):
            self.refuse(token.at, "a call in a template", "there are filters: {{ traits.name|upper }}")
        return index + 1

    def _known(self, tokens: list[_Token], index: int, what: str, known: Mapping[str, Takes]) -> int:
        token = tokens[index]
        takes = known.get(token.text)
        if takes is None:
            self.refuse(token.at, f'unknown {what} "{token.text[:40]}"', nearest(token.text, known))
            return index + 1
        plain, named = _arguments(tokens, index + 1, self._closing, is_test=what == "test")
        strange = next((argument for argument in named if argument.text not in takes.named), None)
        if strange is not None:
            self.refuse(strange.at, f'unknown argument "{strange.text[:40]}" of {token.text}', nearest(strange.text, takes.named))
        elif not takes.least <= plain + len(named) or plain > takes.most:
            most = f"it takes {takes.most or 'none'}" + (" at most" if takes.most > takes.least else "")
            self.refuse(token.at, f"{token.text} with {_number(plain + len(named))}", _USAGE.get(token.text, most))
        elif token.text == "date":
            form = tokens[index + (4 if named else 2)]
            if form.kind == "string" and (fault := format_fault(_unquoted(form.text))):
                self.refuse(form.at, *fault.split("; ", 1))
        return index + 1

    def _path(self, tokens: list[_Token], index: int) -> int:
        token = tokens[index]
        parts = [token.text]
        index += 1
        whole = True
        while index < len(tokens):
            text = tokens[index].text
            if text == "." and index + 1 < len(tokens) and tokens[index + 1].kind in ("name", "number"):
                parts.append(tokens[index + 1].text)
                index += 2
            elif text == "[" and index + 2 < len(tokens) and tokens[index + 1].kind == "string" and tokens[index + 2].text == "]":
                parts.append(_unquoted(tokens[index + 1].text))
                index += 3
            else:
                whole = text != "["
                break
        root = parts[0]
        if root in _WORDS or self._scopes[root] > 0:
            return index
        if root not in VARIABLES and root != EVENT:
            self.refuse(token.at, f'unknown variable "{root[:40]}"', later.TEXTS.get(root) or _root_hint(root))
        elif len(parts) == 1 and root in ("properties", "run", "traits", "values", EVENT):
            better = (
                'a name in quotes belongs into [...], as in properties["book id"]'
                if not whole
                else f"name one, as in {root}.{_EXAMPLE[root]}"
            )
            self.refuse(token.at, f"{root} as a whole", better)
        elif root == "run" and parts[1] not in RUN:
            self.refuse(token.at, f'unknown variable "run.{parts[1][:40]}"', nearest(parts[1], RUN))
        else:
            self.paths.add(tuple(parts))
        return index


def _root_hint(root: str) -> str:
    """Return the hint for a name that no variable begins with."""
    near, name = nearest(root, VARIABLES), root[:40]
    if near.startswith("did") or not name.isidentifier():
        return near
    return f"a trait is traits.{name}, a property of the event properties.{name}, a named value values.{name}"


_USAGE: Final = {
    "date": "as in run.entered|date('%d.%m.%Y')",
    "divisibleby": "as in properties.count is divisibleby(2)",
    "replace": "as in traits.name|replace('a', 'b')",
    "times": "as in properties.total|times(2)",
}
_EXAMPLE: Final = {EVENT: "total", "properties": "total", "run": "id", "traits": "name", "values": "spent"}


def _closing(tokens: list[_Token]) -> dict[int, int]:
    """Return the token that closes the bracket at a place; the end if none does."""
    found: dict[int, int] = {}
    open_: list[int] = []
    for index, token in enumerate(tokens):
        if token.text in ("(", "["):
            open_.append(index)
        elif token.text in (")", "]") and open_:
            found[open_.pop()] = index
    return found | dict.fromkeys(open_, len(tokens))  # they close nowhere


def _arguments(tokens: list[_Token], index: int, closing: Mapping[int, int], *, is_test: bool) -> tuple[int, list[_Token]]:
    """Return how many arguments without a name, and which names of others, are in the brackets that open at `index`, if any do.

    Nested brackets are skipped, so that brackets in brackets take linear time.
    """
    if index >= len(tokens) or tokens[index].text != "(":
        # A test may have no brackets: `is divisibleby 3`.
        bare = is_test and index < len(tokens) and (tokens[index].kind in ("number", "string") or _is_name(tokens[index]))
        return int(bare), []
    arguments: list[list[_Token]] = [[]]
    end, index = closing[index], index + 1
    while index < end:
        if tokens[index].text == ",":
            arguments.append([])
        else:
            arguments[-1].append(tokens[index])
        index = closing.get(index, index) + 1
    found = [argument for argument in arguments if argument]
    named = [argument[0] for argument in found if len(argument) > 1 and argument[1].text == "="]
    return len(found) - len(named), named


def _number(arguments: int) -> str:
    return f"{arguments} argument{'s' * (arguments != 1)}"


def _is_name(token: _Token) -> bool:
    return token.kind == "name" and token.text not in _WORDS


def _can_index(before: _Token | None) -> bool:
    return before is not None and (
        before.text in (")", "]") or (before.kind in ("name", "string") and before.text not in _WORDS - {"loop"})
    )


def _is_callable(tokens: list[_Token], index: int) -> bool:
    """Return whether the bracket at `index` calls what comes before it, and that is neither a filter nor a test."""
    before = tokens[index - 1]
    if before.text in (")", "]") or before.kind == "string":
        return True
    if before.kind != "name" or before.text in _WORDS:
        return False
    leader = tokens[index - 2].text if index > 1 else ""
    if leader == "not" and index > 2:
        leader = tokens[index - 3].text
    return leader not in ("|", "is")


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])
