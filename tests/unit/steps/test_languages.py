"""Parts of a message in several languages: which text a user gets, and what is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rules.loading import problems
from triggers.rules.checks import load
from triggers.steps.languages import chosen, language_of, normal
from triggers.testing import Story

RULES = """version: 2
journeys:
  hello:
    entry: {event: ask}
    re_entry: always
    steps:
      - send:
          channel: push
          url: https://example.org/{{ traits.language }}
          text: {default: "Hello {{ properties.name }}", zh: "你好", zh-TW: "您好 {{ properties.name }}", pt_BR: "Oi"}
          title: {default: "Hi", de: "Tag {{ traits.name }}"}
"""


@pytest.mark.parametrize(
    ("traits", "text", "title"),
    [
        ({}, "Hello Ann", "Hi"),
        ({"language": "zh"}, "你好", "Hi"),
        ({"language": "ZH_tw"}, "您好 Ann", "Hi"),
        ({"language": "zh-HK"}, "你好", "Hi"),
        ({"language": "pt-BR"}, "Oi", "Hi"),
        ({"language": "pt"}, "Hello Ann", "Hi"),
        ({"language": "de", "locale": "zh-TW", "name": "Ann"}, "Hello Ann", "Tag Ann"),
        ({"language": "fr", "locale": "zh-TW"}, "Hello Ann", "Hi"),
        ({"language": " ", "locale": "zh-TW"}, "你好", "Hi"),
        ({"language": 5, "locale": "de_AT"}, "Hello Ann", "Tag "),
        ({"language": "default"}, "Hello Ann", "Hi"),
        ({"locale": ["de"]}, "Hello Ann", "Hi"),
    ],
)
def test_the_language_of_the_user_decides(traits: dict[str, Any], text: str, title: str) -> None:
    story = Story({"r.yaml": RULES})
    story.identify("ann", traits)
    story.track("ann", "ask", {"name": "Ann"})
    message = story.actions("ann")[-1]["message"]
    assert (message["text"], message["title"]) == (text, title)
    assert list(message) == ["url", "text", "title"], "the parts keep their order"


def test_the_language_counts_at_the_moment_at_which_the_message_goes_out() -> None:
    story = Story({"r.yaml": RULES.replace("steps:", "steps:\n      - wait: 1h")})
    story.identify("ann", {"language": "de"})
    story.track("ann", "ask")
    story.identify("ann", {"language": "zh"})
    story.until("+2h")
    assert [action["message"]["text"] for action in story.actions("ann")] == ["你好"]


LANGUAGES = ["de", "de-AT", "zh", "zh-TW", "zh_Hant_TW", "PT-br", "default", "", "x"]


@given(st.lists(st.sampled_from(LANGUAGES[:6]), unique=True), st.sampled_from([None, 5, *LANGUAGES]), st.sampled_from([None, *LANGUAGES]))
def test_of_all_texts_the_nearest_one_is_chosen(names: list[str], language: object, locale: object) -> None:
    texts = {normal(name): name for name in names} | {"default": "default"}
    found = chosen(texts, language_of({"language": language, "locale": locale}))
    wanted = (
        language if isinstance(language, str) and language else locale.replace("_", "-").split("-")[0] if isinstance(locale, str) else ""
    )
    parts = wanted.replace("_", "-").upper()
    exact = [name for name in names if name.replace("_", "-").upper() == parts]
    near = [name for name in names if name.upper() == parts.split("-")[0]]
    assert found == [*exact, *near, "default"][0]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{de: "Hallo"}', '4:76: "text" has no "default"; a text under default: is for users of all other languages'),
        (
            '{default: "Hi", german language: "Hallo"}',
            '4:92: "german language" is no language; as in text: {default: "Hello", de: "Hallo"}',
        ),
        ('{default: "Hi", de: "a", DE: "b"}', '4:101: "DE" is the same language as "de"; give each language one text'),
        ('{default: "Hi", de: [a]}', '4:96: "de" is a list; a text belongs here'),
        ('{default: "Hi", Default: "a"}', '4:92: "Default" is no language; as in text: {default: "Hello", de: "Hallo"}'),
        ('{default: "Hi", de: "{{ trait.x }}"}', '4:100: unknown variable "trait"; did you mean "traits"?'),
    ],
)
def test_what_no_user_could_get_is_refused(text: str, problem: str) -> None:
    found = problems(
        f"version: 2\njourneys:\n  j:\n    {{entry: {{event: e}}, steps: [{{send: {{channel: push, title: hello, text: {text}}}}}]}}\n"
    )
    assert found == [f"a.yaml:{problem}"]


def test_a_file_of_version_1_does_not_know_languages() -> None:
    body = "journeys: {j: {entry: {event: e}, steps: [{send: {channel: push, text: {default: Hi, de: Hallo}}}]}}"
    [found] = problems(f"version: 1\n{body}")
    assert '"text" is a mapping; ' in found
    assert "version: 2" in found


def test_a_schema_without_both_traits_is_said() -> None:
    body = "journeys: {j: {entry: {event: e}, steps: [{send: {channel: push, text: {default: Hi, de: Hallo}}}]}}"
    [found] = problems(f"version: 2\nschema: {{traits: {{name: text}}}}\n{body}")
    assert 'the schema has no trait "language" and no trait "locale"' in found
    load({"a.yaml": f"version: 2\nschema: {{traits: {{locale: text}}}}\n{body}"})


def test_a_journey_without_languages_keeps_its_version_and_each_text_is_part_of_it() -> None:
    one = load({"r.yaml": RULES}).journeys["hello"].version
    other = load({"r.yaml": RULES.replace("Oi", "Oi!")}).journeys["hello"].version
    assert one != other
