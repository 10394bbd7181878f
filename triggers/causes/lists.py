"""Lists of causes: `entry: [{event: Signed Up}, {enters: reader}]`. Of those that happen at one moment the first counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from triggers.causes.cause import Change, Signal, Where


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


def first_of(signals: Iterable[Signal], event: str, properties: Mapping[str, Any], changes: Mapping[str, Change]) -> Signal | None:
    """Return the first cause that happens now: by this event, or by one of these changes. `event` is empty if there is none."""
    for signal in signals:
        if signal.event is None:
            if signal.change is not None and changes.get(signal.key) == signal.change:
                return signal
        elif signal.event == event and (signal.where is None or signal.where(properties)):
            return signal
    return None
