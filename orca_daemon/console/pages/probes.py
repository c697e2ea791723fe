"""`/livez`, `/readyz` and `/metrics`, for supervisors and Prometheus."""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response

from orca_daemon.console.context import Context
from orca_daemon.ops.metrics import CONTENT_TYPE

router = APIRouter(include_in_schema=False)


@router.get("/livez")
@router.get("/healthz")
async def live() -> Response:
    """That the process answers is all that a restart could fix."""
    return PlainTextResponse("ok\n")


@router.get("/readyz")
async def ready() -> Response:
    """A console without its database is ready: it says so on its pages, which no restart would improve."""
    return PlainTextResponse("ok\n")


@router.get("/metrics")
async def metrics(context: Context) -> Response:
    """All series."""
    context.metrics.connections.set(context.reader.in_use + context.database.in_use)
    return Response(context.metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})
