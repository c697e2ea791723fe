"""The records of dead letters that an action changes: what was sent back or deleted is marked."""

from collections.abc import Callable, Container, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import Connection

from orca_daemon.aws.dead_letter import DeadLetter
from orca_daemon.db import actions, dead_letter_records
from orca_daemon.db.database import Database
from orca_daemon.db.dead_letter_records import DeadLetterRecord, Fate
from orca_daemon.operations.recorded import Recorded

_LONGEST_RETENTION = timedelta(days=14)
"""SQS keeps no message longer (AWS: SQS quotas), so the record is of no use afterwards."""
_Change = Callable[[Connection, Sequence[DeadLetterRecord]], int]


class DatabaseJournal:
    """Marks dead letters of one queue, and counts them in the record of the action; see `RedriveJournal`.

    Mark and count are one transaction: whoever resumes the action counts none twice.
    """

    def __init__(self, record: Recorded, database: Database, queue: str) -> None:
        """`queue` is its name in the settings."""
        self._record = record
        self._database = database
        self._queue = queue

    async def sent_before(self, letters: Sequence[DeadLetter]) -> Container[str]:
        """See `RedriveJournal`."""
        ids = [letter.id for letter in letters]
        return await self._database.transact(dead_letter_records.sent, self._queue, ids)

    async def sent(self, letter: DeadLetter) -> None:
        """See `RedriveJournal`."""
        await self._change([letter], partial(dead_letter_records.mark, fate=Fate.REDRIVEN))

    async def deleting(self, letters: Sequence[DeadLetter]) -> None:
        """Mark them before they are deleted: nobody can see afterwards which dead letters there were."""
        await self._change(letters, partial(dead_letter_records.mark, fate=Fate.DELETED))

    async def kept(self, letters: Sequence[DeadLetter]) -> None:
        """Take the mark away from those that SQS did not delete."""
        if letters:
            await self._change(letters, lambda *args: -dead_letter_records.unmark_deleted(*args))

    async def _change(self, letters: Sequence[DeadLetter], change: _Change) -> None:
        records = [record_of(letter, self._queue) for letter in letters]
        self._record.done = await self._database.transact(
            _changed, records, change, self._record.request.id, self._record.done
        )


def _changed(
    connection: Connection, records: Sequence[DeadLetterRecord], change: _Change, action: UUID, done: int
) -> int:
    """The number of things done, with this change."""
    done += change(connection, records)
    actions.progress(connection, action, done)
    return done


def record_of(letter: DeadLetter, queue: str) -> DeadLetterRecord:
    """The record of a dead letter that has none; Postgres stores no NUL, which evidence may have."""
    error = letter.evidence.get("error")
    when = datetime.fromtimestamp(letter.dead_lettered_at, UTC)
    return DeadLetterRecord(
        id=letter.id,
        original_id=_storable(letter.original_id),
        queue=queue,
        group_id=letter.envelope.group,
        reason=_storable(letter.reason),
        error_type=_storable(error) if isinstance(error, str) else None,
        facts={
            _storable(name): _storable(value) if isinstance(value, str) else value
            for name, value in letter.evidence.items()
        },
        dead_lettered_at=when,
        expires_at=when + _LONGEST_RETENTION,
    )


def _storable(text: str) -> str:
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
