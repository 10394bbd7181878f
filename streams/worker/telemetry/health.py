"""A small HTTP server: /healthz, /readyz and /metrics. Faust's own web server is off, because it serves tables to any client."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from streams.worker.ownership import Ownership
    from streams.worker.telemetry.metrics import Metrics

log = logging.getLogger(__name__)


class Health:
    """Serves until `stop`; `port` is the actual port."""

    def __init__(
        self,
        ownership: Ownership | None,
        metrics: Metrics,
        alive: Callable[[], str | None],
        away: Callable[[], str | None] = lambda: None,
        outside: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`alive` returns the problem, or None; `away` returns that no broker answers, or None.

        `ownership` may follow later, when the worker joins the group. Until then `outside` returns what the worker waits for, or None.
        """
        self.ownership = ownership
        self._metrics, self._alive, self._away, self._outside = metrics, alive, away, outside
        self._runner: web.AppRunner | None = None
        self.port: int | None = None

    async def start(self, host: str, port: int) -> None:
        """Begin to serve. Raises `OSError` if the address is in use."""
        app = web.Application()
        app.add_routes([web.get("/healthz", self._healthz), web.get("/readyz", self._readyz), web.get("/metrics", self._page)])
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        self.port = self._runner.addresses[0][1]
        log.info("http://%s:%d/healthz /readyz /metrics", host, self.port)

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        problem = self._alive()
        return web.Response(text=f"{problem or 'alive'}\n", status=503 if problem else 200)

    async def _readyz(self, _: web.Request) -> web.Response:
        away = self._away()
        if away is not None:
            return web.Response(text=f"not ready: {away}\n", status=503)
        ownership = self.ownership
        if ownership is None:
            outside = self._outside()
            what = "not ready: it has not joined the group yet" if outside is None else f"waiting for upgrade: {outside}"
            return web.Response(text=f"{what}\n", status=503 if outside is None else 200)
        waiting = [str(owned.partition) for owned in ownership if not owned.is_open]
        if ownership.ready:
            return web.Response(text=f"ready: {len(ownership)} partitions\n")
        what = f"partitions not open: {', '.join(waiting)}" if waiting else "the consumer group has not assigned partitions yet"
        return web.Response(text=f"not ready: {what}\n", status=503)

    async def _page(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics.page(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})
