"""The daemon's one port: `/metrics`, `/livez` (`/healthz`) and `/readyz`.

It is served by the event loop itself, so that a loop which stands still fails its probes.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict

from aiohttp import web

from orca_daemon.ops.health import Check, holds
from orca_daemon.ops.metrics import CONTENT_TYPE

Checks = Callable[[], Sequence[Check]]


@asynccontextmanager
async def serve(
    host: str, port: int, *, metrics: Callable[[], bytes], live: Checks, ready: Checks
) -> AsyncIterator[str]:
    """Serve while the context is open; yields the URL, which names the port that was free for port 0.

    Raises:
        OSError: the address cannot be bound.
    """
    runner = web.AppRunner(_application(metrics, live, ready), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        bound = runner.addresses[0]
        name = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        yield f"http://{name}:{bound[1]}"
    finally:
        await runner.cleanup()


def _application(metrics: Callable[[], bytes], live: Checks, ready: Checks) -> web.Application:
    async def scrape(_: web.Request) -> web.Response:
        return web.Response(body=metrics(), headers={"Content-Type": CONTENT_TYPE})

    async def index(_: web.Request) -> web.Response:
        return web.Response(text="orca-daemon: /metrics /livez /readyz\n")

    application = web.Application()
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
