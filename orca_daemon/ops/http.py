"""The daemon's one port: `/metrics`, `/livez` (`/healthz`), `/readyz` and `/state`.

The event loop itself serves it, so that probes fail if the loop is blocked.  Each connection serves one
request; `listener` limits their number and duration.
"""

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

import structlog
from aiohttp import web

from orca_daemon.ops.health import Check, holds
from orca_daemon.ops.listener import accepting, bind
from orca_daemon.ops.metrics import CONTENT_TYPE

Checks = Callable[[], Sequence[Check]]
_log: Any = structlog.get_logger()


@asynccontextmanager
async def serve(
    host: str,
    port: int,
    *,
    metrics: Callable[[], bytes],
    live: Checks,
    ready: Checks,
    state: Callable[[], Awaitable[str]],
) -> AsyncIterator[str]:
    """Serve while the context is open; yields the URL, with the port that the kernel chose for port 0.

    `state` returns JSON.

    Raises:
        OSError: the address cannot be bound.
    """
    runner = web.AppRunner(
        _application(metrics, live, ready, state),
        access_log=None,
        logger=_peer_logger(),
        shutdown_timeout=1.0,
    )
    sockets = bind(host, port)
    await runner.setup()
    try:
        if runner.server is None:
            raise RuntimeError("the HTTP server was not set up")
        async with accepting(sockets, runner.server):
            bound = sockets[0].getsockname()
            name = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
            yield f"http://{name}:{bound[1]}"
    finally:
        await runner.cleanup()


def _application(
    metrics: Callable[[], bytes], live: Checks, ready: Checks, state: Callable[[], Awaitable[str]]
) -> web.Application:
    async def scrape(_: web.Request) -> web.Response:
        return web.Response(body=metrics(), headers={"Content-Type": CONTENT_TYPE})

    async def index(_: web.Request) -> web.Response:
        return web.Response(text="orca-daemon: /metrics /livez /readyz /state\n")

    async def report(_: web.Request) -> web.Response:
        return web.Response(text=await state(), content_type="application/json")

    application = web.Application(middlewares=[_one_request])
    application.router.add_get("/", index)
    application.router.add_get("/metrics", scrape)
    application.router.add_get("/livez", _answer(live))
    application.router.add_get("/healthz", _answer(live))
    application.router.add_get("/readyz", _answer(ready))
    application.router.add_get("/state", report)
    return application


def _answer(checks: Checks) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.StreamResponse:
        results = checks()
        lines = "".join(json.dumps(asdict(check)) + "\n" for check in results)
        return web.Response(
            text=lines, status=200 if holds(results) else 503, content_type="application/x-ndjson"
        )

    return answer


@web.middleware
async def _one_request(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Close the connection after one request.  Log our own failures as errors, those of a peer at debug."""
    try:
        response = await handler(request)
    except web.HTTPException as refused:
        refused.force_close()
        raise
    except Exception:  # noqa: BLE001  the peer gets an answer after any failure
        _log.error("http.failed", path=request.path, exc_info=True)
        response = web.Response(status=500, text="internal error; see the log for the reason\n")
    response.force_close()
    return response


class _AtDebug(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        _log.debug("http.bad_request", text=record.getMessage(), error=type(error).__name__)


def _peer_logger() -> logging.Logger:
    """A logger for aiohttp's server, which logs mistakes of peers as errors; alarms count errors."""
    logger = logging.getLogger("orca_daemon.ops.http.peers")
    logger.propagate = False
    logger.handlers[:] = [_AtDebug()]
    return logger
