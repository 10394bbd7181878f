"""What is fuzzed: one function for each parser of foreign input. Each may refuse with its own error; it may do nothing else.

A target takes a value of its strategy. It raises for a fault; it returns for a good input and for one that was refused.
"""

import contextlib
import gzip
import os
import tempfile
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple
from unittest.mock import patch

import msgspec
from hypothesis import strategies as st

from streams import settings
from streams.commands import snapshot
from streams.commands.log_history import CannotReplay, Copy
from streams.ingest import sources
from streams.ingest.calls import BadLine
from tests.fuzz.batches import read_response, responses
from tests.fuzz.inputs import HOSTILE, JSON, calls, damaged, encoded, files
from triggers.base.model import CONTROL_HEADER, MAX_VALUE, LogRecord, Place
from triggers.definitions.model import RuleSet
from triggers.engine.partition import Partition
from triggers.journeys.plan import compile_plan
from triggers.language.documents import RuleErrors
from triggers.language.rendering import MAX_RESULT
from triggers.language.templates import MAX_TEMPLATE, TemplateError, TemplateFailed, compile_template
from triggers.records.events import NeedsNewer
from triggers.records.messages import Terms
from triggers.rules.checks import load, read
from triggers.rules.warnings import warnings
from triggers.scenarios.running import run_scenarios
from triggers.state.encoding import WrongSchema, decode, encode
from triggers.state.position import Position
from triggers.state.table import Table
from triggers.testing import Story, run


def must_say_why(refusal: Exception) -> None:
    """Hold a refusal to its word: a person must be able to read what is wrong."""
    assert str(refusal).strip(), "a refusal names what is wrong"


class Target(NamedTuple):
    """One target: where inputs come from, and what must survive them."""

    inputs: st.SearchStrategy[Any]
    check: Callable[[Any], None]


RULES: Final = """version: 1
segments:
  payer: sum("order_paid.total", days=30) > 10 and traits.city == "Rome"
  reader: every_day(3, sum("app_used.minutes") > 30) and not did("order_paid")
  curious: distinct("page.path", hours=3) >= 2 or silent("app_used", days=2)
journeys:
  cart:
    entry: {event: Cart Updated, where: total > 1}
    exit: {event: order_paid, where: 'cart_id != ""'}
    re_entry: always
    steps: [{wait: 30m}, {send: {channel: push, text: "{{ properties.total or traits.city }} {{ user }}"}}]
  trial:
    entry: {enters: reader}
    steps: [{send: {channel: benefit, grant: {plan: member}}}]
  late:
    entry: {event: page}
    re_entry: {after: 1d}
    steps:
      - when: count("page", minutes=10) < 5
      - send: {channel: email, subject: "x", text: "{% for t in properties.tags %}{{ t }}{% endfor %}"}
"""
EVENTS: Final = ("order_paid", "app_used", "Cart Updated", "page", "Other")


@cache
def rules() -> RuleSet:
    """The rule set that records are folded by."""
    return load({"rules.yaml": RULES})


# ---- records ------------------------------------------------------------------------------------------------------------

_VALUES: Final = (
    calls(EVENTS).map(encoded)
    | st.builds(
        encoded,
        damaged(['{"userId":"ann","type":"track","event":"page","properties":{"x":[1,{"a":"b"}]}}'], longest=MAX_VALUE),
    )
    | st.binary(max_size=64)
)
_HEADERS: Final = st.lists(
    st.tuples(
        st.sampled_from([CONTROL_HEADER, "cueline-signature", "x", "caf\ufffd"]),
        st.none() | st.binary(max_size=8) | st.just(b"tick") | st.just(b"command") | st.just(b"user-command"),
    ),
    max_size=2,
)
_RECORDS: Final = st.lists(
    st.tuples(
        st.sampled_from([b"ann", b"ann", b"bob", b"7"]) | st.none() | st.binary(max_size=4),
        _VALUES,
        st.integers(0, 3 * 86_400_000) | st.sampled_from([-1, 2**62]),
        _HEADERS | st.just([]),
    ),
    min_size=1,
    max_size=8,
)


