"""Messages on the status-update queue: a granule's recovery begins, or a file has a new status."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import IntEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from orca_daemon.wire.file_reference import ALWAYS_FITS, FileReference, check_row_key
from orca_daemon.wire.outgoing import LARGEST_MESSAGE, Outgoing, digest, dump
from orca_daemon.wire.text_enum import TextEnum
from orca_daemon.wire.texts import truncated
from orca_daemon.wire.times import OrcaTime, format_time
from orca_daemon.wire.wire_model import MalformedError, Megabytes, Text, WireModel, json_object, read

ATTRIBUTE = "RequestMethod"
"""The message attribute that names the kind of message."""
GROUP = "request_files"
"""The message group of all of ORCA's own producers."""


class RequestMethod(TextEnum):
    """The kind of a message; the value of its attribute."""

    NEW_JOB = "new_job"
    UPDATE_FILE = "update_file"


class RecoveryStatus(IntEnum):
    """Status of the recovery of a file; the numbers are rows of `recovery_status`."""

    PENDING = 1
    STAGED = 2
    FAILED = 3
    SUCCESS = 4


def _status(value: object) -> RecoveryStatus:
    # As in JSON Schema, by which ORCA checks: 3.0 is an integer, and true is not.
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise PydanticCustomError("status", "is not an integer")
    try:
        return _STATUSES[value]
    except KeyError:
        raise PydanticCustomError("status", "is not one of 1, 2, 3, 4") from None


_STATUSES: Mapping[float, RecoveryStatus] = {status.value: status for status in RecoveryStatus}
Status = Annotated[RecoveryStatus, BeforeValidator(_status)]


class NewFile(WireModel):
    """A file of a granule whose recovery begins, or has failed at the beginning."""

    filename: Text
    key_path: Text
    restore_destination: Text
    s3_multipart_chunksize_mb: Megabytes = Field(alias="s3MultipartChunksizeMb")
    status: Status = Field(alias="statusId")
    request_time: OrcaTime
    last_update: OrcaTime
    error_message: Text | None = None
    completion_time: OrcaTime | None = None

    @field_validator("status")
    @classmethod
    def _pending_or_failed(cls, status: RecoveryStatus) -> RecoveryStatus:
        if status not in {RecoveryStatus.PENDING, RecoveryStatus.FAILED}:
            raise PydanticCustomError("status", "is neither 1 nor 3, the only ones a new file can have")
        return status

    @model_validator(mode="after")
    def _failed_has_ended(self) -> "NewFile":
        if self.status is RecoveryStatus.FAILED and self.completion_time is None:
            raise PydanticCustomError("ended", "has status 3 and no completionTime")
        return self


class NewJob(WireModel):
    """A granule's recovery begins.  Producers older than ORCA 8.1 send no collection."""

    job_id: Text
    collection_id: Text | None = None
    granule_id: Text
    request_time: OrcaTime
    archive_destination: Text
    files: tuple[NewFile, ...] = Field(strict=False)  # in JSON it is an array

    @field_validator("files")
    @classmethod
    def _distinct(cls, files: tuple[NewFile, ...]) -> tuple[NewFile, ...]:
        # In the tables' keys a file has only its name, without its directory.
        if any(count > 1 for count in Counter(file.filename for file in files).values()):
            raise PydanticCustomError("files", "holds two files of the same filename")
        return files

    @model_validator(mode="after")
    def _fits_the_tables(self) -> "NewJob":
        job, collection, granule = self.job_id, self.collection_id, self.granule_id
        longest = max((len(file.filename) for file in self.files), default=0)
        if len(job) + len(collection or "") + len(granule) + longest > ALWAYS_FITS:
            names = {f"files[{index}].filename": file.filename for index, file in enumerate(self.files)}
            check_row_key(job, collection, granule, names)
        return self


class UpdateFile(FileReference):
    """A file has a new status."""

    last_update: OrcaTime
    status: Status = Field(alias="statusId")
    completion_time: OrcaTime | None = None
    error_message: Text | None = None


StatusMessage = NewJob | UpdateFile


