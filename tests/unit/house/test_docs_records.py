"""The records that the documentation shows come out of its rules, and every reason of a dead letter is explained."""

import re
from pathlib import Path
from typing import Any

import orjson

from tests.unit.house.pages import ROOT, blocks, rules_of
from triggers.base.model import Place
from triggers.engine.interface import Options
from triggers.testing import Story


def shown(page: Path, kind: str) -> list[Any]:
    return [orjson.loads(block.text) for block in blocks(page, f"json {kind}")]


def test_the_action_in_the_readme_comes_out_of_its_rule() -> None:
    """Word for word, offsets and hashes included."""
    page = ROOT / "README.md"
    story = Story({"r.yaml": rules_of(page)[0].text}, start="2026-01-05T08:00Z", place=Place("cueline.events", 3))
    while len(story.log) < 16:
        story.until("2026-01-05T08:59Z")
    story.identify("ann", {"name": "Ann"}, at="2026-01-05T08:59:59Z")
    story.track("ann", "Signed Up", at="2026-01-05T09:00:00Z")
    story.until("2026-01-09T00:00Z")
    assert shown(page, "action") == story.actions()


def test_the_records_in_the_page_on_topics_come_out_of_its_rule() -> None:
    """All but the version of the time zone data, which is whatever is installed."""
    page = ROOT / "docs" / "topics.md"
    story = Story({"rules.yaml": rules_of(page)[0].text}, start="2026-01-05T08:00Z", place=Place("cueline.events", 3))
    story.identify("ann", {"name": "Ann", "timezone": "Asia/Shanghai"}, at="2026-01-05T08:30Z")
    story.track("ann", "Order Completed", {"total": 60}, at="2026-01-05T09:00Z")
    (event,) = shown(page, "event")
    story.record(b"ann", orjson.dumps(event), event["timestamp"])
    story.record(b"bob", b'{"type":"track","userId":"bob"', "2026-01-06T09:00:01Z")
    output = story.fold()[1]
    assert shown(page, "command") == [orjson.loads(story.log[0].value or b"")]
    assert shown(page, "action") == story.actions()
    (decision,) = shown(page, "decision")
    decided = {**story.decisions("ann", "entered")[0], "tzdata": decision["tzdata"]}
    assert decision == decided
    assert shown(page, "dead-letter-headers") == [{name: value.decode() for name, value in output.dead_letters[0].headers}]


def test_every_dead_letters_reason_is_explained() -> None:
    """What comes out of poison has a line in the table of reasons."""
    page = (ROOT / "docs" / "operating.md").read_text("utf-8")
    table = page[page.index("## Dead letters") : page.index("## Partitioners")]
    heads = [reason.removesuffix("...") for reason in re.findall(r"`([^`]+)`", table)]
    rules = """version: 1
segments:
  big: sum("E.total") >= 100
  many: distinct("E.book", days=14) >= 3
"""
    story = Story({"r.yaml": rules})
    track = b'{"type":"track","userId":"ann","event":"E",%s}'
    for number, (key, value) in enumerate(
        [
            (b"ann", b""),
            (b"ann", b"hello"),
            (b"ann", track % b'"properties":{"total":NaN}'),
            (b"ann", b"[1]"),
            (b"ann", track % (b'"x":' + b"[" * 40 + b"]" * 40)),
            (None, b'{"type":"track","event":"E"}'),
            (b"", b'{"type":"track","userId":"","event":"E"}'),
            (b"\0position", b'{"type":"track","userId":"\\u0000position","event":"E"}'),
            (b"a" * 257, b'{"type":"track","userId":"%s","event":"E"}' % (b"a" * 257)),
            (None, track % b'"x":1'),
            (b"bob", track % b'"x":1'),
            (b"ann", track % (b'"x":"%s"' % (b"x" * 300_000))),
            (b"ann", b'{"type":"track","userId":"ann"}'),
            (b"ann", b'{"type":"alias","userId":"ann","previousId":"b"}'),
            (b"ann", b'{"type":"other","userId":"ann"}'),
            (b"undefined", b'{"type":"track","userId":"undefined","event":"E"}'),
            (b"ann", track % b'"properties":[1]'),
            (b"ann", b'{"type":"identify","userId":"ann","traits":{"a":"%s"}}' % (b"x" * 17_000)),
        ],
        1,
    ):
        story.record(key, value, "+1s")
        assert len(story.dead_letters()) == number, value[:80]
    story.record(None, b"{}", "+1s", [("cueline-control", b"command")])
    story.record(b"ann", b"{}", "+1s", [("cueline-control", b"tick")])
    story.record(None, b"", "+1s", [("cueline-control", b"zap")])
    story.options = Options(overrides=frozenset({story.log[-1].offset}))
    story.record(b"ann", track % b'"x":1', 10**15)
    assert len(story.dead_letters()) == len(story.log) - 2, "all but the two commands of the story itself"
    unexplained = [reason for reason in story.dead_letters() if not any(_fits(reason, head) for head in heads)]
    assert unexplained == []


def _fits(reason: str, head: str) -> bool:
    """Return whether a table's entry matches a reason; a single capital in it means a name."""
    pattern = r"\b[A-Z]\b".join(map(re.escape, re.split(r"\b[A-Z]\b", head)))
    return re.match(pattern.replace(r"\b[A-Z]\b", r"\S+"), reason) is not None
