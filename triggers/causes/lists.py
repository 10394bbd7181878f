"""Lists of causes: `entry: [{event: Signed Up}, {enters: reader}]`. Of those that happen at one moment the first counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from triggers.causes.cause import Change, Signal, Where

Plan = TypeVar("Plan")


def where_of(signals: Iterable[Signal], event: str) -> Where | None:
    """Return the test that the properties of an event pass if it is one of these causes; None: any will do."""
    tests = [signal.where for signal in signals if signal.event == event]
    if len(tests) == 1:
        return tests[0]
    asked = [test for test in tests if test is not None]
    if len(asked) < len(tests):
        return None

    def passes(properties: Mapping[str, Any]) -> bool:
        return any(test(properties) for test in asked)

    return passes


def first_of(
    signals: Iterable[Signal], event: str, properties: Mapping[str, Any], changes: Mapping[str, Change], key: str | None = None
) -> Signal | None:
    """Return the first cause that happens now: by this event, or by one of these changes. `event` is empty if there is none.

    `key`: of the run that it is for. None: an event with any key will do.
    """
    for signal in signals:
        if signal.event is None:
            if signal.change is not None and changes.get(signal.key) == signal.change:
                return signal
        elif (
            signal.event == event
            and (signal.where is None or signal.where(properties))
            and (key is None or signal.key_of is None or signal.key_of(properties) == key)
        ):
            return signal
    return None


def targets(listed: Iterable[tuple[Plan, Signal]], properties: Mapping[str, Any]) -> list[tuple[Plan, str | None]]:
    """Return which runs of which plans an event with these properties is about: those with the key, or all of them (None).

    If its property is no key, it is about no run.
    """
    found: list[tuple[Plan, str | None]] = []
    for plan, signal in listed:
        if signal.where is None or signal.where(properties):
            key = None if signal.key_of is None else signal.key_of(properties)
            if key is not None or signal.key_of is None:
                found.append((plan, key))
    return found
