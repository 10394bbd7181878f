"""The characters of names: those of Unicode 3.2, which every Python contains in addition to its own, newer tables.

All versions of Python must read a rule set in the same way, and each release of Python knows more letters. Unicode 3.2 has almost all
letters of living scripts, and texts in quotes may contain any character.
"""

from __future__ import annotations

from typing import Final
from unicodedata import ucd_3_2_0 as ucd

_LETTERS: Final = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nd"})
_UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def is_letter(char: str) -> bool:
    """Return whether this is a letter or a digit of any script."""
    return ucd.category(char) in _LETTERS


def is_printable(text: str) -> bool:
    """Return whether the text has no control characters, line breaks, surrogates, or characters that change the direction of writing."""
    return not any(ucd.category(char) in _UNPRINTABLE for char in text)


def known(text: str) -> str:
    """Return the text without the characters that Unicode 3.2 does not have."""
    return text if text.isascii() else "".join(char for char in text if ucd.category(char) != "Cn")
