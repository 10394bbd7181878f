"""What `apply` shows before it writes: how many users are inside runs that change, from the states that a worker has saved."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.broker import Broker
from streams.commands import send as control
from streams.commands.inside import Progress
from tests.conftest import SettingsFor
from tests.integration.running import Worker, installed
from tests.integration.test_command_line import _rules, _runner

RULES = """version: 2
journeys:
  welcome:
    entry: {event: Signed Up}
    exit: {event: Left}
    goal: {event: Paid, within: 14d}
    steps: [{wait: 3d}, {send: {channel: push, text: Welcome}}]
  thanks:
    entry: {event: Paid}
    on_change: exit
    steps: [{wait: 3d}, {send: {channel: push, text: Thanks}}]
"""
OTHER = RULES.replace("wait: 3d", "wait: 2d").replace("{event: Paid, within", "{event: Bought, within")


async def test_users_inside_runs_are_counted_with_progress_and_only_where_some_can_be_affected(
    broker: Broker, settings_for: SettingsFor, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []

    @contextmanager
    def counting() -> Iterator[Progress]:
        yield lambda done, total: seen.append((done, total))

    settings = settings_for(broker)
    async with installed(settings, RULES) as log:
        assert not (await control.preview(settings, {"r.yaml": OTHER}, count=counting)).changes.loses.startswith("removes")
        assert seen == [], "no user has a state"
        with Worker(settings, tmp_path) as worker:
            await worker.opens()
            for number in range(7):
                await log.track(f"u{number}", "Signed Up")
            for number in range(3):
                await log.track(f"u{number}", "Paid")
            await log.track("u6", "Left")
            await log.is_saved()
            await worker.leaves()
        before = await control.preview(settings, {"r.yaml": OTHER}, count=counting)
        assert before.changes.lines[:3] == (
            "~ journey thanks: running runs of 3 users end (on_change: exit)",
            "~ journey welcome: running runs of 6 users continue by their own rules",
            "~ goal of journey welcome: 7 users are not watched for it any longer",
        )
        assert seen[-1][0] == seen[-1][1] > 0
        seen.clear()
        added = f"{RULES}  more: {{entry: {{event: A}}, steps: [{{send: {{channel: push, text: x}}}}]}}\n"
        assert (await control.preview(settings, {"r.yaml": added}, count=counting)).changes.lines == ("+ journey more",)
        assert seen == []
    own = {"CUELINE_BOOTSTRAP": settings.bootstrap, "CUELINE_APP": settings.app, "CUELINE_PREFIX": settings.prefix}
    cueline = _runner({**own, "CUELINE_PARTITIONS": "2"}, tmp_path)
    shown = cueline("apply", _rules(tmp_path, OTHER), "--dry-run")
    assert "~ journey welcome: running runs of 6 users continue by their own rules\n" in shown.stdout
    uncounted = cueline("apply", _rules(tmp_path, OTHER), "--dry-run", "--no-count")
    assert "~ journey welcome: running runs continue by their own rules\n" in uncounted.stdout
    refused = cueline("apply", _rules(tmp_path, OTHER))
    assert (refused.returncode, "this ends the running runs of journey thanks" in refused.stderr) == (1, True)
