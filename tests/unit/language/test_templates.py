"""Message texts: what a template can say, and that neither its author nor a phone's data can make it cost or reveal anything."""

import contextlib
import copy
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers.base.moments import zone
from triggers.language.templates import MAX_TEMPLATE, TemplateError, TemplateFailed, compile_template
from triggers.testing import Story

TRAITS: dict[str, Any] = {
    "name": "Ann <b>",
    "first name": "Ann",
    "flag": True,
    "nothing": None,
    "items": "a trait that is named like a method",
    "list": [1, "x", {"a": "b"}, None],
    "address": {"city": "Köln", "zip": None, "geo": {"lat": 1.5}},
    "long": "x" * 17_000,
    "many": list(range(2_000)),
    "empty": [],
}
PROPERTIES: dict[str, Any] = {
    "total": 19.99,
    "count": 3,
    "products": [{"name": "A", "quantity": 2}, {"name": "B", "quantity": 1}],
    "zero": 0,
}


def render(text: str) -> str:
    return compile_template(text).render(
        traits=TRAITS, properties=PROPERTIES, run={"id": "j@1:u:0-o7", "journey": "j", "entered": 5}, user="u1"
    )


def faults(text: str) -> list[str]:
    with pytest.raises(TemplateError) as caught:
        compile_template(text)
    return [f"{at}: {message}" + (f"; {hint}" if hint else "") for at, message, hint in caught.value.faults]


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("Welcome", "Welcome"),
        ("100 % {sure} } and *bold*\n", "100 % {sure} } and *bold*\n"),
        ("Welcome {{ traits.name }}", "Welcome Ann <b>"),
        ('{{ traits["first name"] }} {{ traits.address.city }} {{ traits.address["geo"].lat }}', "Ann Köln 1.5"),
        ("{{ traits.nope }}|{{ traits.nothing }}|{{ traits.address.zip }}|", "|||"),
        ("{{ traits.nope or 'reader' }} {{ traits.nope|default('you') }}", "reader you"),
        ("{{ traits.items }}", "a trait that is named like a method"),
        ("{{ user }} {{ run.id }} {{ run.journey }} {{ run.entered }}", "u1 j@1:u:0-o7 j 5"),
        ("{{ properties.total }} {{ properties.count + 1 }} {{ properties.total|times(3)|round(2) }}", "19.99 4 59.97"),
        ("{% if properties.total > 10 and traits.flag %}big{% elif properties.zero %}none{% else %}small{% endif %}", "big"),
        ("{% for p in properties.products %}{{ p.quantity }} {{ p.name }}{% if not loop.last %}, {% endif %}{% endfor %}", "2 A, 1 B"),
        (
            "{% for p in traits.nope %}x{% else %}nothing{% endfor %}{% for p in traits.empty %}x{% else %}nothing{% endfor %}",
            "nothingnothing",
        ),
        ("{% for k, v in traits.address|items %}{{ k }}={{ v }};{% endfor %}", 'city=Köln;geo={"lat":1.5};'),
        (
            "{% for a in properties.products %}{% for b in properties.products %}{{ a.name ~ b.name }} {% endfor %}{% endfor %}",
            "AA AB BA BB ",
        ),
        ("{{ traits.list[2].a }} {{ traits.list|length }} {{ traits.list|first }} {{ traits.name[0:3] }}", "b 4 1 Ann"),
        ("{{ traits.list }} {{ traits.address }}", '[1,"x",{"a":"b"},null] {"city":"Köln","zip":null,"geo":{"lat":1.5}}'),
        (
            "{{ traits.name|upper }} {{ traits.name|escape }} {{ 'a b/ü&'|urlencode }} {{ traits.name|tojson }}",
            'ANN <B> Ann &lt;b&gt; a%20b/%C3%BC%26 "Ann <b>"',
        ),
        (
            "{{ traits.name|replace('Ann', 'Bob') }} {{ properties.products|length }} {{ traits.address|tojson }}",
            'Bob <b> 2 {"city":"Köln","zip":null,"geo":{"lat":1.5}}',
        ),
        ("{{ traits.list|join('-') }} {{ 'abc'|join('-') }} {{ traits.nope|join('-') }}", '1-x-{"a":"b"}- a-b-c '),
        ("{{ 'yes' if traits.flag else 'no' }} {{ 'y' if traits.nope is defined }} {{ traits.name is not string }}", "yes  false"),
        ("{{ 'x' if traits.name in ('a', 'Ann <b>') }}{{ 'z' in traits.list }}", "xfalse"),
        ("{# {{ nothing }} #}{%- if traits.flag -%}  x  {%- endif -%}", "x"),
        ("{{ '}}' }} {{ \"%}\" }} {{ '{{' }}", "}} %} {{"),
        ("{{ traits.list[3] }}|{{ traits.list|last }}|{{ traits.list[3]|upper }}|{{ traits.list[3] or 'w' }}", "|||w"),
        (
            "{% for x in traits.list %}{{ x }}{{ x ~ '' }}{{ x|lower }}{{ x or '-' }};{% endfor %}",
            '1111;xxxx;{"a":"b"}{"a":"b"}{"a":"b"}{"a":"b"};-;',
        ),
        (
            "{{ traits.list[0]|round(precision=1) }} {{ traits.list|join(separator=',') }} {{ properties.count is divisibleby 3 }}",
            '1 1,x,{"a":"b"}, true',
        ),
        ("{{ traits.name|replace('Ann', 'B(,')|default('x', true)|trim('B') }}", "(, <b>"),
        ("{{ traits.flag }} {{ 7 // 2 }} {{ 7 / 2 }} {{ -properties.count }}", "true 3 3.5 -3"),
    ],
)
def test_a_template_says_what_its_data_says(text: str, result: str) -> None:
    assert render(text) == result


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ traits.name|fixed(2) }}", "fixed takes a number, not 'Ann <b>'"),
        ("{{ properties.total|fixed(7) }}", "fixed takes 0 to 6 decimals"),
        ("{{ traits.flag|number }}", "number takes a number, not 'true'"),
        ("{{ properties.total|number('::') }}", "number takes a separator of one character"),
        ("a\n{{ 1 / properties.zero }}", "unable to calculate 1 / 0 (line 2)"),
        ("{{ traits.name + 1 }}", "tried to use + operator on unsupported types string and number (line 1)"),
        ("{{ traits.long }}", "a value of 17,000 characters; at most 16,384"),
        ("{{ traits.name|times(2) }}", "times takes numbers, not 'Ann <b>'"),
        ("{{ traits.flag|times(2) }}", "times takes numbers, not 'true'"),
        ("{{ properties.count|times(10000000000000000) }}", "times makes a number above 1,000,000,000,000,000"),
        ("{{ traits.many|join(',') }}", "2,000 items; at most 1,000"),
        ("{{ traits.list|int }}", "cannot convert iterator to integer (line 1)"),
    ],
)
def test_what_cannot_be_rendered_says_why_in_one_line(text: str, reason: str) -> None:
    for _ in range(2):
        with pytest.raises(TemplateFailed) as caught:
            render(text)
        assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Hi {{ trait.name }}", '6: unknown variable "trait"; did you mean "traits"?'),
        (
            "{{ name }}",
            '3: unknown variable "name"; a trait is traits.name, a property of the event properties.name, a named value values.name',
        ),
        ("{{ run.version }}", '3: unknown variable "run.version"; known: entered, id, journey'),
        ("{{ traits }}", "3: traits as a whole; name one, as in traits.name"),
        ("{{ properties|tojson }}", "3: properties as a whole; name one, as in properties.total"),
        ("{% for k in properties %}{% endfor %}", "12: properties as a whole; name one, as in properties.total"),
        ("{{ properties[user] }}", '3: properties as a whole; a name in quotes belongs into [...], as in properties["book id"]'),
        ("{{ traits.name|uper }}", '15: unknown filter "uper"; did you mean "upper"?'),
        ("{{ traits.name is strin }}", '18: unknown test "strin"; did you mean "string"?'),
        ("{{ 'x'|format(1) }}", '7: unknown filter "format"; did you mean "float"?'),
        ("{{ traits.name|replace }}", "15: replace with 0 arguments; as in traits.name|replace('a', 'b')"),
        ("{% if traits.x %}{{ traits.name|replace('a') }}{% endif %}", "32: replace with 1 argument; as in traits.name|replace('a', 'b')"),
        ("{{ properties.total|times }}", "20: times with 0 arguments; as in properties.total|times(2)"),
        ("{{ traits.name|upper(1) }}", "15: upper with 1 argument; it takes none"),
        ("{{ traits.list|join(', ', '.') }}", "15: join with 2 arguments; it takes 1 at most"),
        ("{{ properties.total|round((1, 2)[0], 3) }}", "20: round with 2 arguments; it takes 1 at most"),
        ("{{ traits.list|sort(revers=true) }}", '20: unknown argument "revers" of sort; did you mean "reverse"?'),
        ("{{ properties.count is divisibleby }}", "23: divisibleby with 0 arguments; as in properties.count is divisibleby(2)"),
        ("{{ traits.name is defined(1) }}", "18: defined with 1 argument; it takes none"),
        ("{{ \u201cx\u201d }}", '3: unknown variable "\u201cx\u201d"; known: properties, run, traits, user, values'),
        ("{{ traits.list|map('upper') }}", '15: unknown filter "map"; did you mean "max"?'),
        ("{{ traits.name.upper() }}", "20: a call in a template; there are filters: {{ traits.name|upper }}"),
        ("{{ traits.clear() }}", "15: a call in a template; there are filters: {{ traits.name|upper }}"),
        ("{{ properties.total * 2 }}", "20: * in a template; multiply with the filter times, as in {{ properties.total|times(2) }}"),
        ("{{ 2 ** 3 }}", "5: ** in a template; multiply with the filter times"),
        ("{{ [1, 2] }}", "3: [ in a template; lists cannot be written in a template"),
        ("{{ {'a': 1} }}", "3: { in a template; mappings cannot be written in a template"),
        ("{% set x = 1 %}", '3: unknown tag "set"; known: elif, else, endfor, endif, for, if'),
        ("{%- macro f() %}{% endmacro %}", '4: unknown tag "macro"; known: elif, else, endfor, endif, for, if'),
        ("{% include 'x' %}", '3: unknown tag "include"; known: elif, else, endfor, endif, for, if'),
        ("{% raw %}{% endraw %}", '3: unknown tag "raw"; known: elif, else, endfor, endif, for, if'),
        ("{% fro x in traits.list %}{% endfor %}", '3: unknown tag "fro"; did you mean "for"?'),
        ("{% for x traits.list %}{% endfor %}", "0: a for without in; as in {% for item in properties.products %}"),
        (
            "{% for x in (traits.a ~ traits.a) %}{% endfor %}",
            "12: ( in a for; a for goes over a list of traits, properties or of a loop around it",
        ),
        ("{% for traits in user %}{% endfor %}", "0: traits cannot be the name of an item"),
        ("{{ x", "0: {{ is not closed; close it with }}"),
        ("a {% if x", "2: {% is not closed; close it with %}"),
        ("{# x", "0: a comment {# that is not closed; close it with #}"),
        ("{{ }}", "3: not a template: unexpected end of variable block"),
        ("{% %}", "0: an empty {% %}"),
        ("{% if traits.x %}", "15: not a template: unexpected end of input, expected end of block"),
        ("{% endif %}", "3: not a template: unknown statement endif"),
        ("ü\n{{ traits.x | }}", "16: not a template: unexpected end of variable block, expected identifier"),
        ("x" * (MAX_TEMPLATE + 1), f"0: a template of {MAX_TEMPLATE + 1:,} characters; at most {MAX_TEMPLATE:,}"),
        ("{{ " + "~ traits.a " * 21 + "}}", "0: 21 ~ and + in one tag; at most 20"),
    ],
)
def test_what_is_no_template_is_named_at_its_place(text: str, fault: str) -> None:
    assert faults(text)[0] == fault


