"""Runs uvicorn on our own listening sockets, with our logging and without its signal handlers."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from orca_daemon.ops.listener import bind

GRACE = 10.0
"""Seconds that answers in progress have after a stop."""
_KEEP_ALIVE = 75
"""Seconds that an idle connection stays open: longer than the 60 of an AWS load balancer, which would answer
502 if we closed first (AWS: Application Load Balancers, connection idle timeout)."""
_HEAD = 32 * 1024
"""Largest head of a request, bytes."""


class Server(uvicorn.Server):
    """A server that is stopped by `should_exit` only."""

    async def run_on(self, sockets: Sequence[socket.socket]) -> None:
        """Serve until `should_exit` is set, then finish the answers in progress."""
        await self._serve(list(sockets))


@asynccontextmanager
async def serving(app: FastAPI, host: str, port: int) -> AsyncIterator[tuple[str, "asyncio.Task[None]"]]:
    """Serve while the context is open; yields the URL, and the task of the server, which should not end.

    Raises:
        OSError: the address cannot be bound.
    """
    sockets = bind(host, port)
    bound = sockets[0].getsockname()
    name = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
    server = Server(
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
