"""Any files are a rule set or a list of problems, never another exception."""

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rules.loading import EXAMPLES
from triggers.journeys.plan import compile_plan
from triggers.language.documents import Problem, RuleErrors
from triggers.rules.checks import load, rules_hash
from triggers.rules.folder import read_folder


def check(files: dict[str, str]) -> None:
    found: tuple[Problem, ...] = ()
    try:
        rules = load(files)
    except RuleErrors as errors:
        found = errors.problems
    else:
        assert rules.hash == rules_hash(files)
        compile_plan(rules)
        return
    assert found
    for problem in found:
        assert problem.line >= 1
        assert problem.column >= 1
        assert "\n" not in str(problem)


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=200), max_size=3))
def test_any_files_are_a_rule_set_or_problems(files: dict[str, str]) -> None:
    """Never another exception."""
    check(files)


SCALARS = st.sampled_from(
    [
        *[
            "1",
            "2",
            "true",
            "",
            "~",
            "x",
            "A",
            "s",
            "3d",
            "0d",
            "24h",
            "never",
            "always",
            "drop",
            "send",
            "finish",
            "exit",
            "push",
            "UTC",
            "number",
        ],
        *[
            "did('A')",
            "'count(\"A\") > 1'",
            '"traits.x == 1"',
            "'every_day(3, did(\"A\"))'",
            '"{{ traits.x }}"',
            '"{{ x"',
            "[",
            "{",
            "&a x",
            "*a",
            "!t x",
        ],
    ]
)
KEYS = st.sampled_from(
    [
        *[
            "version",
            "segments",
            "journeys",
            "settings",
            "schema",
            "s",
            "j",
            "entry",
            "steps",
            "exit",
            "re_entry",
            "late",
            "on_change",
            "event",
            "where",
        ],
        *[
            "enters",
            "leaves",
            "after",
            "then",
            "wait",
            "send",
            "when",
            "name",
            "channel",
            "grant",
            "text",
            "not_after",
            "time_zone",
            "channels",
            "events",
        ],
        *["traits", "type", "non-negative", "A", "x.y"],
    ]
)
FLOWS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(st.builds("{}: {}".format, KEYS, inner), max_size=4).map(lambda items: "{" + ", ".join(items) + "}")
        | st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]")
    ),
    max_leaves=12,
)


@given(st.lists(st.builds("{}: {}\n".format, KEYS, FLOWS), max_size=5).map("".join))
def test_any_document_of_known_words_is_a_rule_set_or_problems(text: str) -> None:
    """Never another exception."""
    check({"a.yaml": "version: 1\n" + text})


RULES = {name: text for folder in ("cdnow", "reading-app") for name, text in read_folder(EXAMPLES / folder).items()}


@given(st.data())
def test_the_examples_with_anything_cut_doubled_or_replaced_are_a_rule_set_or_problems(data: st.DataObject) -> None:
    """Never another exception."""
    name = data.draw(st.sampled_from(sorted(RULES)))
    text = RULES[name]
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 30)))
        filling = data.draw(
            st.sampled_from(["", text[start:end] * 2, "\n", " ", ":", "'", '"', "{", "}", "[", "]", "#", "\t", "&a ", "- ", "\x00", "é"])
        )
        text = text[:start] + filling + text[end:]
    check({**RULES, name: text})