def test_all_faults_of_a_template_are_named_up_to_a_number() -> None:
    assert [fault.partition(":")[0] for fault in faults("{{ a }}{{ b }}{{ traits.x|y }}")] == ["3", "10", "26"]
    assert len(faults("{{ a }}" * 1_000)) == 20


def test_a_template_knows_what_it_looks_at() -> None:
    template = compile_template(
        "{{ traits.a.b }} {% for x in properties.list %}{{ x.y }}{{ loop.index }}{{ properties['book id'].z }}{% endfor %}{{ user }}"
    )
    assert template.paths == {("traits", "a", "b"), ("properties", "list"), ("properties", "book id", "z"), ("user",)}
    assert template.properties == {"list", "book id"}


def test_a_name_of_a_loop_is_known_inside_it_alone() -> None:
    compile_template("{% for x in traits.a %}{% for y in x %}{{ x }}{{ y }}{% endfor %}{{ x }}{% endfor %}")
    assert faults("{% for x in traits.a %}{% endfor %}{{ x }}") == [
        '38: unknown variable "x"; a trait is traits.x, a property of the event properties.x, a named value values.x'
    ]


def test_rendering_changes_nothing_and_gives_the_same_text_again() -> None:
    before = copy.deepcopy((TRAITS, PROPERTIES))
    for text in (
        "{{ traits.list|sort }}{{ traits.list|reverse }}{{ traits.address|items }}",
        "{% for x in traits.list %}{{ x }}{% endfor %}",
    ):
        assert render(text) == render(text)
        assert "0x" not in render(text), "an address in memory"
    assert before == (TRAITS, PROPERTIES)


