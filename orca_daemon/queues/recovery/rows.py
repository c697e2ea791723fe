"""The rows of `recovery_file` that wait for an object."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from orca_daemon.aws.s3copy import S3Object
from orca_daemon.aws.s3copy.plan import MIB
from orca_daemon.db.sql import load
from orca_daemon.wire.status import RecoveryStatus

_SQL = load(__package__, "rows.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One file of one job: who wants the object, where, and how far it has come."""

    job_id: str
    collection_id: str | None
    granule_id: str
    filename: str
    destination: str
    """A bucket."""
    chunk_mb: int | None
    status: RecoveryStatus
    updated: datetime | None = None

    @property
    def open(self) -> bool:
        """Whether it still waits."""
        return self.status in {RecoveryStatus.PENDING, RecoveryStatus.STAGED}

    def waits(self, since: datetime | None) -> bool:
        """Whether an event of that time is for it: it waits still, or failed only after the event.

        The latter is a dead letter that was sent again: its cause is mended, and the file wanted after all.
        """
        failed_since = (
            self.status is RecoveryStatus.FAILED
            and since is not None
            and self.updated is not None
            and self.updated > since
        )
        return self.open or failed_since


def of_object(connection: Connection, place: S3Object) -> list[Row]:
    """All rows of an object, matched by bucket and key."""
    found = connection.execute(_SQL["of_object"], {"bucket": place.bucket, "key": place.key})
    return [
        Row(
            job_id=row.job_id,
            collection_id=row.collection_id,
            granule_id=row.granule_id,
            filename=row.filename,
            destination=row.restore_destination,
            chunk_mb=row.multipart_chunksize_mb,
            status=RecoveryStatus(row.status_id),
            updated=row.last_update,
        )
        for row in found
    ]


def chunk_of(rows: Iterable[Row]) -> int | None:
    """Bytes of a part, of the first row that asks for some; null and 0 leave it to the setting."""
    return next((row.chunk_mb * MIB for row in rows if row.chunk_mb and row.chunk_mb > 0), None)


def by_destination(rows: Iterable[Row]) -> Mapping[str, list[Row]]:
    """Rows that share one copy: however many jobs wait for an object, each bucket gets it once."""
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row.destination, []).append(row)
    return grouped
