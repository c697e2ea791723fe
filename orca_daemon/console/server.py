"""Runs uvicorn on our own listening sockets, with limits, with our logging, without its signal handlers."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from orca_daemon.ops.listener import accepting, bind

GRACE = 10.0
"""Seconds that answers in progress have after a stop."""
HEAD_SECONDS = 10.0
"""Seconds within which the head of a request must be complete."""
_KEEP_ALIVE = 75
"""Seconds that an idle connection stays open: longer than the 60 of an AWS load balancer, which would answer
502 if we closed first (AWS: Application Load Balancers, connection idle timeout)."""
_HEAD = 32 * 1024
"""Largest head of a request, bytes."""
_CONNECTIONS, _CONNECTION_SECONDS = 512, 3600.0
_log: Any = structlog.get_logger()


class _Protocol(H11Protocol):
    """One connection; closed if the head of a request is too slow, which uvicorn does not watch."""

    _slow: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._answering:
            self._watch()
        super().data_received(data)
        if self._answering:
            self._unwatch()

    @property
    def _answering(self) -> bool:
        return bool(self.cycle) and not self.cycle.response_complete

    def _watch(self) -> None:
        if self._slow is None:
            self._slow = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _unwatch(self) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None


class _Server(uvicorn.Server):
    """A server that is stopped by `should_exit` only, and whose connections our own acceptor limits."""

    async def run_on(self, sockets: Sequence[socket.socket]) -> None:
        """Serve until `should_exit` is set, then finish the answers in progress."""
        self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)

        def connected() -> asyncio.Protocol:
            return _Protocol(self.config, self.server_state, {})

        self.servers = []
        self.started = True
        async with accepting(sockets, connected, most=_CONNECTIONS, seconds=_CONNECTION_SECONDS):
            await self.main_loop()
        await self.shutdown()


@asynccontextmanager
async def serving(app: FastAPI, host: str, port: int) -> AsyncIterator[tuple[str, "asyncio.Task[None]"]]:
    """Serve while the context is open; yields the URL, and the task of the server, which should not end.

    Raises:
        OSError: the address cannot be bound.
    """
    sockets = bind(host, port)
    bound = sockets[0].getsockname()
    name = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
    _hush()
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            http="h11",
            loop="asyncio",
            server_header=False,
            proxy_headers=False,  # headers of proxies are ours to judge
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=int(GRACE),
            h11_max_incomplete_event_size=_HEAD,
        )
    )
    task = asyncio.create_task(server.run_on(sockets))
    try:
        yield f"http://{name}:{bound[1]}", task
    finally:
        server.should_exit = True
        await asyncio.wait({task})


class _AtDebug(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        _log.debug("http.bad_request", text=record.getMessage(), error=type(error).__name__)


def _hush() -> None:
    """Log what uvicorn says of its peers at debug: it calls their mistakes errors, and alarms count errors.

    Our own failures are logged by `security.requests`.
    """
    logger = logging.getLogger("uvicorn.error")
    logger.propagate = False
    logger.handlers[:] = [_AtDebug()]