def fold_records(drawn: list[tuple[bytes | None, bytes, int, list[tuple[str, bytes | None]]]]) -> None:
    """Fold any records: in one batch and one by one, through a restart after each; both must decide the same, byte for byte."""
    story = Story(rules(), start="2026-01-01T00:00:00Z")
    clock = story.now
    for key, value, step, headers in drawn:
        clock = step if not 0 <= step <= 2**53 else clock + step
        story.log.append(LogRecord(len(story.log), clock, key, value, headers))
        clock = story.now if clock > 2**53 or clock < 0 else clock
    whole = Partition(story.place, Table(), story.library)
    try:
        run(whole, story.log)
    except NeedsNewer as newer:  # what comes before it is folded anyway
        must_say_why(newer)
        del story.log[whole.position.offset + 1 :]
        whole = Partition(story.place, Table(), story.library)
        run(whole, story.log)
    output = whole.take()
    assert not any(b"Traceback" in (out.value or b"") for out in output.decisions)
    assert one_by_one(story) == ([*output.actions, *output.decisions, *output.dead_letters], whole.table.states())


def one_by_one(story: Story) -> tuple[list[Any], dict[str, bytes]]:
    """The same log with a checkpoint and a restart after each record."""
    actions: list[Any] = []
    decisions: list[Any] = []
    dead: list[Any] = []
    states: dict[str, bytes] = {}
    position = Position().encode()
    for record in story.log:
        table = Table()
        table.store.apply(states.items())
        partition = Partition(Place(*story.place), table, story.library, Position.decode(position))
        run(partition, [record])
        output = partition.take()
        for user_id, data in output.users:
            states.pop(user_id, None)
            if data is not None:
                states[user_id] = data
        position = output.changelog[-1].value or b""
        actions += output.actions
        decisions += output.decisions
        dead += output.dead_letters
    return [*actions, *decisions, *dead], states


# ---- rules --------------------------------------------------------------------------------------------------------------

_WORDS: Final = (
    "journeys:", "segments:", "settings:", "entry:", "steps:", "wait: 3d", "send:", "exit:", "when:", "re_entry:", "event:", "enters:",
    "count(", "sum(", "every_day(", "did(", "silent(", "distinct(", "where=", "days=7", "traits.x", " and ", " or ", " not ", " in ", "==",
    "run.entered", "properties.x", "| upper", "any(", "all(", "max(", "local.hour", "!!python/object", "<<: *a", "? ", "- ", "|", ">",
)  # fmt: skip
EXPRESSIONS: Final = (
    'count("Order Completed") >= 2 and silent("Order Completed", days=60)',
    'every_day(30, sum("app_used.minutes") > 30) and not did("order_paid")',
    'traits.city in ["Rome", "Oslo"] or distinct("page.path", days=7, where=total * 2 > 5) < 3',
    'max("Order Completed.total", days=30) - min("Order Completed.total") > 3',
    'last("page") - first("page") > 3 and (traits.age + 1) * 2 == 7',
)
TEMPLATES: Final = (
    "Welcome {{ traits.name or 'reader' }}, {{ properties.total }} is on its way.",
    "{% for item in properties.products %}{{ item.name | upper }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{{ run.id }} {{ user | default('x') | trim | truncate(5) }}",
)


def load_rules(text: str) -> None:
    """Read a rule file; what is accepted must compile, warnings of it must be readable, and folding an event by it must not fail."""
    try:
        written = read({"rules.yaml": text})
    except RuleErrors as errors:
        must_say_why(errors)
        return
    accepted = written.rules
    compile_plan(accepted)
    assert all(warning.message for warning in warnings(written))
    story = Story(accepted)
    story.identify("ann", {"city": "Rome", "name": "Ann", "age": 3})
    for event in ("Signed Up", "Order Completed", "page", "app_used"):
        story.track("ann", event, {"total": 3, "path": "/x", "minutes": 31}, at="+1d")
    story.until("+40d")
    story.fold()


