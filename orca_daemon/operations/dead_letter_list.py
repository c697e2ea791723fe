"""Lists dead letters: those of one queue as SQS shows them, and those that only the database knows."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from orca_daemon.aws.dead_letter_filter import DeadLetterFilter
from orca_daemon.db import dead_letter_records
from orca_daemon.db.dead_letter_records import DeadLetterRecord, RecordCount, RecordFilter
from orca_daemon.db.failures import PostgresError
from orca_daemon.engine.errors import DependencyDown
from orca_daemon.operations import dead_letters
from orca_daemon.operations.database import database
from orca_daemon.operations.dead_letter_counts import QueueCount, count_queues
from orca_daemon.operations.dead_letters import Peeked
from orca_daemon.settings import Settings


@dataclass(frozen=True, slots=True)
class Listed:
    """Dead letters of one queue."""

    peeked: Peeked
    """What SQS showed."""
    recorded: list[DeadLetterRecord] = field(default_factory=list)
    """Others, which only the database knows."""


@dataclass(frozen=True, slots=True)
class Overview:
    """The dead letters of all queues, as the database knows them."""

    queues: list[QueueCount]
    records: list[DeadLetterRecord]
    """The newest first."""


async def list_queue(settings: Settings, queue: str, wanted: DeadLetterFilter, most: int) -> Listed:
    """At most `most` dead letters of one queue that match.

    Of a FIFO queue SQS shows only the first ten of each group; the database adds the others that it knows.
    Without a database, or while it is down, it adds none.

    Raises:
        UnknownQueueError, SourceError: as for `peek`.
    """
    peeked = await dead_letters.peek(settings, queue, wanted, most)
    left = min(most - len(peeked.letters), peeked.approximate_count - len(peeked.seen))
    if not peeked.fifo or left <= 0:
        return Listed(peeked)
    return Listed(peeked, await _records(settings, [queue], wanted, left, without=peeked.seen))


async def overview(settings: Settings, wanted: DeadLetterFilter, most: int) -> Overview:
    """The dead letters of all queues: counts by SQS, and the newest that the database knows and that match.

    Raises:
        AddressError, DependencyDown, PostgresError: the database cannot be read.
    """
    counts: Mapping[str, RecordCount] = {}
    records: list[DeadLetterRecord] = []
    if settings.database.configured:
        async with database(settings) as opened:
            counts = await opened.transact(dead_letter_records.counts)
            chosen = record_filter(wanted)
            records = await opened.transact(dead_letter_records.page, list(settings.bound), chosen, most)
    return Overview(await count_queues(settings, counts), records)


async def find_record(settings: Settings, queue: str, wanted: DeadLetterFilter) -> DeadLetterRecord | None:
    """The newest record that matches; None without a database."""
    return next(iter(await _records(settings, [queue], wanted, 1)), None)


def record_filter(wanted: DeadLetterFilter, without: Collection[str] = ()) -> RecordFilter:
    """The same filter for records, except for its `test`."""
    return RecordFilter(
        ids=wanted.ids,
        reason=wanted.reason,
        error=wanted.error,
        group=wanted.group,
        since=datetime.fromtimestamp(wanted.since, UTC) if wanted.since else None,
        until=datetime.fromtimestamp(wanted.until, UTC) if wanted.until < float("inf") else None,
        without=without,
    )


async def _records(
    settings: Settings,
    queues: list[str],
    wanted: DeadLetterFilter,
    most: int,
    without: Collection[str] = (),
) -> list[DeadLetterRecord]:
    if settings.database.configured:
        with suppress(DependencyDown, PostgresError):
            async with database(settings) as opened:
                chosen = record_filter(wanted, without)
                return await opened.transact(dead_letter_records.page, queues, chosen, most)
    return []
