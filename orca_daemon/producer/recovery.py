"""The functions of ORCA's shared library that tell how a recovery goes, one message at a time and many.

Every function takes `client`, a boto3 SQS client; by default one is made for the region in AWS_REGION, once.
`grouping` must be the same for all producers of a queue.  Functions for one message raise `SendError`, or
what boto3 raises; those for many return a result for each message instead.  What cannot be made into a
message at all raises ValueError or TypeError, in both, before anything is sent.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from orca_daemon.producer.batch import Sent, send_batch
from orca_daemon.producer.queue import send
from orca_daemon.wire.outgoing import Outgoing, dump
from orca_daemon.wire.status import (
    Grouping,
    RecoveryStatus,
    RequestMethod,
    UpdateFile,
    job_document,
    outgoing,
    update_document,
)

OrcaStatus = RecoveryStatus
_FINAL = frozenset({OrcaStatus.FAILED, OrcaStatus.SUCCESS})


def create_status_for_job(
    job_id: str,
    granule_id: str,
    archive_destination: str,
    files: Sequence[Mapping[str, Any]],
    db_queue_url: str,
    *,
    collection_id: str | None = None,
    grouping: Grouping = Grouping.QUEUE,
    client: Any = None,
) -> None:
    """Announce that the recovery of a granule begins.

    Args:
        job_id: the recovery job; several granules may share it.
        granule_id: the granule.
        archive_destination: the archive bucket in which its files are.
        files: JSON objects with `filename`, `keyPath`, `restoreDestination`, `s3MultipartChunksizeMb`,
            `statusId`, `requestTime`, `lastUpdate`; for files that failed `errorMessage`, `completionTime`.
        db_queue_url: the status-update queue.
        collection_id: the granule's collection; ORCA from 8.1 on requires it.
        grouping: how the queue's messages are grouped.
        client: a boto3 SQS client.
    """
    document = _new_job(
        job_id=job_id,
        granule_id=granule_id,
        archive_destination=archive_destination,
        files=files,
        collection_id=collection_id,
    )
    post_entry_to_fifo_queue(document, RequestMethod.NEW_JOB, db_queue_url, grouping=grouping, client=client)


def update_status_for_file(
    job_id: str,
    granule_id: str,
    filename: str,
    orca_status: OrcaStatus,
    error_message: str | None,
    db_queue_url: str,
    *,
    collection_id: str | None = None,
    grouping: Grouping = Grouping.QUEUE,
    client: Any = None,
) -> None:
    """Tell what became of one file.

    Args:
        job_id: the recovery job.
        granule_id: the granule.
        filename: the file's name, without its directory.
        orca_status: its status now.
        error_message: what went wrong; required when the status is FAILED, not sent otherwise.
        db_queue_url: the status-update queue.
        collection_id: the granule's collection; ORCA from 8.1 on requires it.
        grouping: how the queue's messages are grouped.
        client: a boto3 SQS client.

    Raises:
        ValueError: the status is FAILED, and no error is named.
    """
    document = _update(
        job_id=job_id,
        granule_id=granule_id,
        filename=filename,
        orca_status=orca_status,
        error_message=error_message,
        collection_id=collection_id,
    )
    post_entry_to_fifo_queue(
        document, RequestMethod.UPDATE_FILE, db_queue_url, grouping=grouping, client=client
    )


def post_entry_to_fifo_queue(
    new_data: Mapping[str, Any],
    request_method: RequestMethod,
    db_queue_url: str,
    *,
    grouping: Grouping = Grouping.QUEUE,
    client: Any = None,
) -> None:
    """Send this JSON object to the status-update queue."""
    send(outgoing(new_data, request_method, grouping=grouping), db_queue_url, client=client)


def post_entry_to_standard_queue(
    new_data: Mapping[str, Any], recovery_queue_url: str, *, client: Any = None
) -> None:
    """Send this JSON object to a standard queue: a copy request, or an S3 event."""
    send(Outgoing(body=dump(new_data)), recovery_queue_url, client=client)


def create_status_for_jobs(
    jobs: Iterable[Mapping[str, Any]],
    db_queue_url: str,
    *,
    grouping: Grouping = Grouping.QUEUE,
    client: Any = None,
) -> list[Sent]:
    """`create_status_for_job` for many; each of `jobs` holds its arguments by name."""
    documents = [_new_job(**job) for job in jobs]
    return post_entries_to_fifo_queue(
        documents, RequestMethod.NEW_JOB, db_queue_url, grouping=grouping, client=client
    )


def update_status_for_files(
    updates: Iterable[Mapping[str, Any]],
    db_queue_url: str,
    *,
    grouping: Grouping = Grouping.QUEUE,
    client: Any = None,
) -> list[Sent]:
    """`update_status_for_file` for many; each of `updates` holds its arguments by name."""
    documents = [_update(**update) for update in updates]
    return post_entries_to_fifo_queue(
        documents, RequestMethod.UPDATE_FILE, db_queue_url, grouping=grouping, client=client
    )


def post_entries_to_fifo_queue(
    entries: Iterable[Mapping[str, Any]],
    request_method: RequestMethod,
    db_queue_url: str,
    *,
    grouping: Grouping = Grouping.QUEUE,
    client: Any = None,
) -> list[Sent]:
    """`post_entry_to_fifo_queue` for many, in this order."""
    messages = [outgoing(entry, request_method, grouping=grouping) for entry in entries]
    return list(send_batch(messages, db_queue_url, client=client))


def post_entries_to_standard_queue(
    entries: Iterable[Mapping[str, Any]], recovery_queue_url: str, *, client: Any = None
) -> list[Sent]:
    """`post_entry_to_standard_queue` for many."""
    messages = [Outgoing(body=dump(entry)) for entry in entries]
    return list(send_batch(messages, recovery_queue_url, client=client))


def _new_job(
    *,
    job_id: str,
    granule_id: str,
    archive_destination: str,
    files: Sequence[Mapping[str, Any]],
    collection_id: str | None = None,
) -> dict[str, Any]:
    return job_document(
        job_id=job_id,
        collection_id=collection_id,
        granule_id=granule_id,
        request_time=datetime.now(UTC),
        archive_destination=archive_destination,
        files=files,
    )


def _update(
    *,
    job_id: str,
    granule_id: str,
    filename: str,
    orca_status: OrcaStatus,
    error_message: str | None = None,
    collection_id: str | None = None,
) -> dict[str, Any]:
    now = datetime.now(UTC)
    return update_document(
        UpdateFile(
            job_id=job_id,
            collection_id=collection_id,
            granule_id=granule_id,
            filename=filename,
            last_update=now,
            status=orca_status,
            completion_time=now if orca_status in _FINAL else None,
            error_message=error_message if orca_status == OrcaStatus.FAILED else None,
        )
    )
