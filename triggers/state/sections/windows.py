"""`windows`: what measures have counted, by the key of the window.

Each window is read by itself when somebody asks for it, and in the place that it has: the order of windows is that in which they first took
in an event. A window that is absent took in none; `triggers.state.position` says from when on it would have seen them.
"""

from typing import Any, Final

import msgspec

from triggers.measures.shapes import Window
from triggers.state.sections.base import Legend, Needed, Section
from triggers.state.sizes import value_bytes

_decode = msgspec.msgpack.Decoder(Window).decode
_decode_map = msgspec.msgpack.Decoder(dict[str, msgspec.Raw]).decode
_Raw: Final = msgspec.Raw


class LazyWindows(dict[str, Any]):
    """Windows by key, of which those that nobody has asked for are still bytes."""

    __slots__ = ()

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 -- as that of a dict
        window = dict.get(self, key)
        if window.__class__ is _Raw:
            window = self[key] = _read_window(window)
        return default if window is None else window

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401
        window = self.get(key)
        if window is None:
            raise KeyError(key)
        return window

    def items(self) -> Any:  # noqa: ANN401
        """All windows, read."""
        for key in self:
            self.get(key)
        return dict.items(self)

    def values(self) -> Any:  # noqa: ANN401
        """All windows, read."""
        self.items()
        return dict.values(self)


def _read_window(raw: Any) -> Any:  # noqa: ANN401
    try:
        return _decode(raw)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(f"a text in a state is not UTF-8: {error.reason}") from None


def _read(raw: Any) -> LazyWindows:  # noqa: ANN401
    return LazyWindows(_decode_map(raw))


class Windows(Section):
    """Key of a window -> window."""

    def size(self, value: dict[str, Any]) -> int:
        return value_bytes(msgspec.to_builtins(dict(value.items())))

    def forget(self, value: dict[str, Any], needed: Needed) -> None:
        for key in [key for key in value if key not in needed.windows and key not in needed.pinned_windows]:
            del value[key]

    def show(self, value: dict[str, Any], legend: Legend) -> dict[str, Any]:
        return {"windows": legend.windows(value)}


WINDOWS: Final = Windows("windows", _read, plain=True)