def load_expression(text: str) -> None:
    """Read an expression as a segment's condition."""
    condition = "".join(f"\\U{ord(c):08x}" for c in text if not "\ud800" <= c <= "\udfff")
    journey = "  j: {entry: {enters: s}, steps: [{send: {channel: push, text: x}}]}\n"
    load_rules(f'version: 1\nsegments:\n  s: "{condition}"\njourneys:\n{journey}')


def render(drawn: tuple[str, Any, Any]) -> None:
    """Compile a template and fill it with whatever a phone sent."""
    text, traits, properties = drawn
    try:
        template = compile_template(text)
    except TemplateError as error:
        must_say_why(error)
        return
    context = {"id": "j@1:ann:0-o1", "journey": "j", "entered": 1767225600000}
    variables = {"traits": traits if isinstance(traits, dict) else {}, "properties": properties if isinstance(properties, dict) else {}}
    try:
        made = template.render(**variables, run=context, user="ann")
    except TemplateFailed as failure:
        must_say_why(failure)
        return
    assert len(made) <= MAX_RESULT


def tell_scenario(text: str) -> None:
    """Read a scenario file and run what it holds."""
    try:
        run_scenarios(example(), {"x.scenarios.yaml": text})
    except RuleErrors as errors:
        must_say_why(errors)


@cache
def example() -> RuleSet:
    return load({"rules.yaml": files("examples/cdnow/rules.yaml")[0]})


# ---- states ------------------------------------------------------------------------------------------------------------


@cache
def states() -> list[bytes]:
    """Real states: of users with windows, runs and traits, and a position."""
    story = Story(rules())
    for user in ("ann", "bob"):
        story.identify(user, {"city": "Rome", "timezone": "Europe/Berlin"})
        for event in EVENTS:
            story.track(user, event, {"total": 3, "minutes": 31, "path": "/a", "tags": ["x"], "cart_id": "c"}, at="+1h")
    partition, output = story.fold()
    return [*partition.table.states().values(), output.changelog[-1].value or b""]


@st.composite
def damaged_states(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(states())))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        data[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=4))
    return bytes(data)


def read_state(data: bytes) -> None:
    """Read a changelog value. What is read writes itself back, and reads as the same again."""
    try:
        user = decode(data)
        user.open()
    except (WrongSchema, msgspec.DecodeError):
        pass
    else:
        assert encode(decode(encode(user))) == encode(user)
    with contextlib.suppress(msgspec.DecodeError):
        Position.decode(data)


# ---- files and settings ---------------------------------------------------------------------------------------------------

CSV: Final = (
    "userId,event,timestamp,messageId,total,vip\nann,Paid,2026-01-01T09:00:00Z,m1,3.5,true\nbob,Paid,2026-01-02,m2,,false\n",
    'userId;event;timestamp;note\nann;Paid;2026-01-01 09:00:00;"a;b"\n',
)
JSONL: Final = (
    '{"type":"track","userId":"ann","event":"Paid","timestamp":"2026-01-01T09:00:00Z","properties":{"total":3}}\n',
    '{"type":"identify","userId":"bob","traits":{"a":null}}\n{"type":"page","userId":"bob","name":"Home"}\n',
)


@cache
def folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="cueline-fuzz-"))


def read_file(drawn: tuple[str, bytes]) -> None:
    """Read a file of events; each call that it gives must fold."""
    name, data = drawn
    path = folder() / name
    path.write_bytes(data)
    story = Story(rules())
    try:
        for call in sources.read(sources.Source(str(path)), bad=lambda _: None):
            if call is not None:
                story.record(call.key, call.value, call.at if call.at is not None and call.at < 2**53 else None)
    except BadLine as bad:
        must_say_why(bad)
        return
    story.fold()


