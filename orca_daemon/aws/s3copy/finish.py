"""Work that a cancellation may delay but not cut short."""

import asyncio
from collections.abc import Coroutine
from typing import Any

PATIENCE = 4.0
"""Seconds that work may still take once it is cancelled; an engine that drains waits for seven in all."""


async def finish(work: Coroutine[Any, Any, None]) -> None:
    """Await `work`; a cancellation meanwhile is raised when it has ended, or after `PATIENCE` seconds."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await _wait(task)
        raise


async def _wait(task: asyncio.Future[None]) -> None:
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not task.done():
        left = deadline - asyncio.get_running_loop().time()
        try:
            await asyncio.wait({task}, timeout=max(left, 0))
        except asyncio.CancelledError:
            continue  # cancelled once more: the end is near anyway
        if left <= 0:
            task.cancel()
            await asyncio.wait({task}, timeout=1)
            return
    if not task.cancelled():
        task.exception()  # read, so that asyncio does not report it as forgotten
