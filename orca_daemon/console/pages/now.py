"""The page `/`: what is wrong, the queues, what the daemons work on, and the daemons."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection

from orca_daemon.console.concerns import Facts, concerns
from orca_daemon.console.context import ConsoleContext, Context
from orca_daemon.console.pages.dead_letters import queues_of
from orca_daemon.console.queues import QueueCounts
from orca_daemon.console.rendering import page
from orca_daemon.console.states import State
from orca_daemon.db import control
from orca_daemon.db.control import Pause
from orca_daemon.db.failures import PostgresError
from orca_daemon.db.sql import load
from orca_daemon.engine.errors import DependencyDown
from orca_daemon.operations.daemons import Consumed, Fleet, fleet

router = APIRouter()
_SQL = load(__package__, "now.sql")
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Known:
    """What the database says."""

    installed: bool = True
    fleet: Fleet = field(default_factory=Fleet)
    pauses: Any = None
    failed_files: int = 0
    open_granules: int = 0
    failed_comparisons: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A queue, by SQS and by the daemons."""

    counts: QueueCounts
    consumed: Consumed | None
    pause: Pause | None

    @property
    def state(self) -> State:
        """What happens to it."""
        if self.counts.problem:
            return State("not reached", "bad")
        if self.pause or (self.consumed and self.consumed.paused_by):
            return State("paused", "warn")
        if self.consumed is None:
            return State("not read", "warn")
        if self.consumed.down:
            return State("waits", "bad")
        return State("working", "good") if self.consumed.held else State("idle", "good")


@router.get("/", response_class=HTMLResponse, include_in_schema=False)
async def now(request: Request, context: Context) -> HTMLResponse:
    """The page; without the database it still shows the queues."""
    known, counts = await asyncio.gather(_known(context), queues_of(request).counts(context))
    pauses = known.pauses or {}
    facts = Facts(
        now=datetime.now(UTC),
        installed=known.installed,
        fleet=known.fleet,
        queues=counts,
        pauses=pauses,
        failed_files=known.failed_files,
        failed_cut=known.failed_files >= _MOST,
        failed_comparisons=known.failed_comparisons,
        problem=known.problem,
    )
    queues = [QueueRow(each, known.fleet.queues.get(each.name), pauses.get(each.name)) for each in counts]
    return page(
        request,
        "now.html",
        concerns=concerns(facts),
        queues=queues,
        known=known,
        fleet=known.fleet,
        work=[work for daemon in known.fleet.alive for work in daemon.work],
        open_cut=known.open_granules >= _MOST,
        every=5,
        address="/",
    )


async def _known(context: ConsoleContext) -> Known:
    try:
        return await context.reader.read(_read)
    except DependencyDown:
        # The reason names the server, which is for the log.
        return Known(problem="it does not answer")
    except PostgresError as error:
        return Known(problem=str(error))


def _read(connection: Connection) -> Known:
    installed = control.installed(connection)
    return Known(
        installed=installed,
        fleet=fleet(control.processes(connection)) if installed else Fleet(),
        pauses=control.paused(connection) if installed else {},
        failed_files=connection.execute(_SQL["failed_files"], {"most": _MOST}).scalar_one(),
        open_granules=connection.execute(_SQL["open"], {"most": _MOST}).scalar_one(),
        failed_comparisons=tuple(connection.execute(_SQL["failed_comparisons"]).scalars()),
    )