def read_settings(drawn: tuple[dict[str, str], bytes]) -> None:
    """Read settings from the environment and from a TOML file."""
    variables, file = drawn
    path = folder() / "cueline.toml"
    path.write_bytes(file)
    with patch.dict(os.environ, {**variables, "CUELINE_CONFIG": str(path)}):
        try:
            settings.load()
        except settings.SettingsError as error:
            must_say_why(error)


_NAMES: Final = [f"CUELINE_{name.upper()}" for name in settings.Settings.model_fields]
_VALUE: Final = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12) | st.sampled_from(
    ["0", "-1", "1e9", "log", "127.0.0.1:9092", "http://x:1", "30s"]
)
_TOML: Final = ('bootstrap = "127.0.0.1:9092"\nprefix = "x."\npartitions = 8\n',)

TERMS: Final = Terms(engine=2, tzdata="2026f", foreign_keys=False)


@st.composite
def snapshots(draw: st.DrawFn) -> bytes:
    """Frames of any content, packed as a snapshot is; or damaged bytes of one."""
    frames = draw(st.lists(st.tuples(st.sampled_from([b"H", b"P", b"R", b"D", b"E", b"?"]), st.binary(max_size=20)), max_size=8))
    header = msgspec.json.encode(
        snapshot.Header(app="a", cluster="c", topic_id="t", changelog_id="u", partitions=1, seq=1, terms=TERMS, at=0, by="b")
    )
    content = b"".join(letter + len(data).to_bytes(4, "big") + data for letter, data in [(b"H", header), *frames])
    records = sum(letter in (b"R", b"D") for letter, _ in frames)
    whole = snapshot.MAGIC + content
    end = msgspec.json.encode({"records": records, "sha256": sha256(whole).hexdigest()})
    packed = gzip.compress(whole + b"E" + len(end).to_bytes(4, "big") + end)
    return draw(st.sampled_from([packed, packed[: draw(st.integers(0, len(packed)))], draw(st.binary(max_size=64))]))


def read_snapshot(data: bytes) -> None:
    """Read a copy of states as a replay does."""
    path = folder() / "x.snapshot"
    path.write_bytes(data)
    try:
        copy = Copy(path)
        for partition in range(2):
            copy.take(partition)
    except (snapshot.BadSnapshot, CannotReplay) as refusal:
        must_say_why(refusal)


TARGETS: Final[dict[str, Target]] = {
    "records": Target(_RECORDS, fold_records),
    "raw batches": Target(responses(), read_response),
    "rule files": Target(damaged([RULES, *files("examples/*/*.yaml")], _WORDS, 20_000), load_rules),
    "expressions": Target(damaged(EXPRESSIONS, _WORDS, 4_000), load_expression),
    "templates": Target(st.tuples(damaged(TEMPLATES, _WORDS, MAX_TEMPLATE), JSON, JSON), render),
    "scenario files": Target(damaged(files("examples/cdnow/*.scenarios.yaml"), _WORDS, 20_000), tell_scenario),
    "changelog values": Target(damaged_states() | st.binary(max_size=64), read_state),
    "CSV files": Target(st.tuples(st.just("x.csv"), damaged(CSV, ("true", "userId", ";", "\t", "\r"), 20_000).map(encoded)), read_file),
    "JSONL files": Target(st.tuples(st.sampled_from(["x.jsonl", "x.jsonl.gz"]), damaged(JSONL, HOSTILE, 20_000).map(encoded)), read_file),
    "settings": Target(st.tuples(st.dictionaries(st.sampled_from(_NAMES), _VALUE, max_size=3), damaged(_TOML).map(encoded)), read_settings),
    "snapshots": Target(snapshots(), read_snapshot),
}
