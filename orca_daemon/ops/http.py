"""The daemon's one port: `/metrics`, `/livez` (`/healthz`) and `/readyz`.

It is served by the event loop itself, so that a loop which stands still fails its probes.  A connection is
for one request; `listener` has the limits.
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
    host: str, port: int, *, metrics: Callable[[], bytes], live: Checks, ready: Checks
) -> AsyncIterator[str]:
    """Serve while the context is open; yields the URL, which names the port that was free for port 0.

    Raises:
        OSError: the address cannot be bound.
    """
    runner = web.AppRunner(
        _application(metrics, live, ready), access_log=None, logger=_of_peers(), shutdown_timeout=1.0
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


def _application(metrics: Callable[[], bytes], live: Checks, ready: Checks) -> web.Application:
    async def scrape(_: web.Request) -> web.Response:
        return web.Response(body=metrics(), headers={"Content-Type": CONTENT_TYPE})

    async def index(_: web.Request) -> web.Response:
        return web.Response(text="orca-daemon: /metrics /livez /readyz\n")

    application = web.Application(middlewares=[_one_answer])
    application.router.add_get("/", index)
    application.router.add_get("/metrics", scrape)
    application.router.add_get("/livez", _answer(live))
    application.router.add_get("/healthz", _answer(live))
    application.router.add_get("/readyz", _answer(ready))
    return application


def _answer(checks: Checks) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.StreamResponse:
        made = checks()
        lines = "".join(json.dumps(asdict(check)) + "\n" for check in made)
        return web.Response(
            text=lines, status=200 if holds(made) else 503, content_type="application/x-ndjson"
        )

    return answer


@web.middleware
async def _one_answer(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """A connection is for one request.  A failure of ours is an error; a peer's is not."""
    try:
        response = await handler(request)
    except web.HTTPException as refused:
        refused.force_close()
        raise
    except Exception:  # noqa: BLE001  whatever it is, the peer gets an answer
        _log.error("http.failed", path=request.path, exc_info=True)
        response = web.Response(status=500, text="this answer cannot be made; the log has the reason\n")
    response.force_close()
    return response


class _AtDebug(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        _log.debug("http.bad_request", text=record.getMessage(), error=type(error).__name__)


def _of_peers() -> logging.Logger:
    """The logger of aiohttp's server, which logs what peers do wrong as errors; alarms count errors."""
    logger = logging.getLogger("orca_daemon.ops.http.peers")
    logger.propagate = False
    logger.handlers[:] = [_AtDebug()]
    return logger
