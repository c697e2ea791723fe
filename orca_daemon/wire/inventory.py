"""internal-report queue: an inventory to compare, a listing already stored, or tables to export."""

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from orca_daemon.wire import s3_event
from orca_daemon.wire.outgoing import INTERNAL_REPORT_GROUP, Outgoing, digest, dump
from orca_daemon.wire.s3_event import S3Notification, S3Record
from orca_daemon.wire.shape import Malformed, Name, Shape, read

MANIFEST = "manifest.json"


class InventoryPointer(Shape):
    """Where the manifest of an S3 inventory lies."""

    report_bucket_region: Name | None = None
    """None when an event did not name it: the daemon's own region, then."""
    report_bucket_name: Name
    manifest_key: Name

    @field_validator("manifest_key")
    @classmethod
    def _is_manifest(cls, key: str) -> str:
        if not is_manifest(key):
            raise PydanticCustomError("manifest", "does not end in a file named manifest.json")
        return key


class StoredListing(Shape):
    """A listing that lies in `reconcile_s3_object` already, under this job."""

    job_id: int = Field(gt=0)
    orca_archive_location: Name
    """The archive bucket."""


class ExportRequest(Shape):
    """Tables whose changes are wanted as Parquet."""

    tables_to_query: tuple[Name, ...] = Field(alias="tables_to_query", min_length=1)


InternalReportMessage = InventoryPointer | StoredListing | ExportRequest | S3Notification


def decode(body: str) -> InternalReportMessage:
    """The message in this body, told apart by its keys.  Raises `Malformed`."""
    document = s3_event.json_object(body)
    if s3_event.is_notification(document):
        return s3_event.decode(body)
    if "tables_to_query" in document:
        return read(ExportRequest, body, "export request")
    if "orcaArchiveLocation" in document:
        return read(StoredListing, body, "request for a stored listing")
    pointer = read(InventoryPointer, body, "inventory pointer")
    if pointer.report_bucket_region is None:
        raise Malformed("not a valid inventory pointer: reportBucketRegion is missing")
    return pointer


def is_manifest(key: str) -> bool:
    """Whether the base name is exactly that of an inventory's manifest."""
    return key.rpartition("/")[2] == MANIFEST


def pointer(record: S3Record) -> InventoryPointer | None:
    """The inventory that this event announces; None when it is about another object."""
    if not is_manifest(record.key):
        return None
    return InventoryPointer(
        report_bucket_region=record.region, report_bucket_name=record.bucket, manifest_key=record.key
    )


def inventory_message(inventory: InventoryPointer, *, group: str = INTERNAL_REPORT_GROUP) -> Outgoing:
    """A pointer as a message to the internal-report queue."""
    return _message(inventory.model_dump(by_alias=True), group)


def export_message(request: ExportRequest, *, group: str = INTERNAL_REPORT_GROUP) -> Outgoing:
    """A request for an export as a message to the internal-report queue."""
    return _message(request.model_dump(by_alias=True), group)


def _message(document: dict[str, object], group: str) -> Outgoing:
    body = dump(document)
    return Outgoing(body=body, group=group, deduplication_id=digest(body))
