"""`windows`: the data of measures, by the key of the window.

Each window is read on its own when code asks for it, and keeps its place: windows are in the order of their first events. An absent window
has had no event; `triggers.state.position` says since when it would have seen them.
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


WINDOWS: Final = Windows("windows", read_windows)
