"""What a worker lets through of what the libraries say."""

import logging

from streams.worker.telemetry.logs import KINDS, Sparing


def _record(name: str, message: str, *values: object) -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, "", 0, message, values, None)


def test_what_a_library_repeats_is_said_once_and_then_counted() -> None:
    sparing = Sparing(every=0.0)
    sparing._every = 1e9
    assert sparing.filter(_record("aiokafka.client", "no connection to %s", "a"))
    assert not any(sparing.filter(_record("aiokafka.client", "no connection to %s", number)) for number in range(5))
    assert sparing.filter(_record("aiokafka.client", "something else"))
    sparing._every = 0.0
    later = _record("aiokafka.client", "no connection to %s", "b")
    assert sparing.filter(later)
    assert later.getMessage() == "no connection to b (and 5 more like it)"


def test_our_own_words_are_all_said() -> None:
    sparing = Sparing()
    assert all(sparing.filter(_record("streams.worker.partition", "open")) for _ in range(3))


def test_messages_that_are_all_different_do_not_pile_up() -> None:
    sparing = Sparing()
    assert all(sparing.filter(_record("aiokafka", f"no connection to {number}")) for number in range(3 * KINDS))
    assert len(sparing._said) <= KINDS
