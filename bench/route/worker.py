"""One process that empties a queue: `python -m bench.route.worker KIND QUEUE COUNT`.

Its last line is the result, as JSON.

KIND is `bare` (a loop), or the daemon.s route: `standard`, `strict`, `pipelined`, `row` (a row a message).
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection, text

from orca_daemon.app.process import Process
from orca_daemon.aws.clients import connect
from orca_daemon.aws.sqs import SqsSource
from orca_daemon.engine.events import Event, Polled, Settled
from orca_daemon.engine.message import Delivery, Envelope
from orca_daemon.engine.route import Route
from orca_daemon.engine.source import BATCH
from orca_daemon.local.ports import free_port
from orca_daemon.ops import logs
from orca_daemon.ops.gc_tuning import tune_gc
from orca_daemon.queues.services import Services
from orca_daemon.settings import Settings

LOOPS = 4
DIRECT = "BENCH_DIRECT_CALLS"
"""The variable that says whether `aws.direct_calls` is on."""
ROUTES = "orca_daemon.app.checkup.settings.routes"
"""Where the daemon takes its routes from."""
ROW = text("INSERT INTO row_a_message VALUES (1)")


def main(kind: str, queue: str, count: int) -> None:
    """Empty the queue, and print seconds, seconds of CPU, and receives."""
    direct = os.environ.get(DIRECT, "true")
    values: dict[str, Any] = {
        "queues": {"bench": {"url": queue}},
        "aws": {"direct_calls": direct},
        "engine": {"wait": 1},
        "http": {"host": "127.0.0.1", "port": free_port()},
    }
    if kind == "row":
        values["database"] = {"url": os.environ["DATABASE_URL"]}
    settings = Settings.model_validate(values)
    logs.configure_unblocked(settings.log.level, settings.log.format)
    tune_gc()
    work = _bare(settings, queue, count) if kind == "bare" else _daemon(settings, kind, count)
    result = asyncio.run(work)
    logs.flush()
    print(json.dumps(result), flush=True)


async def _bare(config: Settings, queue: str, count: int) -> dict[str, float]:
    left, receives = count, 0
    async with connect(config) as clients:
        source = SqsSource(clients.poll, clients.control, queue)

        async def loop() -> None:
            nonlocal left, receives
            while left > 0:
                receives += 1
                if envelopes := await source.receive(BATCH, wait=0, lease=120):
                    await source.delete(envelopes)
                    left -= len(envelopes)

        async def loops() -> None:
            await asyncio.gather(*(loop() for _ in range(LOOPS)))

        return {**await _timed(loops()), "receives": receives}


class _Counting(Process):
    """A daemon that counts its receives and its deleted messages."""

    def __init__(self, config: Settings, count: int) -> None:
        super().__init__(config)
        self.receives, self.left = 0, count
        self.finished = asyncio.Event()

    def _observe(self, event: Event) -> None:
        super()._observe(event)
        self.receives += isinstance(event, Polled)
        if isinstance(event, Settled):
            self.left -= event.outcome == "deleted"
            if not self.left:
                self.finished.set()


async def _daemon(config: Settings, kind: str, count: int) -> dict[str, float]:
    process = _Counting(config, count)
    async with AsyncExitStack() as stack:
        stack.enter_context(patch(ROUTES, lambda services: [_route(services, kind)]))
        await process.start(stack)
        running = asyncio.ensure_future(process.run())
        result = {**await _timed(process.finished.wait()), "receives": process.receives}
        process.stop()
        await running
        return result


def _route(services: Services, kind: str) -> Route[str]:
    async def handle(run: Sequence[Delivery[str]], /) -> None:
        if kind == "row" and services.database is not None:
            for _ in run:
                await services.database.transact(_insert)

    return Route(name="bench", decode=_body, handle=handle, pipelined=kind == "pipelined")


def _body(envelope: Envelope) -> str:
    return envelope.body


def _insert(connection: Connection) -> None:
    connection.execute(ROW)


async def _timed(work: Awaitable[Any]) -> dict[str, float]:
    began, processor = time.perf_counter(), time.process_time()
    await work
    return {"seconds": time.perf_counter() - began, "processor": time.process_time() - processor}


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
