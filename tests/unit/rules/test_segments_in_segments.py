"""`segment("S")` is the condition of S, put in its place."""

import pytest

from tests.unit.rules.loading import problems
from triggers.definitions.model import RuleSet
from triggers.journeys.plan import compile_plan
from triggers.language.documents import RuleErrors
from triggers.rules.checks import load

TWO = "version: 2\n"
SEND = "{send: {channel: push, text: hi}}"


def loaded(body: str) -> RuleSet:
    rules = load({"a.yaml": TWO + body})
    compile_plan(rules)
    return rules


def test_it_is_the_condition_of_the_segment_in_its_place() -> None:
    """In segments before and after it, and in the `when` of a step: keys and versions are those of the text written out."""
    referring = loaded(f"""
segments:
  reader: did("read", days=7)
  both: segment("reader") and not segment("payer")
  payer: sum("paid.total") > 5 or segment("reader")
journeys:
  j: {{entry: {{event: e}}, steps: [{{when: 'not segment("both")'}}, {SEND}]}}
""")
    out = loaded(f"""
segments:
  reader: did("read", days=7)
  both: did("read", days=7) and not (sum("paid.total") > 5 or did("read", days=7))
  payer: sum("paid.total") > 5 or did("read", days=7)
journeys:
  j: {{entry: {{event: e}}, steps: [{{when: 'not (did("read", days=7) and not (sum("paid.total") > 5 or did("read", days=7)))'}}, {SEND}]}}
""")
    assert {name: segment.key for name, segment in referring.segments.items()} == {name: one.key for name, one in out.segments.items()}
    assert referring.journeys == out.journeys
    assert referring.journeys["j"].hash == out.journeys["j"].hash


@pytest.mark.parametrize("journey", ["{entry: {enters: b}, steps: [%s]}", "{entry: {event: e}, steps: [{when: 'segment(\"b\")'}, %s]}"])
def test_a_journeys_version_changes_with_what_its_segments_refer_to(journey: str) -> None:
    rules = "segments: {a: 'did(\"A\", days=%d)', b: 'segment(\"a\") and traits.x'}\njourneys: {j: " + journey % SEND + "}\n"
    one, two = loaded(rules.replace("%d", "1")).journeys["j"], loaded(rules.replace("%d", "2")).journeys["j"]
    assert one.version != two.version
    assert one.hash != two.hash


def test_it_refers_to_segments_of_other_files_also_of_version_1() -> None:
    rules = load({"a.yaml": TWO + "segments: {b: 'segment(\"a\")'}", "b.yaml": "version: 1\nsegments: {a: 'did(\"A\")'}"})
    assert rules.segments["a"].key == rules.segments["b"].key


def test_files_of_version_1_do_not_know_it() -> None:
    assert problems("version: 1\nsegments: {a: 'segment(\"b\")', b: did('B')}") == [
        'a.yaml:2:16: segment(...) is not known in version 1; needs "version: 2" at the top of the file'
    ]


def test_a_circle_is_refused_once_with_all_its_segments() -> None:
    circle = TWO + "segments:\n  a: segment('b') and did('A')\n  b: traits.x or segment('c')\n  c: not segment('a')\n  d: segment('d')\n"
    assert problems(circle + "  e: segment('a') or segment('b')\n") == [
        "a.yaml:5:10: segments refer to each other in a circle: a -> b -> c -> a; write out what one segment says",
        "a.yaml:6:6: segments refer to each other in a circle: d -> d; write out what one segment says",
    ]


def test_a_fault_is_reported_where_it_was_written_and_nowhere_else() -> None:
    rules = TWO + "segments:\n  a: segment('b') and segment('b')\n  b: cuont('A') > 1\njourneys:\n"
    assert problems(rules + f"  j: {{entry: {{enters: a}}, steps: [{{when: segment('b')}}, {SEND}]}}\n") == [
        'a.yaml:4:6: unknown function "cuont"; did you mean "count"?'
    ]


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        ("segment('bb')", 'a.yaml:2:16: unknown segment "bb"; did you mean "b"?'),
        ("segment(b)", "a.yaml:2:16: segment takes the name of one segment in quotes"),
        ("segment('b', days=3)", "a.yaml:2:16: segment takes the name of one segment in quotes"),
        ("segment('b') == True", "a.yaml:2:16: segment(...) is true or false and is not compared; write segment(...) or not segment(...)"),
        ("did('A', where=segment('b'))", "a.yaml:2:31: segment(...) inside where=; a segment is about the user now"),
        ("every_day(3, segment('b'))", "a.yaml:2:29: segment(...) inside every_day; a segment is about the user now"),
        ("b and did('A')", 'a.yaml:2:16: b is a segment; write segment("b")'),
    ],
)
def test_what_is_no_reference_is_refused(condition: str, problem: str) -> None:
    found = problems(TWO + f'segments: {{a: "{condition}", b: "did(\'B\')", long-name: traits.x}}')
    assert len(found) == 1
    assert found[0].replace("24", "16").startswith(problem), found


def chain(length: int, referring: str = "segment('s{}')") -> str:
    segments = [f"  s{index}: {referring.replace('{}', str(index + 1))}\n" for index in range(length)]
    return TWO + "segments:\n" + "".join(segments) + f"  s{length}: did('A')\n"


def test_levels_are_counted_with_those_of_all_that_it_refers_to() -> None:
    """Each reference is a level, and `did("A")` has two."""
    load({"a.yaml": chain(48)})
    assert [problem.partition(";")[0] for problem in problems(chain(49))] == [
        "a.yaml:3:7: the expression is too big: 51 levels and 150 parts"
    ]


def test_parts_are_counted_with_those_of_all_that_it_refers_to() -> None:
    """Each segment has more than twice the parts of the next one: the error is at the first that is too big, in no time."""
    found = problems(chain(200, "segment('s{}') and segment('s{}')"))
    assert len(found) == 1
    assert "1,273 parts" in found[0]


def test_a_long_chain_needs_no_deep_recursion() -> None:
    with pytest.raises(RuleErrors, match="51 levels"):
        load({"a.yaml": chain(1_990)})
