"""What a template can read and call while it renders: JSON values without methods, and limited filters."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from decimal import ROUND_HALF_UP, Context, Decimal
from itertools import islice
from typing import Any, Final, NamedTuple

import minijinja
import orjson

from triggers.language.dates import format_fault, formatted

MAX_RESULT: Final = 32 * 1024
"""Maximum length of a text that a template, or a filter in it, may make, in characters."""
MAX_VALUE: Final = 16 * 1024
"""Maximum length of a trait or property that a template may show, in characters."""
MAX_ITEMS: Final = 1_000
"""Maximum number of items of a list or mapping that a template may read."""
MAX_PRODUCT: Final = 10**15
"""Largest result of the filter `times`."""
FUEL: Final = 10_000
"""Maximum number of instructions of one rendering: about three thousand printed values."""


ZONE: Final = " zone"
"""The variable that holds the user's zone for filters; a template cannot name it."""


class Takes(NamedTuple):
    """The arguments of a filter or test."""

    least: int = 0
    most: int = 0
    named: tuple[str, ...] = ()


_NOTHING: Final = Takes()
TESTS: Final[Mapping[str, Takes]] = {
    **dict.fromkeys(("defined", "undefined", "none", "string", "number", "iterable", "odd", "even", "true", "false"), _NOTHING),
    "divisibleby": Takes(1, 1),
}
FILTERS: Final[Mapping[str, Takes]] = {
    **dict.fromkeys(("abs", "bool", "capitalize", "count", "e", "escape", "first", "items", "last", "length", "lower"), _NOTHING),
    **dict.fromkeys(("reverse", "string", "title", "tojson", "upper", "urlencode"), _NOTHING),
    **dict.fromkeys(("d", "default"), Takes(0, 2)),
    "date": Takes(1, 1, ("format",)),
    **dict.fromkeys(("max", "min", "unique"), Takes(0, 0, ("attribute", "case_sensitive"))),
    "fixed": Takes(0, 1, ("decimals",)),
    "float": Takes(0, 1, ("default",)),
    "int": Takes(0, 2, ("base", "default")),
    "join": Takes(0, 1, ("separator",)),
    "number": Takes(0, 1, ("separator",)),
    "replace": Takes(2, 2, ("new", "old")),
    "round": Takes(0, 1, ("method", "precision")),
    "sort": Takes(0, 0, ("attribute", "case_sensitive", "reverse")),
    "sum": Takes(0, 0, ("attribute", "start")),
    "times": Takes(1, 1, ("factor",)),
    "trim": Takes(0, 1),
}


class TemplateFailed(Exception):  # noqa: N818 - its name says what happened
    """A template could not be rendered. The message is one line and depends only on the template and its data."""


def environment() -> minijinja.Environment:
    """Create an environment for one template. It costs 6 us, and forgotten rule sets leave nothing behind."""
    made = minijinja.Environment(
        fuel=FUEL,
        pycompat=False,
        debug=True,
        undefined_behavior="chainable",
        auto_escape_callback=_no_escape,
        finalizer=_printed,
        keep_trailing_newline=True,
    )
    for name in ("range", "dict", "namespace", "cycler", "joiner", "debug"):
        made.remove_global(name)
    for name, function in _FILTERS.items():
        made.add_filter(name, function)
    return made


def _printed(value: object) -> object:
    """Return what `{{ }}` prints for a value: nothing for null, flags as in JSON."""
    if value is None:
        return ""
    return ("true" if value else "false") if isinstance(value, bool) else value


def _no_escape(_name: str) -> bool:
    return False


def reason(error: minijinja.TemplateError) -> str:
    """Describe an error in one line."""
    text = error.detail or error.kind
    if error.kind == "OutOfFuel":
        text = "the template does too much"
    return " ".join(text.split())[:200] + (f" (line {error.line})" if error.line else "")


def shown(value: object) -> object:
    """Wrap a JSON value for a template. Raises `TemplateFailed` for a text that is too long."""
    if isinstance(value, str):
        if len(value) > MAX_VALUE:
            raise TemplateFailed(f"a value of {len(value):,} characters; at most {MAX_VALUE:,}")
        return value
    if isinstance(value, dict):
        return _Object(value)
    if isinstance(value, list):
        return _Array(value)
    return value


class _Object:
    """A mapping without methods: a template can only read its items."""

    __slots__ = ("__data",)

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.__data = data

    def __getitem__(self, key: str) -> object:
        value = self.__data[key]
        if value is None:
            raise KeyError(key)
        return shown(value)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.__data.get(key) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(list(_few(self.__data)))

    def __len__(self) -> int:
        return len(self.__data)

    def __str__(self) -> str:
        return _json(self.__data)

    __repr__ = __str__


class _Array:
    """A list without methods."""

    __slots__ = ("__data",)

    def __init__(self, data: list[Any]) -> None:
        self.__data = data

    def __getitem__(self, index: int) -> object:
        value = self.__data[index]
        if value is None:
            raise IndexError(index)
        return shown(value)

    def __iter__(self) -> Iterator[Any]:
        # minijinja knows no missing item of a loop: it would print "None".
        return iter(["" if value is None else shown(value) for value in _few(self.__data)])

    def __len__(self) -> int:
        return len(self.__data)

    def __str__(self) -> str:
        return _json(self.__data)

    __repr__ = __str__


