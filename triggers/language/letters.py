"""Which characters names are made of: those of Unicode 3.2, which every Python carries beside its own, newer tables.

A rule set that one Python accepts must be read by all others in the same way, and each release of Python knows more letters. Of living
scripts 3.2 lacks little, and texts in quotes may hold any character.
"""

from __future__ import annotations

from typing import Final
from unicodedata import ucd_3_2_0 as ucd

_LETTERS: Final = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nd"})
_UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def is_letter(char: str) -> bool:
    """A letter or a digit of any script."""
    return ucd.category(char) in _LETTERS


def is_printable(text: str) -> bool:
    """Without control characters, line breaks, surrogates and what turns the direction of writing."""
    return not any(ucd.category(char) in _UNPRINTABLE for char in text)


def known(text: str) -> str:
    """The text without the characters that Unicode 3.2 lacks."""
    return text if text.isascii() else "".join(char for char in text if ucd.category(char) != "Cn")
