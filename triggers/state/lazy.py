"""A user's windows. Each is read on its own, when a rule needs it.

In its own module, because a compiled class cannot extend a dict (docs/design.md, the compiled engine).
"""

from typing import Any, Final

import msgspec

from triggers.measures.shapes import Window

_decode = msgspec.msgpack.Decoder(Window).decode
_decode_map = msgspec.msgpack.Decoder(dict[str, msgspec.Raw]).decode
_Raw: Final = msgspec.Raw


class LazyWindows(dict[str, Any]):
    """Windows by key. A window is bytes until code asks for it."""

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
        """Read and return all windows."""
        for key in self:
            self.get(key)
        return dict.items(self)

    def values(self) -> Any:  # noqa: ANN401
        """Read and return all windows."""
        self.items()
        return dict.values(self)


def _read_window(raw: Any) -> Any:  # noqa: ANN401
    try:
        return _decode(raw)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(f"a text in a state is not UTF-8: {error.reason}") from None


def read_windows(raw: Any) -> LazyWindows:  # noqa: ANN401
    return LazyWindows(_decode_map(raw))
