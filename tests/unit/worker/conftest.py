"""One owned partition, open, for the tests of it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from streams.settings import Settings
from streams.worker import partition as module
from streams.worker.opening import Log
from streams.worker.partition import Owned
from streams.worker.restore import Restored
from tests.unit.worker.stand_ins import Begin, Host, Writer, until
from triggers.base.model import Place
from triggers.engine.interface import Options
from triggers.engine.partition import Partition
from triggers.journeys.library import Library
from triggers.state.position import Position
from triggers.state.table import Table


@pytest.fixture
async def begin(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Begin]:
    """Open a partition whose position is 9, fed at epoch 1 from offset 10."""
    begun: list[Owned] = []

    new = False

    async def open_partition(settings: Settings, log: Log, partition: int, **given: Any) -> tuple[Partition, Restored]:
        await given["fence"](given["writer"].open)
        fold = Partition(Place("events", partition), Table(), Library(), Position(offset=9), Options())
        return fold, Restored(None if new else fold.position, 0, 0.0)

    monkeypatch.setattr(module, "Writer", Writer)
    monkeypatch.setattr(module, "open_partition", open_partition)

    async def start(*, fed: bool = True, first: bool = False, **settings: Any) -> tuple[Owned, Host, Writer]:
        nonlocal new
        new, host = first, Host(**settings)
        owned = Owned(host, 3, 1, None)
        host.owned = owned
        begun.append(owned)
        writer: Any = owned.writer
        if fed:
            await until(lambda: "feed" in host.said)
            assert owned.place(1) == (10, 1)
        return owned, host, writer

    yield start
    for owned in begun:
        writer: Any = owned.writer
        writer.gate.set()
        await owned.close()
