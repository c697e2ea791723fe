"""The page `/`: the queues, and how many messages each has."""

import asyncio
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from orca_daemon.aws.sqs import SqsSource
from orca_daemon.console.context import ConsoleContext, Context
from orca_daemon.console.rendering import page
from orca_daemon.engine.errors import SourceError

router = APIRouter()


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A queue; `messages` is None if SQS does not answer."""

    name: str
    messages: int | None
    reason: str = ""


@router.get("/", response_class=HTMLResponse, include_in_schema=False)
async def now(request: Request, context: Context) -> HTMLResponse:
    """The page."""
    return page(request, "now.html", queues=await _queues(context))


async def _queues(context: ConsoleContext) -> list[QueueRow]:
    bound = context.settings.bound
    return await asyncio.gather(*(_queue(context, name, queue.url or "") for name, queue in bound.items()))


async def _queue(context: ConsoleContext, name: str, url: str) -> QueueRow:
    try:
        depth = await SqsSource(context.clients.poll, context.clients.control, url).depth()
    except SourceError as error:
        return QueueRow(name, None, str(error))
    return QueueRow(name, depth.messages)
