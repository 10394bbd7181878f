"""The topic `rules` as workers read it. They must not trust its contents (PROTOCOL laws 17 and 21)."""

import asyncio
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from streams.broker import free_port
from streams.commands.rule_store import RuleStore, Unusable
from streams.kafka.clients import Unreachable
from streams.settings import Settings
from triggers.causes.event import OnEvent
from triggers.definitions.model import Compare, Property, RuleSet
from triggers.language.documents import RuleErrors
from triggers.rules.checks import load, rules_hash


@pytest.fixture
def rule_store() -> RuleStore:
    return RuleStore(Settings())


def _put(rule_store: RuleStore, key: str, value: object) -> None:
    """A record of the topic arrives."""
    record: Any = SimpleNamespace(key=key.encode(), value=value if value is None or isinstance(value, bytes) else orjson.dumps(value))
    rule_store._take_in(record)


def test_an_override_counts_for_the_topic_that_it_was_written_for_alone(rule_store: RuleStore) -> None:
    """A topic that is created again under the same name has other records at these offsets."""
    _put(rule_store, "override:events:3:10", {"schema": 1, "reason": "a test", "topic_id": "old"})
    _put(rule_store, "override:events:3:11", {"schema": 1, "reason": "a test", "topic_id": "new"})
    _put(rule_store, "override:events:3:12", {"schema": 1, "reason": "a test"})
    assert rule_store.overrides("events", 3, "old") == {10, 12}
    assert rule_store.overrides("events", 3, "new") == {11, 12}
    assert rule_store.overrides("events", 4, "new") == frozenset()
    _put(rule_store, "override:events:3:11", None)
    assert rule_store.overrides("events", 3, "new") == {12}


def test_only_the_override_of_a_rebase_takes_an_upgrade_back(rule_store: RuleStore) -> None:
    _put(rule_store, "override:events:3:10", {"schema": 1, "reason": "a test", "topic_id": "new"})
    _put(rule_store, "override:events:3:11", {"schema": 1, "reason": "a test", "topic_id": "new", "taken_back": True})
    _put(rule_store, "override:events:3:12", {"schema": 1, "reason": "a test", "topic_id": "old", "taken_back": True})
    assert rule_store.overrides("events", 3, "new") == {10, 11}
    assert rule_store.taken_back("events", 3, "new") == {11}
    assert rule_store.taken_back("events", 4, "new") == frozenset()
    _put(rule_store, "override:events:3:11", None)
    assert rule_store.taken_back("events", 3, "new") == frozenset()


@pytest.mark.parametrize("offset", ["9" * 5_000, "", "-1", "1e3", "x", "1-", "-", "1-2-3", "1-x", f"1-{'9' * 20}"])
def test_an_override_of_an_odd_place_stops_nobody(rule_store: RuleStore, caplog: pytest.LogCaptureFixture, offset: str) -> None:
    _put(rule_store, f"override:events:3:{offset}", {"schema": 1, "reason": "a test"})
    assert not rule_store.overrides("events", 3, "t")
    assert not rule_store.skips("events", 3, "t")
    assert len(caplog.messages) == 1


def test_an_override_of_two_offsets_has_what_lies_between_skipped(rule_store: RuleStore) -> None:
    _put(rule_store, "override:events:3:10-12", {"schema": 1, "reason": "a test", "topic_id": "new"})
    _put(rule_store, "override:events:3:14-14", {"schema": 1, "reason": "a test", "topic_id": "old"})
    _put(rule_store, "override:events:3:16-18", {"schema": 1, "reason": "a test"})
    assert rule_store.skips("events", 3, "new") == {(10, 12)}
    assert rule_store.skips("events", 3, "old") == {(14, 14)}
    assert rule_store.skips("events", 4, "new") == frozenset()
    assert rule_store.overrides("events", 3, "new") == frozenset()
    _put(rule_store, "override:events:3:10-12", None)
    assert rule_store.skips("events", 3, "new") == frozenset()


@pytest.mark.parametrize("value", [b"", b"not JSON", b"[]"])
def test_an_override_that_cannot_be_read_counts_for_nothing(rule_store: RuleStore, caplog: pytest.LogCaptureFixture, value: bytes) -> None:
    _put(rule_store, "override:events:3:10", value)
    assert rule_store.overrides("events", 3, "t") == frozenset()
    assert "cannot be read" in caplog.messages[0]


