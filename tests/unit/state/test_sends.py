"""The send log as bytes."""

from hypothesis import given
from hypothesis import strategies as st

from triggers.state.sends import KEPT, MAX_BYTES, MAX_SENDS, add, entries, hashed, lost, number_of

CHANNELS = ["push", "sms"]
sends = st.lists(st.tuples(st.integers(0, KEPT // 3), st.booleans(), st.sampled_from(CHANNELS), st.sampled_from("abc")), max_size=30)


def logged(sent: list[tuple[int, bool, str, str]]) -> tuple[bytes, list[tuple[int, bool, str, str]]]:
    log, now = b"", 1
    kept: list[tuple[int, bool, str, str]] = []
    for gap, dry, channel, journey in sent:
        now += gap
        log = add(log, now, dry=dry, channel=channel, category="marketing", journey=journey)
        kept = [*(one for one in kept if one[0] > now - KEPT), (now, dry, channel, journey)]
    return log, kept


@given(sends, st.booleans(), st.sampled_from(CHANNELS), st.sampled_from([None, "a", "b"]), st.integers(0, KEPT))
def test_a_log_gives_back_what_was_put_in(
    sent: list[tuple[int, bool, str, str]], dry: bool, channel: str, journey: str | None, length: int
) -> None:
    log, kept = logged(sent)
    begin = (kept[-1][0] if kept else 0) - length
    journeys = None if journey is None else frozenset([hashed(journey)])
    found = entries(log, begin, dry=dry, channels=frozenset([hashed(channel)]), categories=None, journeys=journeys)
    matching = [
        (at, hashed(by)) for at, was_dry, on, by in kept if was_dry is dry and on == channel and journey in (None, by) and at >= begin
    ]
    assert found == matching[::-1]
    assert (number_of(log), lost(log)) == (len(kept), 0)


def test_a_log_that_is_full_remembers_the_newest_moment_that_it_lost() -> None:
    log = b""
    for at in range(1, MAX_SENDS + 4):
        log = add(log, at, dry=False, channel="push", category="news", journey="j")
    assert (number_of(log), lost(log), len(log)) == (MAX_SENDS, 3, MAX_BYTES)
    assert (
        entries(log, 0, dry=False, channels=frozenset([hashed("push")]), categories=frozenset([hashed("news")]), journeys=None)[-1][0] == 4
    )
    log = add(log, 4 + KEPT, dry=False, channel="push", category="news", journey="j")
    assert lost(log) == 0
