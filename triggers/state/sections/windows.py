"""`windows`: what measures have counted, by the key of the window.

Each window is read by itself when somebody asks for it, and in the place that it has: the order of windows is that in which they first took
in an event. A window that is absent took in none; `triggers.state.position` says from when on it would have seen them.
"""

from typing import Any, Final

import msgspec

from triggers.state.lazy import read_windows
from triggers.state.sections.base import Legend, Needed, Section
from triggers.state.sizes import value_bytes


class Windows(Section):
    """Key of a window -> window."""

    def size(self, value: Any) -> int:  # noqa: ANN401 -- see `User.windows`
        return value_bytes(msgspec.to_builtins(dict(value.items())))

    def forget(self, value: dict[str, Any], needed: Needed) -> None:
        for key in [key for key in value if key not in needed.windows and key not in needed.pinned_windows]:
            del value[key]

    def show(self, value: dict[str, Any], legend: Legend) -> dict[str, Any]:
        return {"windows": legend.windows(value)}


WINDOWS: Final = Windows("windows", read_windows, plain=True)
