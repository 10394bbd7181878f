"""Tells a cancellation that somebody asked for from one that nobody did.

aiokafka lets the `CancelledError` of its own inner tasks escape from `stop`. A task that meets it looks as if it had been cancelled, so
its failure would be silent. `asyncio.Task.cancelling` tells the two apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class Dropped(Exception):  # noqa: N818 - it says what is the matter
    """Work ended with a cancellation that nobody asked for."""


def is_asked_for() -> bool:
    """Tell whether somebody has cancelled the current task."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def certain(work: Awaitable[T], name: str) -> T:
    """Wait for the work. Raises `Dropped` for a cancellation that nobody asked for."""
    try:
        return await work
    except asyncio.CancelledError as error:
        if is_asked_for():
            raise
        raise Dropped(f"{name} was cancelled, though nobody asked for it") from error
