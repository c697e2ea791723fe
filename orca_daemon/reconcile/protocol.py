"""What the daemon and the child that compares say to each other, one JSON object a line.

The daemon sends a `Task`, later an empty line for "go on", and at the end it closes the pipe.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from orca_daemon.reconcile.manifest import DataFile, Format

COLUMNS = (
    "kind",
    "file_id",
    "key_path",
    "orca_etag",
    "orca_size_in_bytes",
    "orca_storage_class",
    "s3_etag",
    "s3_size_in_bytes",
    "s3_last_update",
    "s3_storage_class",
    "discrepancy_type",
)
"""The file of differences: CSV without a header, `\\N` for null."""


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Inventory(_Line):
    """The listing to compare, as files in S3."""

    bucket: str
    """Where the files are."""
    region: str | None
    endpoint_url: str | None
    form: Format
    columns: tuple[str, ...]
    """Of CSV only."""
    files: tuple[DataFile, ...]


class Task(_Line):
    """All that the child needs to know.  It holds a password, so it travels by pipe."""

    bucket: str
    """The archive bucket that was listed."""
    lock: int
    """Advisory lock of the job: 64 bits, signed."""
    inventory: Inventory | None
    """None for a listing that lies in `reconcile_s3_object`."""
    stored_job: int | None = None
    """The job that it lies there under."""
    recent_after: datetime | None
    """Catalog rows ingested later than this may be absent from the listing; None: all must be there."""
    allow_empty: bool
    work_dir: Path
    memory_mib: int
    threads: int
    address: dict[str, Any] = Field(repr=False)
    connect_timeout: float
    application_name: str


class Waiting(_Line):
    """Another process works on this job; said once."""

    event: Literal["waiting"] = "waiting"


class Locked(_Line):
    """The job is this child's.  It waits for the word to go on."""

    event: Literal["locked"] = "locked"


class Progress(_Line):
    """How far it is."""

    event: Literal["progress"] = "progress"
    stage: Literal["listing", "catalog", "comparing"]
    done: int
    total: int | None = None
    """Bytes of the listing, rows of the catalog, per cent of the comparison."""


class Staged(_Line):
    """The listing is here, and all of it is sound."""

    event: Literal["staged"] = "staged"


class Counts(_Line):
    """What was compared."""

    listed: int
    """Objects in the listing: latest versions that are not delete markers."""
    catalogued: int
    matched: int
    mismatched: int
    phantoms: int
    recent: int
    """Catalog rows without an object that are too young to be called phantoms."""
    orphans: int


class Compared(_Line):
    """Done: the differences lie in this file.  The child keeps the lock until the pipe is closed."""

    event: Literal["compared"] = "compared"
    counts: Counts
    path: Path


class Failed(_Line):
    """It cannot go on."""

    event: Literal["failed"] = "failed"
    kind: Literal["reject", "retry", "postgres", "s3"]
    """No retry can help, one may, or this dependency is down."""
    reason: str


Event = Waiting | Locked | Progress | Staged | Compared | Failed
EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])
