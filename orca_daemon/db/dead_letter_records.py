"""What the database knows of dead letters: reads the records, and marks those that were sent back or deleted.

The daemon writes a record when it dead-letters a message, if it can.  What SQS moved by itself has none until
an operator acts on it.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import Connection

from orca_daemon.db.sql import load

_SQL = load(__package__, "dead_letter_records.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterRecord:
    """A dead letter as the database has it, without its body."""

    id: str
    """SQS's id of the dead letter.  Marks go by it: the other one is evidence, which may be forged."""
    original_id: str
    """Of the message that it was, as in log lines; empty if unknown."""
    queue: str
    group_id: str | None
    reason: str
    error_type: str | None
    facts: Mapping[str, Any]
    dead_lettered_at: datetime
    expires_at: datetime | None = None
    """When SQS deletes it, because its queue's retention is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordCount:
    """The records of one queue whose dead letters were neither sent back nor deleted."""

    queue: str
    count: int
    oldest: datetime
    newest: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFilter:
    """A filter of records: all conditions must hold."""

    ids: Collection[str] = ()
    """Of the dead letter or of the message; empty means any."""
    reason: str = ""
    error: str = ""
    group: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    without: Collection[str] = ()
    """Ids of dead letters that are left out."""


class Fate(Enum):
    """What became of a dead letter, by the statement that marks it."""

    REDRIVEN = "mark_redriven"
    DELETED = "mark_deleted"


def installed(connection: Connection) -> bool:
    """Whether there are records at all: the tables come with an upgrade."""
    return bool(connection.scalar(_SQL["installed"]))


def counts(connection: Connection) -> dict[str, RecordCount]:
    """The records by queue; empty without the table."""
    if not installed(connection):
        return {}
    return {row["queue"]: RecordCount(**row) for row in connection.execute(_SQL["counts"]).mappings()}


def page(
    connection: Connection, queues: Collection[str], chosen: RecordFilter, limit: int
) -> list[DeadLetterRecord]:
    """The newest records of these queues that match, at most `limit`; nothing without the table."""
    if not installed(connection):
        return []
    parameters = {
        "queues": list(queues),
        "ids": list(chosen.ids) or None,
        "reason": chosen.reason,
        "error": chosen.error,
        "group": chosen.group,
        "since": chosen.since,
        "until": chosen.until,
        "without": list(chosen.without),
        "limit": limit,
    }
    return [DeadLetterRecord(**row) for row in connection.execute(_SQL["page"], parameters).mappings()]


def known(connection: Connection, queue: str, ids: Collection[str]) -> set[str]:
    """Those of these dead letters that have a record."""
    if not ids or not installed(connection):
        return set()
    return set(connection.execute(_SQL["known"], {"queue": queue, "ids": list(ids)}).scalars())


def sent(connection: Connection, queue: str, ids: Collection[str]) -> set[str]:
    """Those of these dead letters, that were sent back and are still on their queue."""
    return set(connection.execute(_SQL["sent"], {"queue": queue, "ids": list(ids)}).scalars())


def mark(connection: Connection, records: Sequence[DeadLetterRecord], fate: Fate) -> int:
    """Mark what became of dead letters of one queue; those without a record get one.

    Returns the number of those that were not marked before.
    """
    for record in records:
        connection.execute(_SQL["insert"], _values(record))
    return connection.execute(_SQL[fate.value], _chosen(records)).rowcount


def unmark_deleted(connection: Connection, records: Sequence[DeadLetterRecord]) -> int:
    """Take the mark away again from dead letters that could not be deleted; returns their number."""
    return connection.execute(_SQL["unmark_deleted"], _chosen(records)).rowcount


def _chosen(records: Sequence[DeadLetterRecord]) -> dict[str, object]:
    return {"queue": records[0].queue, "ids": [record.id for record in records]}


def _values(record: DeadLetterRecord) -> dict[str, object]:
    return {
        "id": record.id,
        "original_id": record.original_id,
        "queue": record.queue,
        "group": record.group_id,
        "reason": record.reason,
        "error": record.error_type,
        "facts": json.dumps(dict(record.facts)),
        "dead_lettered_at": record.dead_lettered_at,
        "expires_at": record.expires_at,
    }
