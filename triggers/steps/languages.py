"""Texts in several languages: `text: {default: Hello, de: Hallo, zh-TW: 你好}`.

The user's language is the trait `language`; without one, the first part of the trait `locale`. A text of exactly this language comes first,
then one of the first part of it (`de` for `de-AT`), then `default`. Upper and lower case are the same, and so are `-` and `_`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULT: Final = "default"
"""The key of the text for all other users."""
NAME: Final = re.compile(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8}){0,3}")
"""A name of a language, such as `de`, `zh-TW` or `pt_BR`."""
Text = TypeVar("Text")


def normal(name: str) -> str:
    """Return the form of a name by which languages are compared."""
    return name.strip().replace("_", "-").lower()


def language_of(traits: Mapping[str, Any]) -> str:
    """Return the language of a user in this form; empty if it is not known."""
    own, locale = traits.get("language"), traits.get("locale")
    if isinstance(own, str) and own.strip():
        return normal(own)
    return normal(locale).partition("-")[0] if isinstance(locale, str) else ""


def chosen(texts: Mapping[str, Text], language: str) -> Text:
    """Return the text for a language. The keys of `texts` are in the form for comparing."""
    for name in (language, language.partition("-")[0]):
        if name != DEFAULT and name in texts:
            return texts[name]
    return texts[DEFAULT]


def texts_of(message: Mapping[str, str | Mapping[str, str]]) -> Iterator[str]:
    """Yield the texts of a message in all languages."""
    for part in message.values():
        if isinstance(part, str):
            yield part
        else:
            yield from part.values()
