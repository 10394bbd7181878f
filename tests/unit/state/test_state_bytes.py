"""The bytes of a state are a contract: a change of their meaning, also of a message id's hash, increases `STATE_SCHEMA`."""

import msgspec
import pytest

from triggers.state.encoding import STATE_SCHEMA, WrongSchema, decode, encode
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
        "0000019b86bb990002000000010000000100000000000000030185a7656e746572656481a568656c6c6fcf0000019b77488500a472756e7392cf0000"
        "019b86bb9900919ca568656c6c6fa86633366331663463d9403933643035343934636433646230316436623931653435303130363933363365356330"
        "6461366662363038663861303737323639396464613361326133653464a4302d6f33cf0000019b7748850003a131cf0000019b86bb9900cf0000019b"
        "86bb9900c2c280a47365656ec42000077d92000000019a56802ed4e5afa700077d91000000011dc73f47c0140d66a67472616974739381a46e616d65"
        "a3416e6e91cf0000019b7711968080a777696e646f777381ac333839306138326536666538960200cd4fde0181cd4fe60100"
    )
    assert encode(decode(state)) == state


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 8, bytes(8) + b"\x02", bytes(8) + b"\x02" + bytes(17), bytes(8) + b"\x02" + bytes(17) + b"\x81\xa1\xa4\x00"]
)
def test_bytes_that_are_no_state_are_refused_and_raise_nothing_else(data: bytes) -> None:
    with pytest.raises((WrongSchema, msgspec.DecodeError)):
        decode(data).open()
