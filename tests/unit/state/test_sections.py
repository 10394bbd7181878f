"""A section of a state is one file; the others, and what another release has put into a state, stay as they are."""

from typing import Any

import msgspec
import pytest

from triggers.base.model import NEVER
from triggers.state import encoding
from triggers.state.duplicates import packed
from triggers.state.encoding import HEAD, decode, encode
from triggers.state.runs import Run, Standing
from triggers.state.sections import SECTIONS
from triggers.state.sections.arms import ARMS
from triggers.state.sections.base import Needed, Section
from triggers.state.sections.begun import BEGUN
from triggers.state.sections.calendar import CALENDAR
from triggers.state.sections.came import CAME
from triggers.state.sections.entered_keys import ENTERED_KEYS
from triggers.state.sections.exited_keys import EXITED_KEYS
from triggers.state.sections.holds import HOLDS
from triggers.state.sections.keys import KEYS
from triggers.state.sections.sends import SENDS
from triggers.state.sections.tiers import TIERS
from triggers.state.sections.watches import WATCHES
from triggers.state.suppression import set_suppressions
from triggers.state.tiers import TierStanding
from triggers.state.user import User
from triggers.state.watches import Watch


def run(rule_set: str = "rules", due: int = NEVER) -> Run:
    return Run("welcome", "v1", rule_set, "0-o1", 1, 1, "1", 1, due)


def full() -> User:
    """A user who has something in each section."""
    user = User(met=3)
    user.traits, user.trait_times, user.gone = {"name": "Ann", "tags": ["a", {"b": None}]}, [5, 6], {"city": 7}
    user.windows = {"w": None, "v": [1, 2]}  # any content: whatever it is, it is carried
    user.standings = {"s": Standing(inside=True, due=90), "t": Standing()}
    user.runs = [run(due=80), run("older")]
    user.entered, user.refused = {"welcome": 4}, {"welcome\0reason": (1, 2)}
    user.seen, user.unread = packed(b"12345678", {1: 1}), packed(b"23456789", {1: 1})
    user.put(ARMS, {"welcome:0-o1": {"tone": "kind"}})
    user.put(BEGUN, {"welcome:0-o1": 5})
    user.put(CALENDAR, {"welcome\0" + "0": ("12345678", 95, 95, -1)})
    user.put(CAME, {"welcome:0-o1": (0, {"book": "Dune"})})
    set_suppressions(user, {"sms": (8, "asked")})
    user.put(HOLDS, {"welcome\0o1": (80, "quiet hours night")})
    user.put(SENDS, b"x")
    user.put(KEYS, {"welcome:0-o1": "c1"})
    user.put(ENTERED_KEYS, {"welcome": b"1234567812345678"})
    user.put(EXITED_KEYS, {"12345678": b"1234567812345678"})
    user.put(TIERS, {"member": TierStanding("0123456789ab", 2, 5, due=85)})
    user.put(WATCHES, [Watch("welcome", "v1", "0-o1", "12345678", 1, 2)])
    user.set_due()
    return user


def test_sections_stand_in_the_order_of_their_names() -> None:
    names = [section.name for section in SECTIONS]
    assert names == sorted(names)
    assert list(msgspec.msgpack.decode(encode(full())[HEAD:])) == names


def test_a_user_without_anything_is_a_head_and_an_empty_map() -> None:
    assert len(encode(User())) == HEAD + 1


def test_an_unknown_section_is_kept_in_its_place_and_so_for_a_release_that_knows_it() -> None:
    sections = {"apples": [1], **msgspec.msgpack.decode(encode(full())[HEAD:]), "tides": {"member": "gold"}, "bells": "x"}
    data = encode(full())[:HEAD] + msgspec.msgpack.encode(dict(sorted(sections.items())))
    assert encode(decode(data)) == data
    looked = decode(data)
    for section in SECTIONS:
        if section.name != "windows":
            looked.value(section)
    looked.refused.clear()
    del sections["refused"]
    assert msgspec.msgpack.decode(encode(looked)[HEAD:]) == sections
    assert list(msgspec.msgpack.decode(encode(looked)[HEAD:])) == sorted(sections)


@pytest.mark.parametrize("opened", [(), ("runs",), ("standings",), ("runs", "standings")])
def test_the_due_moment_of_a_user_does_not_depend_on_what_was_read(opened: tuple[str, ...]) -> None:
    user = decode(encode(full()))
    for section in SECTIONS:
        if section.name in opened:
            user.value(section)
    user.due = 0
    user.set_due()
    assert user.due == 80


def test_a_section_that_nobody_needs_is_not_read_to_forget_something_of_it() -> None:
    user = decode(encode(full()))
    user.forget(Needed({"w": 0}, set(), {}, {"t"}, {}))
    assert list(user.windows) == ["w"]
    assert (list(user.standings), user.refused) == (["t"], {})


def test_a_section_is_read_in_its_version_before_this_one_and_written_in_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, and not at the first look: otherwise the bytes would depend on looks."""
    old = msgspec.msgpack.Decoder(list[Run]).decode
    before = Section("runs", lambda raw: raw, before=("courses", old))
    monkeypatch.setitem(encoding.BEFORE, "courses", before)
    sections: dict[str, Any] = {"courses": [run(due=80)]}
    user = decode(encode(User())[:HEAD] + msgspec.msgpack.encode(sections))
    assert "courses" not in msgspec.msgpack.decode(encode(user)[HEAD:])
    assert decode(encode(user)).runs == [run(due=80)]


def test_sizes_are_reckoned_from_what_is_held() -> None:
    user = full()
    user.windows = {}
    assert all(section.size(user.value(section)) > 0 for section in SECTIONS if section.name != "windows")
    assert all(section.size(User().value(section)) <= 2 for section in SECTIONS)