def _few(data: Collection[Any]) -> Collection[Any]:
    if len(data) > MAX_ITEMS:
        raise TemplateFailed(f"{len(data):,} items; at most {MAX_ITEMS:,}")
    return data


def _json(value: object) -> str:
    # minijinja would hide an error here, so a value that is too long is cut.
    text = orjson.dumps(value).decode()
    return text if len(text) <= MAX_VALUE else text[:MAX_VALUE] + "..."


# ---- filters --------------------------------------------------------------------------------------------------------


def _bounded(text: str) -> str:
    if len(text) > MAX_RESULT:
        raise TemplateFailed(f"a filter makes a text of more than {MAX_RESULT:,} characters")
    return text


def _text(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else str(_printed(value))


def _replace(value: object, old: object, new: object) -> str:
    text, before, after = _text(value), _text(old), _text(new)
    if len(text) + text.count(before) * (len(after) - len(before)) > MAX_RESULT:
        raise TemplateFailed(f"a filter makes a text of more than {MAX_RESULT:,} characters")
    return text.replace(before, after)


def _join(values: Iterable[object] | None, separator: object = "") -> str:
    if values is None:
        return ""
    parts = (
        [_text(value) for value in islice(iter(values), MAX_ITEMS + 1)] if not isinstance(values, str) else list(values[: MAX_ITEMS + 1])
    )
    if len(parts) > MAX_ITEMS:
        raise TemplateFailed(f"more than {MAX_ITEMS:,} items to join")
    between = _text(separator)
    if sum(map(len, parts)) + len(between) * len(parts) > MAX_RESULT:
        raise TemplateFailed(f"a filter makes a text of more than {MAX_RESULT:,} characters")
    return between.join(parts)


def _items(value: object) -> list[tuple[str, object]]:
    return [(key, value[key]) for key in value if key in value] if isinstance(value, _Object) else []


def _urlencode(value: object) -> str:
    return _bounded("".join(chr(byte) if byte in _URL_SAFE else f"%{byte:02X}" for byte in _text(value).encode(errors="replace")))


_URL_SAFE: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~/")


def _tojson(value: object) -> str:
    if isinstance(value, _Object | _Array):
        return str(value)
    return _bounded(orjson.dumps(value).decode())


def _times(value: object, factor: object) -> int | float:
    product = _number(value) * _number(factor)
    if abs(product) > MAX_PRODUCT:
        raise TemplateFailed(f"times makes a number above {MAX_PRODUCT:,}")
    return product


def _fixed(value: object, decimals: object = 2) -> str:
    """Return the number with this many decimals, rounded half up on the decimal as it is written; a missing value stays empty."""
    if type(decimals) is not int or not 0 <= decimals <= 6:
        raise TemplateFailed("fixed takes 0 to 6 decimals")
    found = _decimal(value, "fixed")
    if found is None:
        return ""
    rounded = found.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP, _CONTEXT)
    return f"{rounded or abs(rounded):f}"


@minijinja.pass_state
def _date(state: minijinja._lowlevel.State, value: object, format: object = "") -> str:  # noqa: A002
    """Format the moment on the user's calendar; a missing value stays empty."""
    if value is None or value == "":
        return ""
    form = _text(format)
    if fault := format_fault(form):
        raise TemplateFailed(fault)
    found = formatted(value, form, state.lookup(ZONE)) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    if found is None:
        raise TemplateFailed(f"date takes a moment, not {_text(value)[:40]!r}")
    return found


def _grouped(value: object, separator: object = ",") -> str:
    """Return the number as it is written, with a separator between thousands: 1234567.5 is 1,234,567.5, and with a point 1.234.567,5."""
    between = _text(separator)
    if len(between) > 1:
        raise TemplateFailed("number takes a separator of one character")
    found = _decimal(value, "number")
    if found is None:
        return ""
    sign, whole, point, rest = re.fullmatch(r"(-?)([0-9]+)(\.?)([0-9]*)", f"{found:f}").groups()  # type: ignore[union-attr]
    if between == ".":
        point = point and ","
    return f"{sign}{int(whole):,}".replace(",", between) + point + rest


def _decimal(value: object, name: str) -> Decimal | None:
    """Return a number from a number or a text that is written like one; None for a missing value."""
    if value is None or value == "":
        return None
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        written = value if isinstance(value, str) else repr(value)
        if len(written) <= _LONGEST and _NUMERIC.fullmatch(written) and abs((found := Decimal(written)).adjusted()) <= _LONGEST:
            return found
    raise TemplateFailed(f"{name} takes a number, not {_text(value)[:40]!r}")


_NUMERIC: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")
_LONGEST: Final = 40
_CONTEXT: Final = Context(prec=100)


def _number(value: object) -> int | float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise TemplateFailed(f"times takes numbers, not {_text(value)[:40]!r}")


_FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "replace": _replace,
    "join": _join,
    "items": _items,
    "string": _text,
    "urlencode": _urlencode,
    "tojson": _tojson,
    "times": _times,
    "fixed": _fixed,
    "date": _date,
    "number": _grouped,
}
