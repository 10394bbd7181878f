"""Warn of texts in languages that no user has: names of countries and words, and parts that the trait `locale` does not give."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from triggers.language.documents import Map, Problem
from triggers.rules.warnings.nodes import parts, value, warning
from triggers.rules.written import Written
from triggers.steps.languages import DEFAULT, normal

COUNTRIES: Final = {
    "cn": "zh",
    "jp": "ja",
    "kr": "ko",
    "cz": "cs",
    "dk": "da",
    "gr": "el",
    "ua": "uk",
    "gb": "en",
    "us": "en",
    "at": "de",
    "tw": "zh-TW",
    "hk": "zh-HK",
}
"""Codes of countries that are no codes of languages, with the language that is probably meant."""
_CODE: Final = (2, 3)
"""Letters of the code of a language."""


def unchosen_languages(written: Written) -> Iterator[Problem]:
    declared = _declared_traits(written)
    only_locale = "locale" in declared and "language" not in declared
    for journey in written.journeys.values():
        for send in parts(journey):
            for _, texts in send:
                for name, _ in texts.entries if isinstance(texts, Map) else ():
                    language = normal(name.text)
                    first, _, rest = language.partition("-")
                    what = f'no user gets the text of "{name.text}"'
                    if language == DEFAULT:
                        continue
                    if first in COUNTRIES:
                        yield warning(name, f"{what}: that is a country", f"its language is {COUNTRIES[first]}")
                    elif len(first) not in _CODE:
                        yield warning(name, f"{what}: languages have codes of two or three letters", "as in de, zh-TW or pt-BR")
                    elif rest and only_locale:
                        hint = f"declare the trait language too, or name it {first}"
                        yield warning(name, f'{what}: of the trait locale only the first part counts, here "{first}"', hint)


def _declared_traits(written: Written) -> set[str]:
    """Return the traits that the schema declares; none without a schema."""
    found: set[str] = set()
    for schema in written.sections.get("schema", ()):
        traits = value(schema, "traits") if isinstance(schema, Map) else None
        found |= {name.text for name, _ in traits.entries} if isinstance(traits, Map) else set()
    return found
