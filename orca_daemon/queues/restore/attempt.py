"""What the handler of restore requests works with: its parts, one attempt, and what is recorded."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import structlog

from orca_daemon.aws.s3copy import ObjectHead
from orca_daemon.aws.s3copy.requests import Requests
from orca_daemon.db import restores
from orca_daemon.db.database import Database
from orca_daemon.db.restores import FileName, RestoreRow
from orca_daemon.ops.metrics.restores import RestoreMetrics
from orca_daemon.queues.restore import plan
from orca_daemon.queues.restore.answers import Answers
from orca_daemon.queues.restore.pace import Pace
from orca_daemon.queues.restore.posts import Posts
from orca_daemon.queues.restore.rules import RestoreRules
from orca_daemon.wire.restore import RestoreRequest, Tier

T = TypeVar("T")
Item = TypeVar("Item")
PROGRESS_EVERY = 30.0
"""Seconds between two log lines about one request."""
HEAD_PATIENCE = 60.0
"""Seconds after which an object that S3 does not describe no longer keeps the others waiting."""
AT_ONCE = 16
"""Granules worked at one time, and files of each."""
_log: Any = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the handler works with."""

    heads: Requests
    asks: Requests
    """Without retries of its own: the message is tried again."""
    database: Database
    posts: Posts
    rules: RestoreRules
    pace: Pace
    metrics: RestoreMetrics
    answers: Answers | None = None
    expedited_fallback: bool = False
    """`restore.expedited_fallback`."""
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    head_patience: float = HEAD_PATIENCE


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One attempt at one request."""

    request: RestoreRequest
    job: str
    archive: str
    tier: Tier
    days: int
    rows: dict[FileName, RestoreRow] = field(default_factory=dict)
    """Everything recorded of the job."""
    known: frozenset[FileName] = frozenset()
    """The files that were recorded before this attempt, whose jobs may have been posted."""
    reopened: frozenset[FileName] = frozenset()
    """The files that were reported as failed when the message was given up; it has been sent again."""
    heads: dict[FileName, ObjectHead] = field(default_factory=dict)
    busy: int = 0
    """Refusals for lack of capacity, in a row."""
    logged: float = 0.0
    seen: int = 0
    """Number of objects that S3 was asked about."""
    done: int = 0
    """Number of files whose step was taken."""

    def ended(self, row: RestoreRow) -> None:
        """A step was taken."""
        self.rows[row.name] = row
        self.done += 1

    def progress(self) -> None:
        """Log how far it is, unless that was logged a short time ago."""
        now = time.monotonic()
        if now - self.logged < PROGRESS_EVERY:
            return
        self.logged = now
        files = sum(len(granule.files) for granule in self.request.granules)
        _log.info(
            "restore.progress", job_id=self.job, files=files, files_seen=self.seen, files_done=self.done
        )


async def recorded(database: Database, job: str, request: RestoreRequest) -> dict[FileName, RestoreRow]:
    """What is recorded of the files of a request.  Other messages may have other files of the same job."""
    granules = [granule.granule_id for granule in request.granules]
    rows = await database.transact(restores.of_job, job, granules)
    names = (plan.name_of(granule, file) for granule, file in request.files)
    return {name: rows[name] for name in names if name in rows}


async def at_most(
    limit: int, work: Callable[[Item], Awaitable[T]], items: Iterable[Item]
) -> list[T | BaseException]:
    """The results and exceptions for all items, in order, with so many under way at a time."""
    permits = asyncio.Semaphore(limit)

    async def one(item: Item) -> T:
        async with permits:
            return await work(item)

    return await asyncio.gather(*(one(item) for item in items), return_exceptions=True)
