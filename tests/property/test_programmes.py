"""The random logs of `programmes.py` use the whole language: the laws that fold them would say little of what never happens."""

from random import Random
from typing import get_args

from tests.property.programmes import CHANGES, GROUND, JOURNEYS, tell
from tests.property.test_laws import Saved
from triggers.records.decisions import Kind
from triggers.state.encoding import decode
from triggers.state.sections import SECTIONS
from triggers.testing import documents

REASONS = {
    "blocked consent email",
    "blocked consent sms",
    "blocked suppressed",
    "dropped cap weekly",
    "dropped quiet hours noon",
    "dropped would be held too long",
    "ended goal changed",
    "exited end: forgotten",
    "exited entered again",
    "exited exit event: paid",
    "exited exit: leaves trying",
    "exited on_change: exit",
    "exited when: false",
    "held cap hourly",
    "held cap one-push",
    "held quiet hours night",
    "met command apply",
    "met command erase",
    "met command pause",
    "met command resume",
    "met command suppress",
    "met command unsuppress",
    "refused no key",
    "refused not now",
    "refused older than the run",
    "refused re-entry: too soon",
    "refused the journey is paused",
    "refused unknown",
    "skipped late",
    "skipped skip_unless: false",
    "skipped the exit had happened already",
    "tier falls to silver",
    "tier rises to gold",
    "withheld control",
    "withheld holdout",
}


def test_each_change_changes_the_rules() -> None:
    assert [before for before in CHANGES if before not in GROUND + JOURNEYS] == []


def test_the_logs_use_the_whole_language() -> None:
    kinds, reasons, sections, branches = set[str](), set[str](), set[str](), set[str]()
    for seed in range(30):
        story, chance = tell(seed), Random(seed)
        partition = Saved().restore(story)
        while partition.position.offset < len(story.log) - 1:
            partition.advance(story.log, partition.position.offset + 1, chance.randrange(1, 20))
            partition.drain()
            output = partition.take()
            sections.update(name for _, data in output.users if data is not None for name in decode(data).sections)
            partition.saved(output)
            for decision in documents(output.decisions):
                kinds.add(decision["kind"])
                reasons.add(f"{decision['kind']} {decision['reason'] or ''}")
                branches.update(str(taken["branch"]) for taken in decision.get("path", ()))
            assert output.dead_letters == []
    assert kinds == set(get_args(Kind))
    assert sections == {section.name for section in SECTIONS}
    assert REASONS - reasons == set()
    assert {"then", "else", "1", "2", "3", "plain", "coupon", "nothing", "came", "timed_out"} - branches == set()
