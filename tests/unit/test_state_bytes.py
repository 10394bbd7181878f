"""The bytes of a state are a contract: whoever changes what they mean, a message id's hash among it, counts up `STATE_SCHEMA`."""

from triggers.testing import Story
from triggers.user import STATE_SCHEMA, decode, encode

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
    assert STATE_SCHEMA == 1
    assert state.hex() == (
        "0000019b86bb9900010000000199cf0000019b86bb9900010381a46e616d65a3416e6e81ac333839306138326536666538950200cd4fde0181cd4fe6"
        "0181ac30616231656262373865666193c2cf7fffffffffffffffc2919ca568656c6c6fa86633366331663463d9403933643035343934636433646230"
        "3164366239316534353031303639333633653563306461366662363038663861303737323639396464613361326133653464a4302d6f33cf0000019b"
        "774885000301cf0000019b86bb9900cf0000019b86bb9900c2c28081a568656c6c6fcf0000019b77488500c4101dc73f47c0140d669a56802ed4e5af"
        "a7"
    )
    assert encode(decode(state)) == state
