"""Tiers of random cases."""

from typing import Any

from hypothesis import strategies as st

from tests.reference.texts import conditions


@st.composite
def tiers(draw: st.DrawFn, pool: list[str], before: dict[str, Any] | None) -> dict[str, Any]:
    """A tier; its levels, or its grace, may be as they were before."""
    keep = draw(st.sampled_from(["0s", "1h", "1d", "3d"]))
    if before is not None and draw(st.booleans()):
        return {**before, "keep": draw(st.sampled_from([before["keep"], keep]))}
    low, high = draw(conditions(pool)), draw(conditions(pool))
    levels = [
        {"low": draw(st.sampled_from([low, f"({low}) or ({high})"]))},
        *([{"mid": low}] if draw(st.booleans()) else []),
        {"high": high},
    ]
    return {"keep": keep, "levels": levels}
