"""The bytes of a state are a contract: a change of their meaning, also of a message id's hash, increases `STATE_SCHEMA`."""

import msgspec
import pytest

from triggers.state.user import STATE_SCHEMA, User, WrongSchema, decode, encode
from triggers.testing import Story

RULES = """
version: 1
segments:
  busy: count("Read", days=7) >= 3
journeys:
  hello:
    entry: {event: Read}
    steps: [{wait: 3d}, {send: {channel: push, text: Hello}}]
"""


def test_these_events_make_these_bytes() -> None:
    told = Story({"rules.yaml": RULES}, start="2026-01-01T00:00:00Z")
    told.identify("ann", {"name": "Ann"}, at="+1h", messageId="m-1")
    told.track("ann", "Read", at="+1h", messageId="m-2")
    state = told.fold()[0].table.states()["ann"]
    assert STATE_SCHEMA == 2
    assert state.hex() == (
        "0000019b86bb99000200000001000000000000000387a674726169747381a46e616d65a3416e6ea574696d65739291cf0000019b7711968080a77769"
        "6e646f777381ac333839306138326536666538960200cd4fde0181cd4fe60100a97374616e64696e677381ac30616231656262373865666193c2cf7f"
        "ffffffffffffffc2a472756e73919ca568656c6c6fa86633366331663463d94039336430353439346364336462303164366239316534353031303639"
        "333633653563306461366662363038663861303737323639396464613361326133653464a4302d6f33cf0000019b7748850003a131cf0000019b86bb99"
        "00cf0000019b86bb9900c2c280a7656e746572656481a568656c6c6fcf0000019b77488500a369647392c4101dc73f47c0140d669a56802ed4e5afa7"
        "82ce00077d9101ce00077d9201"
    )
    assert encode(decode(state)) == state


def test_a_section_of_another_release_is_carried_along() -> None:
    state = decode(encode(User()))
    state.others = {"tiers": msgspec.Raw(msgspec.msgpack.encode({"member": "gold"}))}
    again = decode(encode(state))
    assert again.others is not None
    assert {name: bytes(raw) for name, raw in again.others.items()} == {"tiers": msgspec.msgpack.encode({"member": "gold"})}


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 8, bytes(8) + b"\x02", bytes(8) + b"\x02" + bytes(12), bytes(8) + b"\x02" + bytes(12) + b"\x81\xa1\xa4\x00"]
)
def test_bytes_that_are_no_state_are_refused_and_raise_nothing_else(data: bytes) -> None:
    with pytest.raises((WrongSchema, msgspec.DecodeError)):
        decode(data)
