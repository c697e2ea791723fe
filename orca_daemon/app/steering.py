"""Steers this daemon by way of the database: reads which queues are paused, and writes what the daemon does.

It has a connection of its own, because a command must reach a daemon whose pool is busy.
"""

import asyncio
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple, TypeVar
from uuid import uuid4

import structlog
from sqlalchemy import Connection

from orca_daemon import __version__
from orca_daemon.app.checkup.database import UNUSABLE
from orca_daemon.app.dead_letter_records import DeadLetterRecords
from orca_daemon.app.pauses import Pauses
from orca_daemon.app.process_state import Reporter
from orca_daemon.db import actions, control, dead_letters
from orca_daemon.db.actions import Action
from orca_daemon.db.address import Secrets
from orca_daemon.db.control import Pause
from orca_daemon.db.database import Database
from orca_daemon.ops.metrics.steering import SteeringMetrics
from orca_daemon.settings import DatabaseSection

T = TypeVar("T")
READ_SECONDS = 2.0
"""Between two looks at what is paused: with a long poll under way and a slow answer, still within five
seconds after it no receive of any daemon runs."""
WRITE_SECONDS = 10.0
EXPIRE_SECONDS = 300.0
FIRST_SECONDS = 5.0
"""How long the start waits for the first look."""
LEAVE_SECONDS = 2.0
_STATEMENT_SECONDS = 3.0
_MOST_ACTIONS = 100
_log: Any = structlog.get_logger()


class Wanted(NamedTuple):
    """What operators want, as the database says."""

    pauses: dict[str, Pause]
    actions: list[Action]
    now: datetime


def own_connection(section: DatabaseSection, secrets: Secrets | None) -> Database:
    """The same database by one connection, whose statements are short."""
    limits = {
        "pool_size": 1,
        "statement_timeout": min(section.statement_timeout, _STATEMENT_SECONDS),
        "lock_timeout": min(section.lock_timeout, _STATEMENT_SECONDS),
        "connect_timeout": min(section.connect_timeout, _STATEMENT_SECONDS),
    }
    return Database(section.model_copy(update=limits), secrets)


class Steering:
    """The daemon's side of steering.  Whatever fails here, the work goes on."""

    def __init__(
        self,
        database: Database | None,
        pauses: Pauses,
        reporter: Reporter,
        records: DeadLetterRecords,
        metrics: SteeringMetrics,
    ) -> None:
        """`database` is None if none is configured: then signals are all there is."""
        self._database = database
        self._pauses, self._reporter, self._records, self._metrics = pauses, reporter, records, metrics
        self._id, self._host, self._started = uuid4(), socket.gethostname(), datetime.now(UTC)
        self._seen: datetime | None = None
        """Actions that made progress before this time were logged; the database's clock."""
        self._begun: set[object] = set()
        self._state = ""
        """The event that was logged last: `steering.on`, `steering.off`, `steering.unread`."""
        self._next_row = self._next_expiry = 0.0

    async def first(self) -> None:
        """Obey what the database says before the first receive, if it answers; else begin without it."""
        if self._database is None:
            self._say("steering.off", reason="no database is configured")
            return
        try:
            async with asyncio.timeout(FIRST_SECONDS):
                await self._read(self._database)
        except TimeoutError:
            self._say("steering.unread", reason="no answer in time", effect="queues begin as if not paused")

    async def run(self) -> None:
        """Read and write for ever; a supervised task."""
        if self._database is None:
            await asyncio.Event().wait()
            return
        while True:
            await asyncio.sleep(READ_SECONDS)
            if await self._read(self._database):
                await self._write(self._database)
            self._show()

    async def leave(self) -> None:
        """Remove this daemon's row and write the last dead letters; gives up soon."""
        if self._database is None or self._state != "steering.on":
            return
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._write_records(self._database)
                await self._try(self._database, control.remove_process, self._id)
        except TimeoutError:
            _log.debug("steering.not_left")

    async def _read(self, database: Database) -> bool:
        """Obey what the database says; return whether it can be written to."""
        try:
            wanted = await database.transact(_wanted, self._seen)
        except Exception as error:  # noqa: BLE001  what was read last holds, and the work goes on
            reason = str(error) if isinstance(error, UNUSABLE) else type(error).__name__
            self._say("steering.unread", reason=reason, effect="what was read last holds")
            return False
        if wanted is None:
            self._say("steering.off", reason="its tables are missing: run 'orca-daemon db upgrade'")
            return False
        self._say("steering.on")
        self._pauses.database_says(wanted.pauses)
        for action in wanted.actions:
            self._note(action)
        self._seen = max([wanted.now, *(action.seen_at for action in wanted.actions)])
        return True

    async def _write(self, database: Database) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._next_row:
            self._next_row = now + WRITE_SECONDS
            about = (self._id, self._host, __version__, self._started)
            await self._try(database, control.write_process, *about, self._reporter.row())
        await self._write_records(database)
        if now >= self._next_expiry:
            self._next_expiry = now + EXPIRE_SECONDS
            await self._try(database, dead_letters.expire)

    async def _write_records(self, database: Database) -> None:
        while batch := self._records.batch():
            if await self._try(database, dead_letters.record, batch) is None:
                return
            self._records.written(len(batch))
            self._metrics.records.labels("written").inc(len(batch))

    async def _try(self, database: Database, work: Callable[..., T], *values: object) -> T | bool | None:
        """The result, True for none, or None if it failed: it is best effort."""
        try:
            result = await database.transact(partial(_with, work, values))
        except Exception as error:  # noqa: BLE001  see the class
            _log.debug("steering.unwritten", error=type(error).__name__, what=work.__name__)
            return None
        return True if result is None else result

    def _show(self) -> None:
        for queue in self._reporter.retentions:
            self._metrics.oldest.labels(queue).set(self._reporter.oldest_waiting(queue))

    def _note(self, action: Action) -> None:
        """Log and count an action of an operator."""
        about = {"id": str(action.id), "who": action.who, "what": action.what, "filter": dict(action.filter)}
        if action.finished_at is not None:
            self._begun.discard(action.id)
            self._metrics.acted(action.what)
            write = _log.warning if action.error else _log.info
            write("action.finished", **about, done=action.done, wanted=action.wanted, reason=action.error)
        elif action.id not in self._begun:
            self._begun.add(action.id)
            _log.info("action.began", **about, wanted=action.wanted)

    def _say(self, event: str, **about: str) -> None:
        """Log it if it is news."""
        self._metrics.up.set(event == "steering.on")
        if event == self._state:
            return
        was, self._state = self._state, event
        if event != "steering.on":
            _log.warning(event, **about)
        elif was:
            _log.info(event)


def _wanted(connection: Connection, seen: datetime | None) -> Wanted | None:
    """What operators want; None without the tables.  Before the first look, no action is news."""
    if not control.installed(connection):
        return None
    found = actions.seen_since(connection, seen, limit=_MOST_ACTIONS) if seen else []
    return Wanted(control.paused(connection), found, actions.now(connection))


def _with(work: Callable[..., T], values: tuple[object, ...], connection: Connection) -> T:
    return work(connection, *values)