@pytest.mark.parametrize(
    "name", ["clear", "items", "keys", "pop", "append", "sort", "__class__", "_Object__data", "_Array__data", "__dict__"]
)
def test_nothing_of_python_shows_through_a_value(name: str) -> None:
    assert compile_template("{{ traits['NAME'] }}|{{ traits.list['NAME'] }}|".replace("NAME", name)).render(traits={"list": [1]}) == "||"


@pytest.mark.parametrize(
    "text",
    [
        "{% for a in traits.l %}{% for b in traits.l %}{% for c in traits.l %}{{ a }}{% endfor %}{% endfor %}{% endfor %}",
        "{% for a in traits.l %}{{ traits.s }}{{ traits.s }}{{ traits.s }}{% endfor %}",
        "{{ traits.s|replace('x', traits.s) }}",
        "{{ traits.s|replace('', traits.s)|replace('', traits.s) }}",
        "{{ traits.l|join(traits.s) }}",
        "{% for a in traits.l %}{{ traits.l|sort|join }}{% endfor %}",
        "{{ " + "(" * 500 + "1" + ")" * 500 + " }}",
        "{{ " + "-" * 9_000 + "1 }}",
        "{{ traits" + ".a" * 5_000 + " }}",
        "{% if 1 %}" * 700 + "{% endif %}" * 700,
        "{{ traits.s" + "|urlencode" * 900 + " }}",
        "{{ '" + "%" * 9_000 + "'" + "|urlencode" * 500 + " }}",
    ],
    ids=lambda text: text[:30],
)
def test_no_template_and_no_data_cost_more_than_a_moment(text: str) -> None:
    began = time.process_time()
    with contextlib.suppress(TemplateError, TemplateFailed):
        assert len(compile_template(text).render(traits={"l": list(range(1_000)), "s": "x" * 16_000})) <= 32 * 1024
    assert time.process_time() - began < 2


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=5,
)
PARTS = st.sampled_from(
    [
        *[
            "{{ traits.a }}",
            "{{ traits.a.b }}",
            "{{ traits.a|join(traits.b) }}",
            "{{ traits.a|times(traits.b) }}",
            "{{ traits.a|replace(traits.b, 'x') }}",
        ],
        *[
            "{% for x in traits.a %}{{ x }}{{ loop.index }}{% endfor %}",
            "{% if traits.a > traits.b %}1{% endif %}",
            "{{ traits.a ~ traits.b }}",
        ],
        *[
            "{{ traits.a + traits.b }}",
            "{{ traits.a|items }}",
            "{{ traits.a|sort }}",
            "{{ traits.a[0] }}",
            "{{ traits.a == traits.b }}",
            "{{ traits.a|upper }}",
        ],
        *[
            "{{ traits.a|tojson }}",
            "{{ traits.a|urlencode }}",
            "{{ traits.a in traits.b }}",
            "{{ traits.a|round(traits.b) }}",
            "{{ traits.a|unique }}",
        ],
        *[
            "{{ traits.a|max }}",
            "{{ traits.a|sum }}",
            "{{ traits.a|int }}",
            "{{ traits.a|float }}",
            "{{ traits.a // traits.b }}",
            "{{ traits.a - traits.b }}",
        ],
    ]
)