def decode(body: str, attributes: Mapping[str, str]) -> StatusMessage:
    """Read the message in this body, of the kind that the attribute `RequestMethod` names.

    A null in an optional field is the same as no field.

    Raises:
        MalformedError: the attribute or a field is missing or wrong.
    """
    match attributes.get(ATTRIBUTE):
        case RequestMethod.UPDATE_FILE.value:
            return read(UpdateFile, json_object(body), "update_file")
        case RequestMethod.NEW_JOB.value:
            return read(NewJob, json_object(body), "new_job")
        case None:
            raise MalformedError(f"the message attribute {ATTRIBUTE} is missing")
        case _:
            raise MalformedError(f"the message attribute {ATTRIBUTE} is neither new_job nor update_file")


class Grouping(TextEnum):
    """The message groups of status messages; all producers of a queue must use the same grouping."""

    QUEUE = "queue"
    """All messages in one group, as ORCA's own producers send them: one ordered stream."""
    GRANULE = "granule"
    """One group for each granule of a job, so that granules do not wait for one another."""


def granule_group(job_id: str, collection_id: str | None, granule_id: str) -> str:
    """The message group of one granule.  It is a hash, because SQS limits ids to 128 ASCII characters."""
    return digest(dump([job_id, collection_id, granule_id]))


def group_of(document: Mapping[str, Any], grouping: Grouping) -> str:
    """The message group of this document.

    Raises:
        ValueError: the grouping is by granule, and the document names no job or no granule.
    """
    if Grouping(grouping) is Grouping.QUEUE:
        return GROUP
    job, granule = document.get("jobId"), document.get("granuleId")
    if not isinstance(job, str) or not isinstance(granule, str):
        raise ValueError("a message for its granule's group must name jobId and granuleId")  # noqa: TRY004  a wrong message
    return granule_group(job, document.get("collectionId"), granule)


def outgoing(
    document: Mapping[str, Any], method: RequestMethod, *, grouping: Grouping = Grouping.QUEUE
) -> Outgoing:
    """The document as a message to the status-update queue.  Raises ValueError as `group_of` does."""
    body = dump(document)
    return Outgoing(
        body=body,
        group=group_of(document, grouping),
        deduplication_id=method.value + digest(body),
        attributes={ATTRIBUTE: method.value},
    )


def job_document(
    *,
    job_id: str,
    collection_id: str | None,
    granule_id: str,
    request_time: datetime,
    archive_destination: str,
    files: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """The JSON object of a new job, with keys in ORCA's order; `files` are JSON objects."""
    return _granule(job_id, collection_id, granule_id) | {
        "requestTime": format_time(request_time),
        "archiveDestination": archive_destination,
        "files": list(files),
    }


def update_document(update: UpdateFile) -> dict[str, Any]:
    """The update as a JSON object, with keys in ORCA's order.

    Raises:
        ValueError: the status is FAILED and the error message is missing, which ORCA's readers need.
    """
    if update.status is RecoveryStatus.FAILED and not update.error_message:
        raise ValueError("error message is required when the status is FAILED")
    document = _granule(update.job_id, update.collection_id, update.granule_id) | {
        "filename": update.filename,
        "lastUpdate": format_time(update.last_update),
        "statusId": update.status.value,
    }
    if update.completion_time is not None:
        document["completionTime"] = format_time(update.completion_time)
    if update.error_message is not None:
        document["errorMessage"] = update.error_message
    return document


def _granule(job_id: str, collection_id: str | None, granule_id: str) -> dict[str, Any]:
    # A producer without a collection omits the key, as producers before ORCA 8.1 did.
    collection = {} if collection_id is None else {"collectionId": collection_id}
    return {"jobId": job_id, **collection, "granuleId": granule_id}


def update_message(update: UpdateFile, *, grouping: Grouping = Grouping.QUEUE) -> Outgoing:
    """The update as a message to the status-update queue; an error message that does not fit is truncated.

    Ids and filename always fit, because the tables' keys are much smaller than a message.

    Raises:
        ValueError: as `update_document` does.
    """
    document = update_document(update)
    message = outgoing(document, RequestMethod.UPDATE_FILE, grouping=grouping)
    if message.size <= LARGEST_MESSAGE or update.error_message is None:
        return message
    without = outgoing(document | {"errorMessage": ""}, RequestMethod.UPDATE_FILE, grouping=grouping)
    text = truncated(update.error_message, LARGEST_MESSAGE - without.size)
    return outgoing(document | {"errorMessage": text}, RequestMethod.UPDATE_FILE, grouping=grouping)
