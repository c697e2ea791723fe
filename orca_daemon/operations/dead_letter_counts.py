"""How many dead letters each queue has, by SQS and by the records of the database."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from orca_daemon.aws.clients import Clients, connect
from orca_daemon.aws.dead_letter_queue import DeadLetterQueue
from orca_daemon.db.dead_letter_records import RecordCount
from orca_daemon.engine.errors import SourceError
from orca_daemon.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueCount:
    """The dead letters of one queue."""

    queue: str
    """Its name in the settings."""
    approximate_count: int | None
    """How many SQS says that there are; None if it does not say."""
    recorded: int
    """How many have a record."""
    oldest: datetime | None
    """When the oldest of the recorded was dead-lettered."""
    newest: datetime | None
    problem: str | None = None
    """Why SQS does not say."""

    @property
    def more(self) -> int:
        """About how many have no record: SQS moved them, or the database was away."""
        return max(0, (self.approximate_count or 0) - self.recorded)


async def count_queues(settings: Settings, records: Mapping[str, RecordCount]) -> list[QueueCount]:
    """The dead letters of each queue with a URL, in the order of the settings; asks SQS.

    Raises:
        SettingsError: AWS is not set up.
    """
    if not settings.bound:
        return []
    async with connect(settings) as clients:
        counts = (
            _count(clients, queue, section.url or "", records.get(queue))
            for queue, section in settings.bound.items()
        )
        return list(await asyncio.gather(*counts))


async def _count(clients: Clients, queue: str, url: str, records: RecordCount | None) -> QueueCount:
    count, problem = None, None
    try:
        count = await (await DeadLetterQueue.of(clients, url)).count()
    except SourceError as error:
        problem = f"{error.kind} ({error})"
    return QueueCount(
        queue=queue,
        approximate_count=count,
        recorded=records.count if records else 0,
        oldest=records.oldest if records else None,
        newest=records.newest if records else None,
        problem=problem,
    )
