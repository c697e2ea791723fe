"""Targets of copies: from a copy request, from rows of `recovery_file`, or by a rule in the settings."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

from sqlalchemy import Connection

from orca_daemon.aws.s3copy import S3Object
from orca_daemon.aws.s3copy.plan import MIB
from orca_daemon.db.sql import load
from orca_daemon.engine.errors import Reject
from orca_daemon.settings import RecoverySection
from orca_daemon.wire.copy import CopyRequest
from orca_daemon.wire.status import RecoveryStatus

RESTORE = "ObjectRestore:"
EXPIRED = "ObjectRestore:Delete"
"""The restored copy of an object has expired (AWS: S3 event types)."""
OTHER = "other"
"""The key in `bucket_map` for all other extensions."""
_SQL = load(__package__, "targets.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One file of one job, as a row of `recovery_file` or as a copy request describes it."""

    job_id: str
    collection_id: str | None
    granule_id: str
    filename: str
    destination: str
    """A bucket."""
    chunk_mb: int | None
    status: RecoveryStatus
    updated: datetime | None = None
    """When the status changed; None for a copy request."""

    @property
    def open(self) -> bool:
        """Whether the file is not recovered yet, and has not failed."""
        return self.status in {RecoveryStatus.PENDING, RecoveryStatus.STAGED}

    def waits(self, since: datetime | None) -> bool:
        """Whether an event of the time `since` is for this row: it is open, or it failed after the event.

        If it failed after the event, the event is a dead letter that was sent again: an operator has removed
        the cause, and the file is still wanted.
        """
        failed_since = (
            self.status is RecoveryStatus.FAILED
            and since is not None
            and self.updated is not None
            and self.updated > since
        )
        return self.open or failed_since


def is_restore(event: str | None) -> bool:
    """Whether the object of this event may be readable now; ORCA's synthetic records have no event name."""
    return event is None or (event.startswith(RESTORE) and event != EXPIRED)


def parts_of(request: CopyRequest) -> tuple[S3Object, S3Object, Row]:
    """Source, target, and row of a copy request.  Its sender has already posted STAGED."""
    return (
        S3Object(request.source_bucket, request.source_key),
        S3Object(request.restore_destination, request.target_key),
        Row(
            job_id=request.job_id,
            collection_id=request.collection_id,
            granule_id=request.granule_id,
            filename=request.filename,
            destination=request.restore_destination,
            chunk_mb=request.s3_multipart_chunksize_mb,
            status=RecoveryStatus.STAGED,
        ),
    )


def of_object(connection: Connection, source: S3Object) -> list[Row]:
    """All rows of an object, matched by bucket and key."""
    rows = connection.execute(_SQL["of_object"], {"bucket": source.bucket, "key": source.key})
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
        for row in rows
    ]


def chunk_of(rows: Iterable[Row]) -> int | None:
    """Part size in bytes, from the first row that has one; if it is null or 0, the setting applies."""
    return next((row.chunk_mb * MIB for row in rows if row.chunk_mb and row.chunk_mb > 0), None)


def by_destination(rows: Iterable[Row]) -> Mapping[str, list[Row]]:
    """Rows by bucket: all jobs that wait for an object in the same bucket share one copy."""
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row.destination, []).append(row)
    return grouped


def destination(key: str, rule: RecoverySection) -> str:
    """The bucket for an object without rows, in disaster recovery.

    By `bucket_map` if it is set; otherwise `protected_bucket` for data files, `public_bucket` for the rest.

    Raises:
        Reject: the rule has no bucket for this key.
    """
    extension = PurePosixPath(key).suffix.lower()
    if rule.bucket_map:
        buckets = _with_dots(rule.bucket_map)
        bucket = buckets.get(extension) or buckets.get(OTHER)
    else:
        is_data = extension in {name.lower() for name in rule.data_extensions}
        bucket = rule.protected_bucket if is_data else rule.public_bucket
    if not bucket:
        kind = f"{extension} files" if extension else "files without an extension"
        raise Reject(f"no bucket is set for {kind}: see bucket_map, protected_bucket and public_bucket")
    return bucket


def _with_dots(bucket_map: Mapping[str, str]) -> dict[str, str]:
    """The map with normalised extensions: `h5`, `.h5` and `.H5` are the same."""
    return {
        name if name == OTHER else f".{name.lower().removeprefix('.')}": bucket
        for name, bucket in bucket_map.items()
    }
