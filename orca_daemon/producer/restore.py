"""Requests restores from the archive, as ORCA's recovery workflow does with `request_from_archive`."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from orca_daemon.producer.queue import send
from orca_daemon.wire import restore
from orca_daemon.wire.outgoing import dump

_FIFO = ".fifo"


def post_restore_request(
    granules: Sequence[Mapping[str, Any]],
    restore_queue_url: str,
    *,
    job_id: str | None = None,
    archive: str | None = None,
    tier: str | None = None,
    days: int | None = None,
    chunk_mib: int | None = None,
    client: Any = None,
) -> str:
    """Send one request to restore these granules, and to copy their files to their buckets.

    Args:
        granules: JSON objects with `collectionId`, `granuleId`, and `keys`, each with `key` and `destBucket`.
        restore_queue_url: URL of the restore queue.
        job_id: the recovery job.  The same request with the same id asks for nothing twice.  Default: a new
            UUID.
        archive: the bucket that holds the files; default: the daemon's `restore.bucket`.
        tier: `Standard`, `Bulk` or `Expedited`; default: the daemon's `restore.tier`.
        days: for which S3 keeps a restored object; default: the daemon's `restore.days`.
        chunk_mib: part size of the copies, in units of 2**20 bytes; default: the daemon's setting.
        client: a boto3 SQS client; by default one for the region in the URL, else in AWS_REGION.

    Returns:
        The id of the job.

    Raises:
        ValueError, TypeError: the daemon would reject the request.
        SendError: the response is not SQS's confirmation of this message.
        botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError: as boto3 raises them.
    """
    job_id = job_id or str(uuid4())
    config: dict[str, Any] = {
        "asyncOperationId": job_id,
        "defaultBucketOverride": archive,
        "defaultRecoveryTypeOverride": tier,
        "s3MultipartChunksizeMb": chunk_mib,
    }
    if days is not None:
        config["expireDays"] = days
    body = dump({"input": {"granules": list(granules)}, "config": config})
    restore.decode(body)
    send(restore.outgoing(body, fifo=restore_queue_url.endswith(_FIFO)), restore_queue_url, client=client)
    return job_id
