"""Status messages as ORCA's producers send them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from orca_daemon.wire.outgoing import Outgoing
from orca_daemon.wire.status import (
    RecoveryStatus,
    RequestMethod,
    UpdateFile,
    job_document,
    outgoing,
    update_document,
)

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
COLLECTION = "MOD09GQ___006"


def new_job(
    job: str,
    files: Sequence[str],
    *,
    archive: str = "archive",
    destination: str = "protected",
    granule: str = "g-1",
    folder: str = "d",
) -> Outgoing:
    """A `new_job` message: the recovery of a granule starts, with its files pending."""
    now = START.isoformat()
    entries = [
        {
            "filename": name,
            "keyPath": f"{folder}/{name}",
            "restoreDestination": destination,
            "s3MultipartChunksizeMb": None,
            "statusId": 1,
            "requestTime": now,
            "lastUpdate": now,
        }
        for name in files
    ]
    document = job_document(
        job_id=job,
        collection_id=COLLECTION,
        granule_id=granule,
        request_time=START,
        archive_destination=archive,
        files=entries,
    )
    return outgoing(document, RequestMethod.NEW_JOB)


def update(
    job: str, name: str, status: RecoveryStatus, *, granule: str = "g-1", seconds: float = 1.0
) -> Outgoing:
    """An `update_file` message: a file reached a status `seconds` after `START`."""
    then = START + timedelta(seconds=seconds)
    final = status in {RecoveryStatus.FAILED, RecoveryStatus.SUCCESS}
    document = update_document(
        UpdateFile(
            job_id=job,
            collection_id=COLLECTION,
            granule_id=granule,
            filename=name,
            last_update=then,
            status=status,
            completion_time=then if final else None,
            error_message="lost" if status is RecoveryStatus.FAILED else None,
        )
    )
    return outgoing(document, RequestMethod.UPDATE_FILE)
