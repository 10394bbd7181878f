"""Distinguish a cancellation that our code requested from one that it did not.

aiokafka lets the `CancelledError` of its own inner tasks escape from `stop`. A task that gets it seems to be cancelled, so its failure
would be silent. `asyncio.Task.cancelling` distinguishes the two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class Dropped(Exception):  # noqa: N818 - its name says what is wrong
    """A cancellation that our code did not request has ended the work."""


def is_requested() -> bool:
    """Return whether our code has cancelled the current task."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def certain(work: Awaitable[T], name: str) -> T:
    """Wait for the work. Raises `Dropped` for a cancellation that our code did not request."""
    try:
        return await work
    except asyncio.CancelledError as error:
        if is_requested():
            raise
        raise Dropped(f"{name} was cancelled without a request") from error
