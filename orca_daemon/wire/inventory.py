"""Messages on the internal-report queue: compare an inventory or a stored listing, or export tables."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from orca_daemon.wire import s3_event
from orca_daemon.wire.outgoing import INTERNAL_REPORT_GROUP, Outgoing, digest, dump
from orca_daemon.wire.s3_event import S3Notification, S3Record
from orca_daemon.wire.s3_names import Bucket, Key, Region
from orca_daemon.wire.wire_model import LARGEST_ID, Label, MalformedError, WireModel, json_object, read

MANIFEST = "manifest.json"


def is_manifest(key: str) -> bool:
    """Whether the last part of the key is `manifest.json`, as in every S3 inventory."""
    return key.rpartition("/")[2] == MANIFEST


def _manifest(key: str) -> str:
    if not is_manifest(key):
        raise PydanticCustomError("manifest", "does not end in a file named manifest.json")
    return key


class InventoryPointer(WireModel):
    """The location of the manifest of an S3 inventory."""

    report_bucket_region: Region | None = None
    """None if an event does not name it; then the daemon's own region is used."""
    report_bucket_name: Bucket
    manifest_key: Annotated[Key, AfterValidator(_manifest)]


class StoredListing(WireModel):
    """A listing that `reconcile_s3_object` already holds, under this job."""

    job_id: int = Field(gt=0, le=LARGEST_ID)
    orca_archive_location: Bucket
    """The archive bucket."""


class ExportRequest(WireModel):
    """Tables whose changes are to be exported as Parquet."""

    tables_to_query: tuple[Annotated[Label, Field(min_length=1)], ...] = Field(
        alias="tables_to_query", min_length=1, strict=False
    )


InternalReportMessage = InventoryPointer | StoredListing | ExportRequest | S3Notification


def decode(body: str) -> InternalReportMessage:
    """Read the message in this body; its keys decide of which kind it is.  Raises `MalformedError`.

    The state machine of ORCA gives its second step `{"event": {…}}` (contract 4.5), which is read as what is
    in it.
    """
    document = _without_step(json_object(body))
    if s3_event.is_notification(document):
        return s3_event.decode_object(document)
    if "tables_to_query" in document:
        return read(ExportRequest, document, "export request")
    if "orcaArchiveLocation" in document:
        return read(StoredListing, document, "request for a stored listing")
    pointer = read(InventoryPointer, document, "inventory pointer")
    if pointer.report_bucket_region is None:
        raise MalformedError("not a valid inventory pointer: reportBucketRegion is missing")
    return pointer


def _without_step(document: dict[str, Any]) -> dict[str, Any]:
    inner = document.get("event")
    return inner if len(document) == 1 and isinstance(inner, dict) else document


def pointer(record: S3Record) -> InventoryPointer | None:
    """The inventory that this event announces; None if the object is not a manifest."""
    if not is_manifest(record.key):
        return None
    return InventoryPointer(
        report_bucket_region=record.region, report_bucket_name=record.bucket, manifest_key=record.key
    )


def inventory_message(inventory: InventoryPointer, *, group: str = INTERNAL_REPORT_GROUP) -> Outgoing:
    """The pointer as a message to the internal-report queue."""
    return _message(inventory.model_dump(by_alias=True), group)


def export_message(request: ExportRequest, *, group: str = INTERNAL_REPORT_GROUP) -> Outgoing:
    """The export request as a message to the internal-report queue."""
    return _message(request.model_dump(by_alias=True), group)


def _message(document: dict[str, object], group: str) -> Outgoing:
    body = dump(document)
    return Outgoing(body=body, group=group, deduplication_id=digest(body))
