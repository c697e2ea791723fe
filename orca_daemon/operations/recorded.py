"""An action of an operator while it runs: recorded before it acts, with signs of life, and its end."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from orca_daemon.db import action_position, dead_letter_records
from orca_daemon.db.actions import Action
from orca_daemon.db.database import Database
from orca_daemon.db.failures import PostgresError
from orca_daemon.engine.errors import DependencyDown
from orca_daemon.operations import actions
from orca_daemon.operations.actions import Beginning
from orca_daemon.operations.database import database
from orca_daemon.settings import Settings

_SIGN_OF_LIFE = 4.0
"""Seconds between two reports of progress."""


@dataclass(frozen=True, slots=True)
class Request:
    """Who asks for an action, under which id; with the same id it happens once, and is resumed."""

    id: UUID
    who: str


class AlreadyDoneError(Exception):
    """The action of this id has finished: nothing was done now."""

    def __init__(self, action: Action) -> None:
        """`action` has what it did."""
        self.action = action
        when = f"{action.finished_at:%Y-%m-%dT%H:%M:%SZ}" if action.finished_at else ""
        super().__init__(
            f"nothing to do: {action.what} {action.id} was finished at {when}, {action.done} done"
        )


class UnderWayError(Exception):
    """Another process does the action of this id at this moment, or was cut short some seconds ago."""

    def __init__(self, action: Action) -> None:
        """`action` is the one that is under way."""
        self.action = action
        super().__init__(
            f"{action.what} {action.id} is under way; if its process has ended, repeat this in 15 seconds"
        )


@dataclass(slots=True)
class Recorded:
    """An action that runs."""

    request: Request
    began: datetime
    """When it was first begun, by the database's clock; what fails later is not part of it."""
    database: Database | None = None
    """Where it is recorded; None without a database."""
    done: int = 0
    """Counts things; whoever acts counts on."""
    position: Mapping[str, Any] | None = None
    """How far an earlier process got; None if this is the first."""
    resumed: bool = False
    result: dict[str, Any] = field(default_factory=dict)
    """What is recorded at the end."""

    async def reached(self, position: Mapping[str, Any]) -> None:
        """Record how far it is; whoever resumes it begins behind this."""
        self.position = position
        if self.database:
            await self.database.transact(
                action_position.reached, self.request.id, done=self.done, position=position
            )


@asynccontextmanager
async def recorded(
    settings: Settings, request: Request, what: str, about: Mapping[str, Any], wanted: int | None = None
) -> AsyncIterator[Recorded]:
    """Record an action, run the body, and record its end; without a database, or before an upgrade, just run.

    If the body raises, the action is left unfinished: the same id resumes it.

    Raises:
        AlreadyDoneError: it has finished.
        UnderWayError: another process does it.
        OtherActionError: the id belongs to another action.
        DependencyDown, PostgresError: it cannot be recorded, so nothing was done.
    """
    if not settings.database.configured:
        yield Recorded(request, datetime.now(UTC))
        return
    async with database(settings) as opened:
        if not await opened.transact(dead_letter_records.installed):
            yield Recorded(request, datetime.now(UTC))
            return
        begun = await actions.begin(
            opened, request.id, who=request.who, what=what, about=about, wanted=wanted
        )
        if begun.beginning is Beginning.FINISHED:
            raise AlreadyDoneError(begun.action)
        if begun.beginning is Beginning.UNDER_WAY:
            raise UnderWayError(begun.action)
        resumed = begun.beginning is Beginning.RESUMED
        record = Recorded(
            request,
            begun.action.at,
            opened,
            done=begun.action.done if resumed else 0,
            position=begun.action.result,
            resumed=resumed,
        )
        alive = asyncio.create_task(_signs_of_life(record))
        try:
            yield record
        finally:
            alive.cancel()
            with suppress(asyncio.CancelledError):
                await alive
        await actions.finish(opened, request.id, done=record.done, result=record.result)


@asynccontextmanager
async def unrecorded(settings: Settings) -> AsyncIterator[Recorded]:
    """What acts for a caller that records the action; dead letters are still marked in the database."""
    request, now = Request(uuid4(), ""), datetime.now(UTC)
    if not settings.database.configured:
        yield Recorded(request, now)
        return
    async with database(settings) as opened:
        installed = await opened.transact(dead_letter_records.installed)
        yield Recorded(request, now, opened if installed else None)


async def _signs_of_life(record: Recorded) -> None:
    while record.database:
        await asyncio.sleep(_SIGN_OF_LIFE)
        with suppress(DependencyDown, PostgresError):
            await actions.progress(record.database, record.request.id, record.done)