@given(st.lists(PARTS, max_size=4).map("".join), JSON, JSON)
def test_any_data_makes_a_text_or_a_reason(text: str, a: object, b: object) -> None:
    """Never another exception, and the same each time."""
    results = []
    for _ in range(2):
        try:
            results.append(compile_template(text).render(traits={"a": a, "b": b}))
        except TemplateFailed as failure:
            results.append(f"failed: {failure}")
    assert results[0] == results[1]
    assert "\n" not in results[0] or not results[0].startswith("failed: ")
    assert " at 0x" not in results[0]


@given(
    st.lists(
        st.sampled_from(
            [
                "{{",
                "}}",
                "{%",
                "%}",
                "{#",
                "#}",
                " ",
                "traits",
                ".a",
                "|",
                "upper",
                "if",
                "for",
                "x",
                "in",
                "endif",
                "endfor",
                "'",
                '"',
                "\\",
                "(",
                ")",
                "[",
                "]",
                "{",
                "-",
                "+",
                "~",
                "is",
                "not",
                "é",
                "1",
                "=",
                ",",
                "\n",
            ]
        ),
        max_size=25,
    ).map("".join)
)
def test_any_text_is_a_template_or_its_faults(text: str) -> None:
    """Never another exception."""
    with contextlib.suppress(TemplateError, TemplateFailed):
        compile_template(text).render(traits={"a": "x"}, properties={}, run={}, user="u")


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("{{ traits.nope.city or 'there' }}", "there"),
        ("{{ traits.a.b.c }}|{{ properties.nope[0].name }}|", "||"),
        ("{{ traits.flag }} {{ false }}", "true false"),
        ("{{ traits.list|first }} {{ traits.flag|string }}", "1 true"),
        ("{{ 1.005|fixed(2) }} {{ 2.5|fixed(0) }} {{ properties.total|fixed(1) }} {{ properties.count|fixed }}", "1.01 3 20.0 3.00"),
        ("{{ '12.345'|fixed(2) }} {{ (-0.001)|fixed(2) }} {{ traits.nope|fixed(2) }}|", "12.35 0.00 |"),
        ("{{ 1234567.5|number }} {{ 1234567|number('.') }} {{ (-1234)|number }} {{ 999|number }}", "1,234,567.5 1.234.567 -1,234 999"),
        ("{{ 1234567.5|number('.') }} {{ 1234.5|fixed(2)|number('.') }}", "1.234.567,5 1.234,50"),
        ("{{ 1234.5|fixed(2)|number }} {{ 1234|number('') }} {{ traits.nope.x|number }}|", "1,234.50 1234 |"),
    ],
)
def test_what_is_missing_stays_missing_and_flags_and_numbers_print_as_people_write_them(text: str, result: str) -> None:
    assert render(text) == result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("{{ traits.at|date('%d.%m.%Y %H:%M') }}", "01.03.2026 04:30"),
        ("{{ traits.at|date(format='%j/%y') }}", "060/26"),
        ("{{ traits.ms|date('%d.%m.%Y %H:%M') }}", "01.03.2026 04:30"),
        ("{{ traits.s|date('%d.%m.%Y %H:%M') }}", "01.03.2026 04:30"),
        ("{{ run.entered|date('%d.%m.%Y %H:%M') }}", "01.03.2026 04:30"),
        ("{% for at in traits.list %}{{ at|date('%d.%m.') }}{% endfor %}", "01.03.01.03."),
        ("{{ traits.day|date('%d.%m.%Y') }}", "28.02.2026"),
        ("{{ traits.born|date('%d.%m.%Y') }} {{ traits.born_at|date('%d.%m.%y') }}", "01.03.1965 02.03.65"),
        ("{{ traits.none|date('%d') }}{{ traits.empty|date('%d') }}", ""),
    ],
)
def test_a_date_is_of_the_users_calendar(text: str, result: str) -> None:
    """At half past five in the afternoon in UTC it is half past four of the next day on Lord Howe; a date alone is no moment."""
    at = 1_772_299_800_000
    traits = {"at": "2026-02-28T17:30:00Z", "ms": at, "s": at // 1000, "list": [at, at], "day": "2026-02-28", "empty": ""}
    traits |= {"born": "1965-03-01", "born_at": "1965-03-01T17:30:00Z"}
    assert compile_template(text).render(zone("Australia/Lord_Howe"), traits=traits, run={"entered": at}) == result


@pytest.mark.parametrize("value", ["soon", True, -1, 1e300, 253_402_300_799_999, [1], "9999-12-31T23:59:59Z", "0001-01-01"])
def test_what_is_no_moment_has_no_date(value: object) -> None:
    with pytest.raises(TemplateFailed, match="date takes a moment, not"):
        compile_template("{{ traits.a|date('%d') }}").render(zone("Pacific/Kiritimati"), traits={"a": value})


def test_a_date_knows_seven_signs() -> None:
    """What the platform's own formats would add differs between machines."""
    known = "date does not know {}; it knows %d %m %Y %y %H %M %j"
    assert faults("{{ run.entered|date('%d %B') }}") == ["20: " + known.format("%B")]
    assert faults("{{ run.entered|date(format='%d%') }}") == ["27: " + known.format("%")]
    assert faults("{{ run.entered|date }}") == ["15: date with 0 arguments; as in run.entered|date('%d.%m.%Y')"]
    with pytest.raises(TemplateFailed, match="date does not know %B"):
        compile_template("{{ run.entered|date(traits.form) }}").render(traits={"form": "%B"}, run={"entered": 5})


def test_a_message_shows_the_users_date() -> None:
    rules = """version: 1
settings: {time_zone: Europe/Berlin}
journeys:
  j: {entry: {event: A}, re_entry: always, steps: [{send: {channel: push, text: "{{ run.entered|date('%d.%m. %H:%M') }}"}}]}
"""
    story = Story({"r.yaml": rules}, start="2026-07-01T23:30:00Z")
    story.track("ann", "A")
    story.identify("bob", {"timezone": "America/New_York"})
    story.track("bob", "A")
    assert [action["message"]["text"] for action in story.actions()] == ["02.07. 01:30", "01.07. 19:30"]


@pytest.mark.parametrize("text", ["\ud800", "Hello {{ traits.name }} \udfff"])
def test_half_of_a_surrogate_pair_is_no_text(text: str) -> None:
    with pytest.raises(TemplateError, match="half of a surrogate pair"):
        compile_template(text)
