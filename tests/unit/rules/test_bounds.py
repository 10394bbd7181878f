"""A rule set has bounds: the state of one user, and the record that publishes the rule files."""

import re

import msgspec
import pytest

from tests.unit.rules.loading import loaded, problems
from triggers.base.model import DAY, HOUR
from triggers.definitions.model import Measure
from triggers.definitions.policies import Policies, QuietHours, Scope
from triggers.language.documents import RuleErrors
from triggers.measures.windows import new_window, updater
from triggers.rules.bounds import policy_bytes, state_bytes, window_bytes
from triggers.rules.checks import MAX_RULES, load
from triggers.state.sends import MAX_BYTES


def test_one_users_state_is_bounded_and_the_biggest_window_is_named() -> None:
    windows = [f'  s{n}: sum("A.p{n}", minutes=10080) > 1' for n in range(4)]
    (problem,) = problems(
        "version: 1\nsegments:\n  small: did('A')\n" + "\n".join([*windows, '  big: "1 < distinct(\\"A.x\\", minutes=10080)"']) + "\n"
    )
    assert problem == (
        "a.yaml:6:7: one user's state could take 680 KiB, of which this window, the biggest, 137 KiB; "
        "at most 512 KiB: make windows shorter or their unit coarser"
    )


def test_windows_that_rules_share_count_once() -> None:
    same = "\n".join(f'  s{n}: sum("A.p", minutes=10080) > {n}' for n in range(50))
    loaded(f"segments:\n{same}\n")


def test_what_runs_keep_counts_up_to_what_runs_may_take() -> None:
    """Beyond 128 KiB an entry is refused at run time (`no room`), so more journeys do not make a bigger state."""
    body = ", ".join(
        f"j{n}: {{entry: {{event: A}}, steps: [{{send: {{channel: push, text: '{{{{ properties.p }}}}'}}}}]}}" for n in range(70)
    )
    rules = loaded(f"journeys: {{{body}}}\n")
    assert 128 * 1024 < state_bytes([], rules.journeys, 0) < 192 * 1024


@pytest.mark.parametrize("unit", ["minutes=10080", "hours=8784", "days=3650"])
@pytest.mark.parametrize("function", ['count("A", {})', 'sum("A.b", {})', 'distinct("A.b", {})'])
def test_the_longest_windows_fit(function: str, unit: str) -> None:
    loaded(f"segments:\n  s: {function.format(unit)} > 1\n")


@pytest.mark.parametrize("kind", ["count", "sum", "distinct", "first", "did", "last"])
def test_a_window_is_never_bigger_than_calculated(kind: str) -> None:
    """The estimate holds for a window that is as full as it can be."""
    for unit, size, number in (("day", DAY, 400), ("hour", HOUR, 2_000), ("minute", 60_000, 3_000)):
        measure = Measure(kind, "A", ("b",), unit, number)  # type: ignore[arg-type]
        window, update = new_window(measure, 0), updater(measure)
        start = 20_000 * DAY
        for step in range(number + 10):
            at = start + step * size
            value: object = 10**17 - step if kind == "sum" else "\U0001f600" * 12 + f"{step:04}"
            update(window, at, at // DAY, value, at, at // DAY)
        assert len(msgspec.msgpack.encode(window)) + 14 <= window_bytes(measure)


@pytest.mark.parametrize("filler", ["x", '"', "\n"])
def test_rules_are_weighed_as_the_record_that_would_be_published(filler: str) -> None:
    """JSON writes quotes and ends of lines with two bytes."""
    most = MAX_RULES // 4 // (1 if filler == "x" else 2)
    head = "version: 1\n#\n" if filler == "\n" else "version: 1\n#"

    def files(each: int) -> dict[str, str]:
        return {f"{name}.yaml": head + filler * each for name in "abcd"}

    load(files(most - 50))
    with pytest.raises(RuleErrors) as caught:
        load(files(most))
    assert re.fullmatch(
        r"a\.yaml:1:1: the rule files have \d+,\d+ bytes together as JSON; at most 786,432: this is the biggest", str(caught.value)
    )
    load(files(most), applied=True)


def test_policies_weigh_a_send_log_and_a_hold_for_each_run_that_fits() -> None:
    quiet = QuietHours("night", 0, 1, Scope(("push",)))
    assert policy_bytes(Policies(), ["a"] * 2_000) == MAX_BYTES
    assert policy_bytes(Policies(quiet_hours=(quiet,)), ["a"]) == MAX_BYTES + 96 + len("night") + len("a")
    assert policy_bytes(Policies(quiet_hours=(quiet,)), ["a"] * 2_000) < MAX_BYTES + 128 * 1024
