"""What the messages of the queue mean to us."""

from orca_daemon.aws.s3copy import S3Object
from orca_daemon.queues.recovery.rows import Row
from orca_daemon.wire.copy import CopyRequest
from orca_daemon.wire.status import RecoveryStatus

RESTORE = "ObjectRestore:"
EXPIRED = "ObjectRestore:Delete"


def is_restore(event: str | None) -> bool:
    """Whether such an event tells that an object may be readable; ORCA's synthetic records have no name."""
    return event is None or (event.startswith(RESTORE) and event != EXPIRED)


def parts_of(request: CopyRequest) -> tuple[S3Object, S3Object, Row]:
    """Source, target, and whom the request is for.  Its sender has announced STAGED itself."""
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