@pytest.mark.parametrize("text", [b"not it", {"files": {"rules.yaml": "version: 99"}}, {"files": {"rules.yaml": "version: 1"}}])
async def test_a_text_that_cannot_be_used_is_named_to_whoever_needs_it_and_may_be_put_right(rule_store: RuleStore, text: object) -> None:
    rules = load({"rules.yaml": "version: 1\nsegments: {}\n"})
    _put(rule_store, f"rule-set:{rules.hash}", text)
    with pytest.raises(Unusable, match=rules.hash):
        await rule_store.hold(None, rules.hash)
    _put(rule_store, f"rule-set:{rules.hash}", {"schema": 1, "hash": rules.hash, "files": rules.files})
    await rule_store.hold(rules.hash)
    assert rule_store.library.get(rules.hash) == rules


async def test_a_text_that_comes_while_an_unusable_one_is_parsed_is_not_lost(rule_store: RuleStore) -> None:
    rules = load({"rules.yaml": "version: 1\nsegments: {}\n"})
    _put(rule_store, f"rule-set:{rules.hash}", b"not it")
    holding = asyncio.create_task(rule_store.hold(rules.hash))
    await asyncio.sleep(0)
    assert rule_store._parsing
    _put(rule_store, f"rule-set:{rules.hash}", {"schema": 1, "hash": rules.hash, "files": rules.files})
    await asyncio.wait_for(holding, 5)
    assert rule_store.library.get(rules.hash) == rules
    assert not rule_store._texts


async def test_all_partitions_that_wait_for_a_text_go_on_when_it_comes(rule_store: RuleStore) -> None:
    rules = load({"rules.yaml": "version: 1\nsegments: {}\n"})
    waiting = [asyncio.create_task(rule_store.fetch(rules.hash)) for _ in range(4)]
    await asyncio.sleep(0.01)
    _put(rule_store, f"rule-set:{rules.hash}", {"schema": 1, "hash": rules.hash, "files": rules.files})
    _, late = await asyncio.wait(waiting, timeout=5)
    assert not late


async def test_only_what_is_needed_is_parsed(rule_store: RuleStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred rule sets were applied in the life of an installation; a worker needs two of them."""
    parsed: list[str] = []

    def counted(files: dict[str, str], *, applied: bool) -> RuleSet:
        parsed.append(rules_hash(files))
        return load(files, applied=applied)

    monkeypatch.setattr("streams.commands.rule_store.load", counted)
    hashes = []
    for number in range(200):
        files = {"rules.yaml": f'version: 1\nsegments: {{s: did("E{number}")}}\n'}
        hashes.append(rules_hash(files))
        _put(rule_store, f"rule-set:{hashes[-1]}", {"schema": 1, "hash": hashes[-1], "files": files})
    assert parsed == []
    await asyncio.gather(rule_store.hold(hashes[3], hashes[199]), rule_store.hold(hashes[3]), rule_store.fetch(hashes[3]))
    assert sorted(parsed) == sorted([hashes[3], hashes[199]])
    assert rule_store.library.get(hashes[4]) is None
    await rule_store.hold_all()
    assert len(parsed) == 200
    assert rule_store.library.get(hashes[4]) is not None


async def test_without_a_broker_it_says_so() -> None:
    rule_store = RuleStore(Settings(bootstrap=f"127.0.0.1:{free_port()}"))
    with pytest.raises(Unreachable, match="no broker can be reached"):
        await rule_store.start(pytest.fail)


@pytest.mark.parametrize("name", ["run", "user"])
async def test_a_rule_set_of_the_log_loads_though_its_rules_are_refused_since_then(rule_store: RuleStore, name: str) -> None:
    """`run.x` in `where=` meant a property; a worker that refused it could never continue."""
    journey = f"{{entry: {{event: A}}, exit: {{event: B, where: cart == {name}.cart}}, steps: [{{send: {{channel: push, title: Hi}}}}]}}"
    files = {"rules.yaml": f"version: 1\njourneys: {{j: {journey}}}\n"}
    with pytest.raises(RuleErrors, match=f"{name} inside where="):
        load(files)
    rule_set = rules_hash(files)
    _put(rule_store, f"rule-set:{rule_set}", {"schema": 1, "hash": rule_set, "files": files})
    await rule_store.hold(rule_set)
    rules = rule_store.library.get(rule_set)
    assert rules is not None
    [exit_] = rules.journeys["j"].exits
    assert isinstance(exit_, OnEvent)
    assert exit_.where == Compare("==", Property(("cart",)), Property((name, "cart")))
