"""The functions of ORCA's shared library that report a recovery, for one message and for many.

Every function takes `client`, a boto3 SQS client.  The default client is made once for each region: the
region in the queue's URL, else in AWS_REGION.  `grouping` must be the same for all producers of a queue.

Functions for one message raise `SendError`, or what boto3 raises.  Functions for many messages return a
result for each message instead.  If arguments do not make a message that the daemon accepts, both kinds raise
ValueError or TypeError with a sentence, before they send anything.

Members of enumerations of `orca_shared`, or of your own, are replaced by their values.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any

from orca_daemon.producer.batch import Sent, send_batch
from orca_daemon.producer.queue import send
from orca_daemon.wire import recovery, status
from orca_daemon.wire.outgoing import Outgoing, dump
from orca_daemon.wire.status import (
    Grouping,
    RecoveryStatus,
    RequestMethod,
    UpdateFile,
    job_document,
    outgoing,
    update_message,
)
from orca_daemon.wire.times import UTC
from orca_daemon.wire.wire_model import make

OrcaStatus = RecoveryStatus
_FINAL = (OrcaStatus.FAILED, OrcaStatus.SUCCESS)


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
    """Report that the recovery of a granule begins.

    Args:
        job_id: the recovery job; several granules may share it.
        granule_id: the granule.
        archive_destination: the archive bucket that holds its files.
        files: JSON objects with `filename`, `keyPath`, `restoreDestination`, `s3MultipartChunksizeMb`,
            `statusId`, `requestTime`, `lastUpdate`; if a file failed, also `errorMessage`, `completionTime`.
        db_queue_url: URL of the status-update queue.
        collection_id: the granule's collection; ORCA requires it since version 8.1.
        grouping: the message groups of the queue.
        client: a boto3 SQS client.
    """
    message = _new_job(
        grouping,
        job_id=job_id,
        granule_id=granule_id,
        archive_destination=archive_destination,
        files=files,
        collection_id=collection_id,
    )
    send(message, db_queue_url, client=client)


def update_status_for_file(
    job_id: str,
    granule_id: str,
    filename: str,
    orca_status: Enum | int,
    error_message: str | None,
    db_queue_url: str,
    *,
    collection_id: str | None = None,
    grouping: Grouping = Grouping.QUEUE,
    client: Any = None,
) -> None:
    """Report the status of one file.

    Args:
        job_id: the recovery job.
        granule_id: the granule.
        filename: the file's name, without its directory.
        orca_status: its current status: a member of `OrcaStatus`, here or in `orca_shared`, or its number.
        error_message: what went wrong; required if the status is FAILED, ignored otherwise, and truncated if
            it does not fit a message.
        db_queue_url: URL of the status-update queue.
        collection_id: the granule's collection; ORCA requires it since version 8.1.
        grouping: the message groups of the queue.
        client: a boto3 SQS client.

    Raises:
        ValueError: the status is FAILED and the error message is missing, or a value cannot be stored.
    """
    message = _update(
        grouping,
        job_id=job_id,
        granule_id=granule_id,
        filename=filename,
        orca_status=orca_status,
        error_message=error_message,
        collection_id=collection_id,
    )
    send(message, db_queue_url, client=client)


def post_entry_to_fifo_queue(
    new_data: Mapping[str, Any],
    request_method: Enum | str,
    db_queue_url: str,
    *,
    grouping: Grouping = Grouping.QUEUE,
    client: Any = None,
) -> None:
    """Send this JSON object, a new job or an update, to the status-update queue."""
    send(_status_message(new_data, request_method, grouping), db_queue_url, client=client)


def post_entry_to_standard_queue(
    new_data: Mapping[str, Any], recovery_queue_url: str, *, client: Any = None
) -> None:
    """Send this JSON object, a copy request or an S3 event, to a standard queue."""
    send(_recovery_message(new_data), recovery_queue_url, client=client)


def create_status_for_jobs(
    jobs: Iterable[Mapping[str, Any]],
    db_queue_url: str,
    *,
    grouping: Grouping = Grouping.QUEUE,
    client: Any = None,
) -> list[Sent]:
    """`create_status_for_job` for many jobs; each of `jobs` holds the arguments by name."""
    messages = [_new_job(grouping, **job) for job in jobs]
    return list(send_batch(messages, db_queue_url, client=client))


def update_status_for_files(
    updates: Iterable[Mapping[str, Any]],
    db_queue_url: str,
    *,
    grouping: Grouping = Grouping.QUEUE,
    client: Any = None,
) -> list[Sent]:
    """`update_status_for_file` for many files; each of `updates` holds the arguments by name."""
    messages = [_update(grouping, **update) for update in updates]
    return list(send_batch(messages, db_queue_url, client=client))


def post_entries_to_fifo_queue(
    entries: Iterable[Mapping[str, Any]],
    request_method: Enum | str,
    db_queue_url: str,
    *,
    grouping: Grouping = Grouping.QUEUE,
    client: Any = None,
) -> list[Sent]:
    """`post_entry_to_fifo_queue` for many objects, in this order."""
    messages = [_status_message(entry, request_method, grouping) for entry in entries]
    return list(send_batch(messages, db_queue_url, client=client))


def post_entries_to_standard_queue(
    entries: Iterable[Mapping[str, Any]], recovery_queue_url: str, *, client: Any = None
) -> list[Sent]:
    """`post_entry_to_standard_queue` for many objects."""
    messages = [_recovery_message(entry) for entry in entries]
    return list(send_batch(messages, recovery_queue_url, client=client))


def _new_job(
    grouping: Grouping,
    *,
    job_id: str,
    granule_id: str,
    archive_destination: str,
    files: Sequence[Mapping[str, Any]],
    collection_id: str | None = None,
) -> Outgoing:
    document = job_document(
        job_id=job_id,
        collection_id=collection_id,
        granule_id=granule_id,
        request_time=datetime.now(UTC),
        archive_destination=archive_destination,
        files=files,
    )
    return _status_message(document, RequestMethod.NEW_JOB, grouping)


def _update(
    grouping: Grouping,
    *,
    job_id: str,
    granule_id: str,
    filename: str,
    orca_status: Enum | int,
    error_message: str | None = None,
    collection_id: str | None = None,
) -> Outgoing:
    now, value = datetime.now(UTC), _value(orca_status)
    update = make(
        UpdateFile,
        "update_file",
        job_id=job_id,
        collection_id=collection_id,
        granule_id=granule_id,
        filename=filename,
        last_update=now,
        status=value,
        completion_time=now if value in _FINAL else None,
        error_message=error_message if value == OrcaStatus.FAILED else None,
    )
    return update_message(update, grouping=grouping)


def _status_message(document: Mapping[str, Any], method: Enum | str, grouping: Grouping) -> Outgoing:
    """A message to the status-update queue.  Raises ValueError if the daemon would reject it."""
    try:
        known = RequestMethod(_value(method))
    except ValueError:
        raise ValueError("the request method is neither new_job nor update_file") from None
    message = outgoing(document, known, grouping=grouping)
    status.decode(message.body, message.attributes)
    return message


def _recovery_message(document: Mapping[str, Any]) -> Outgoing:
    """A message to the recovery queue.  Raises ValueError if the daemon would reject it."""
    message = Outgoing(body=dump(document))
    recovery.decode(message.body)
    return message


def _value(member: object) -> Any:
    return member.value if isinstance(member, Enum) else member
