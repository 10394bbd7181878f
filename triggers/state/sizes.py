"""The size of values: in a state, which decides, and in memory, which decides nothing.

The size of a run is a formula over its contents, never the length of stored bytes: another codec must not refuse another entry.
"""

from typing import Any, Final

from triggers.state.runs import Run

RUN: Final = 160
"""Bytes of a run in addition to its journey's name, the end of its id and its properties."""
STEP: Final = 32
"""Of them, bytes of the name of the step at which it rests."""
DECODED: Final = 600
"""Bytes of memory of an unknown user."""
DECODED_PER_BYTE: Final = 20
"""Maximum bytes of memory for each byte of an encoded state: a pane of 4 bytes takes 80."""
_DICT: Final = 240
_ENTRY: Final = 100
_LIST: Final = 64
_ITEM: Final = 8


def value_bytes(value: Any) -> int:  # noqa: ANN401 -- it is whatever JSON holds
    """Return the bytes of a JSON value in a state."""
    if isinstance(value, str):
        length = len(value.encode("utf-8", "surrogatepass"))
        return length + (1 if length < 32 else 5)
    if value is None or isinstance(value, bool):
        return 1
    if isinstance(value, int):
        return 1 if -32 <= value < 128 else 3 if -32_768 <= value < 32_768 else 5 if -(1 << 31) <= value < 1 << 31 else 9
    if isinstance(value, dict):
        size = 1 if len(value) < 16 else 5
        for name, item in value.items():
            size += value_bytes(name) + value_bytes(item)
        return size
    if isinstance(value, list):
        size = 1 if len(value) < 16 else 5
        for item in value:
            size += value_bytes(item)
        return size
    return 9


def run_bytes(run: Run, step: int) -> int:
    """Return the maximum bytes of a run in a state. `step` is the longest name among its steps, because the run moves from step to step."""
    return RUN + max(0, step - STEP) + len(run.journey.encode()) + len(run.entry) + value_bytes(run.properties)


def decoded_bytes(encoded: int) -> int:
    """Estimate the memory of a state of this many bytes; objects and lists of JSON are additional (`nested_bytes`)."""
    return DECODED + DECODED_PER_BYTE * encoded


def nested_bytes(values: dict[str, Any]) -> int:
    """Return the memory of the objects and lists among these values: an empty one takes a byte in a state and 64 in memory."""
    size = 0
    for value in values.values():
        if isinstance(value, dict):
            size += _DICT + _ENTRY * len(value) + nested_bytes(value)
        elif isinstance(value, list):
            size += _nested_list(value)
    return size


def _nested_list(values: list[Any]) -> int:
    size = _LIST + _ITEM * len(values)
    for value in values:
        if isinstance(value, dict):
            size += _DICT + _ENTRY * len(value) + nested_bytes(value)
        elif isinstance(value, list):
            size += _nested_list(value)
    return size
