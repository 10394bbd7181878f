"""The exit codes of a worker, and the text for each problem that prevents its work."""

from __future__ import annotations

from typing import Final

from aiokafka.errors import KafkaError

from streams.commands.topic_layout import TopicsWrong
from streams.kafka.clients import DENIED, TopicMissing, Unreachable
from streams.kafka.records import Unreadable
from streams.kafka.skips import remedy
from streams.worker.watchdog import STALLED

REFUSED: Final = 78
"""Exit code if topics, settings or positions do not allow a worker to run: a restart changes nothing."""
UNREACHABLE: Final = 69
"""Exit code if no broker answers at the start, or none as it should."""


def code_of(problem: BaseException | None) -> int:
    """Return the exit code of a problem with Kafka or its contents that prevents the work."""
    if isinstance(problem, (TopicsWrong, TopicMissing, Unreadable, *DENIED)):
        return REFUSED
    return UNREACHABLE if isinstance(problem, (Unreachable, KafkaError, TimeoutError)) else STALLED


def describe(problem: BaseException | None) -> str:
    """Put into words what prevented the work, with the remedy."""
    if isinstance(problem, DENIED):
        return f"the brokers do not allow it: {problem!r}; docs/topics.md lists what workers need"
    if isinstance(problem, Unreadable):
        return f"{problem}. {remedy(problem, '')}"
    return str(problem) or repr(problem)
