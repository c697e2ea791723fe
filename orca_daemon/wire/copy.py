"""The message on the recovery queue that requests the copy of one restored object."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from orca_daemon.wire.file_reference import FileReference
from orca_daemon.wire.outgoing import Outgoing, dump
from orca_daemon.wire.s3_names import Bucket, Key
from orca_daemon.wire.wire_model import Megabytes, json_object, read


class CopyRequest(FileReference):
    """A request to copy one object; job, collection, granule and filename name the file of the catalog."""

    restore_destination: Bucket
    """The bucket to copy to."""
    s3_multipart_chunksize_mb: Megabytes = Field(alias="s3MultipartChunksizeMb")
    source_key: Key
    target_key: Key
    source_bucket: Bucket


def decode(body: str) -> CopyRequest:
    """Read the copy request in this body.  Raises `MalformedError`."""
    return decode_object(json_object(body))


def decode_object(document: Mapping[str, Any]) -> CopyRequest:
    """Read the copy request in a JSON object.  Raises `MalformedError`."""
    return read(CopyRequest, document, "copy request")


def copy_document(request: CopyRequest) -> dict[str, Any]:
    """The request as a JSON object, with its keys in ORCA's order."""
    document: dict[str, Any] = {"jobId": request.job_id}
    if request.collection_id is not None:
        document["collectionId"] = request.collection_id
    return document | {
        "granuleId": request.granule_id,
        "filename": request.filename,
        "restoreDestination": request.restore_destination,
        "s3MultipartChunksizeMb": request.s3_multipart_chunksize_mb,
        "sourceKey": request.source_key,
        "targetKey": request.target_key,
        "sourceBucket": request.source_bucket,
    }


def copy_message(request: CopyRequest) -> Outgoing:
    """The request as a message to the recovery queue."""
    return Outgoing(body=dump(copy_document(request)))
