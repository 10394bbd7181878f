"""Random commands."""

from hypothesis import strategies as st

from tests.reference.log import Command, UserCommand

USERS = ["u1", "u2"]


@st.composite
def commands(draw: st.DrawFn, offset: int, timestamp: int) -> Command:
    kind = draw(st.sampled_from(["pause", "resume"]))
    return Command(offset=offset, timestamp=timestamp, kind=kind, journey=draw(st.sampled_from(["j1", "j1", "j2"])))  # type: ignore[arg-type]


@st.composite
def user_commands(draw: st.DrawFn, offset: int, timestamp: int) -> UserCommand:
    """Some come twice: their ids are few."""
    kind = draw(st.sampled_from(["suppress", "suppress", "unsuppress", "erase", "enter", "enter"]))
    channel = draw(st.sampled_from([None, "email", "push"])) if "suppress" in kind else None
    journey = draw(st.sampled_from(["j1", "j1", "j2"])) if kind == "enter" else None
    id_ = f"c{draw(st.sampled_from([offset, offset, offset, 0]))}"
    user = draw(st.sampled_from(USERS))
    return UserCommand(offset=offset, timestamp=timestamp, kind=kind, user=user, id=id_, channel=channel, journey=journey)  # type: ignore[arg-type]
