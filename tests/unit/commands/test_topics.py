"""What is wrong about topics, and what is only unwise, without a broker (PROTOCOL law 27)."""

import logging
from typing import Any

import pytest

from streams.commands import topic_layout
from streams.commands.topic_layout import Deviation, judge, wanted
from streams.kafka.clients import Topic
from streams.settings import Settings

WEEK = 7 * 24 * 3_600_000


def _judge(settings: Settings, replicas: int, internal: int = 3, **configs: str) -> list[Deviation]:
    """Judge topics as `create` makes them, but with these settings and numbers of replicas."""
    made = wanted(settings)
    found = {topic.name: Topic(topic.name, "id", topic.partitions, replicas) for topic in made}
    changed = {name.replace("_", "."): value for name, value in configs.items()}
    inner = {name: Topic(name, "id", 50, internal) for name in topic_layout.INTERNAL} if settings.profile == "prod" else {}
    return judge(settings, found, {topic.name: {**topic.configs, **changed} for topic in made}, inner)


@pytest.mark.parametrize(("profile", "replicas"), [("dev", 1), ("dev", 3), ("prod", 3), ("prod", 5)])
def test_topics_as_they_are_created_have_nothing_wrong(profile: Any, replicas: int) -> None:
    assert _judge(Settings(profile=profile), replicas) == []


@pytest.mark.parametrize(
    ("profile", "replicas", "least", "told", "fix"),
    [
        ("dev", 1, "2", "nothing can be written to it", "1"),
        ("dev", 2, "3", "nothing can be written to it", "1"),
        ("prod", 3, "4", "nothing can be written to it", "2"),
        ("prod", 3, "3", "one broker that is down blocks all writes", "2"),
        ("prod", 1, "2", "nothing can be written to it", None),
    ],
)
def test_more_replicas_in_sync_than_there_are_or_than_may_be_missed(
    profile: Any, replicas: int, least: str, told: str, fix: str | None
) -> None:
    """Each checkpoint would hang: better not to start."""
    found = [deviation for deviation in _judge(Settings(profile=profile), replicas, min_insync_replicas=least) if told in deviation.problem]
    assert len(found) == 7
    assert {deviation.fix for deviation in found} == {None if fix is None else ("min.insync.replicas", fix)}
    assert not any(deviation.warning for deviation in found)


@pytest.mark.parametrize(("replicas", "mends"), [(1, False), (2, True), (3, True)])
def test_more_replicas_in_sync_are_not_asked_for_than_there_are(*, replicas: int, mends: bool) -> None:
    """Topics of `dev` under `prod`: setting it anyway would make them unwritable, and would be the next deviation."""
    found = [found for found in _judge(Settings(profile="prod"), replicas, min_insync_replicas="1") if "in" in found.problem]
    found = [deviation for deviation in found if deviation.problem.startswith("min.insync.replicas is 1, must be at least 2")]
    assert len(found) == 7
    assert {deviation.fix for deviation in found} == {("min.insync.replicas", "2") if mends else None}
    if not mends:
        assert "and it has 1 replica; first reassign its partitions to more brokers" in str(found[0])


def test_a_log_without_the_default_prefix_is_found_and_its_setting_is_named() -> None:
    """The default prefix was once empty: next to the old log, a new and empty one would begin."""
    bare = {name: Topic(name, "id", 2, 1) for name in ("events", "cueline-users-changelog")}
    (found,) = topic_layout.elsewhere(Settings(), bare)
    assert found.topic == "cueline.events"
    assert "without the prefix cueline." in found.problem
    assert "CUELINE_PREFIX=none" in found.remedy
    assert topic_layout.elsewhere(Settings(), {"events": bare["events"]}) == [], "a foreign topic of that name"
    assert topic_layout.elsewhere(Settings(app="shop"), bare) == [], "the changelog of another app"
    assert topic_layout.elsewhere(Settings(prefix="shop."), bare) == []


def test_few_replicas_are_allowed_where_nobody_promised_more() -> None:
    assert _judge(Settings(profile="dev"), 2, min_insync_replicas="2") == []


@pytest.mark.parametrize(("kept", "warned"), [("3600000", True), (str(WEEK - 1), True), (str(WEEK), False), ("-1", False)])
def test_events_that_are_soon_gone_are_warned_of(*, kept: str, warned: bool) -> None:
    found = _judge(Settings(), 1, retention_ms=kept)
    assert [(deviation.topic, deviation.warning) for deviation in found] == ([("cueline.events", True)] if warned else [])
    if warned:
        assert str(found[0]).startswith(f"warning: cueline.events: retention.ms is {kept}")


def test_few_replicas_of_kafkas_own_topics_are_warned_of_in_production() -> None:
    found = _judge(Settings(profile="prod"), 3, internal=1)
    assert [(deviation.topic, deviation.warning) for deviation in found] == [(name, True) for name in topic_layout.INTERNAL]


async def test_a_worker_starts_over_warnings_and_logs_them(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    warning = Deviation("events", "is odd", "fix it", warning=True)
    left = [warning]

    async def verify(_: Settings) -> list[Deviation]:
        return left

    class Cluster:
        """Knows no topics."""

        def __init__(self, _: Settings) -> None: ...

        async def __aenter__(self) -> Any:
            return self

        async def __aexit__(self, *_: object) -> None: ...

        async def topics(self, _: object) -> dict[str, Topic]:
            return {}

    monkeypatch.setattr(topic_layout, "verify", verify)
    monkeypatch.setattr(topic_layout, "Cluster", Cluster)
    assert await topic_layout.require(Settings()) == {}
    assert caplog.record_tuples == [("streams.commands.topic_layout", logging.WARNING, "warning: events: is odd; fix it")]
    left.append(Deviation("rules", "is wrong", "fix it"))
    with pytest.raises(topic_layout.TopicsWrong) as wrong:
        await topic_layout.require(Settings())
    assert str(wrong.value) == "rules: is wrong; fix it"
