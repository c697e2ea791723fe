"""The messages between the daemon and the child that compares, one JSON object a line.

The daemon sends a `Task`, later a `Start`, an answer to each `Unsigned`, `Part` and `SparkDone`, and at the
end it closes the pipe; the child sends all other messages.  This module imports only the standard library,
because every comparison waits for the child's imports.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, TypeAlias

COLUMNS = (
    "kind",
    "file_id",
    "key_path",
    "s3_etag",
    "s3_size_in_bytes",
    "s3_last_update",
    "s3_storage_class",
)
"""Columns of the file of differences, which is CSV without a header, with `\\N` for null."""
DIFFERENCES = "differences.csv"
"""Name of that file in the working folder."""
Stage: TypeAlias = Literal["listing", "catalog", "comparing"]
Form: TypeAlias = Literal["CSV", "Parquet", "ORC", "stored"]
"""Format of a listing's data files; `stored` for a listing in Postgres."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """One data file of an inventory."""

    key: str
    size: int | None
    md5: str | None
    url: str = field(repr=False)
    """Presigned, because the child has no credentials of AWS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """SQL with parameters in the driver's style."""

    text: str
    values: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkTask:
    """Where Spark compares, and where the stage is."""

    remote: str = field(repr=False)
    """URL of the Spark Connect server; it may hold a token."""
    stage: str
    """URL of this comparison's folder in the stage, without a slash at the end."""
    listing: str
    """URL of the bucket of the data files, as Spark reads it; empty if they are staged, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The first message to the child.  It holds a password, so it must only travel by pipe."""

    bucket: str
    """The archive bucket that was listed."""
    lock: int
    """Key of the job's advisory lock: 64 bits, signed."""
    form: Form
    columns: list[str]
    """For CSV only."""
    recent_after: str
    """Rows of the catalog from after this time are recent; as Postgres reads it."""
    readers: int
    """Connections that read the catalog at the same time."""
    stored: Statement | None
    """Reads a stored listing."""
    spark: SparkTask | None
    """Compare in Spark; None to compare in DuckDB."""
    allow_empty: bool
    folder: str
    """The only folder that the child writes to."""
    memory_mib: int
    threads: int
    listing_gib: int
    """The most that all data files together may unpack to."""
    ca_bundle: str | None
    database: dict[str, Any] = field(repr=False)
    """Connection parameters of libpq."""
    session: dict[str, str]
    """Settings of each new session (`db.session`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The job is opened: compare these files."""

    files: list[Remote]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsigned:
    """S3 no longer accepts the signature of a data file: the child waits for a new one."""

    index: int
    """Index of the file in `Start.files`."""
    reason: str
    """The answer of S3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A new URL of a data file."""

    index: int
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A file of the folder is complete: move it to the stage."""

    path: str
    name: str
    """Its name in the stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartStaged:
    """The part is in the stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkDone:
    """Spark has left the differences in the stage: fetch them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The files of differences are on this disk."""

    paths: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Another process works on this job; sent once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """The child has the job's lock, and waits for `Start`."""

    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StageProgress:
    """Progress of one stage."""

    stage: Stage
    """The unit is bytes for `listing`, rows for `catalog`, per cent for `comparing`."""
    done: int
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedStage:
    """A stage is over; sent only if the environment names a sampled trace (TRACEPARENT)."""

    name: str
    began: int
    """Nanoseconds since the epoch."""
    ended: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """All data files are fetched and match the manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Done: the differences are in the folder.  The child keeps the lock until the pipe is closed."""

    listed: int
    """Objects in the listing: latest versions that are not delete markers."""
    catalogued: int
    matched: int
    mismatched: int
    phantoms: int
    recent: int
    """Catalog rows without an object that are too young to be reported as phantoms."""
    orphans: int
    not_compared: int = 0
    """Listed objects that cannot be compared or stored; no other count but `listed` includes them."""
    not_compared_examples: tuple[str, ...] = ()
    """File, line and problem of the first of them; no keys of objects."""
    peak_mib: int = 0
    """Largest resident memory of the child."""
    cpu_seconds: float = 0.0
    """Processor time of the child."""


class FailureKind(StrEnum):
    """What a failure of the child means for the message."""

    REJECT = "reject"
    """No retry can help."""
    RETRY = "retry"
    """Another attempt may succeed."""
    SQL = "sql"
    """Postgres reported `sqlstate`, or could not be reached."""
    S3 = "s3"
    """S3 does not answer."""
    THROTTLED = "throttled"
    """S3 asks to slow down."""
    DENIED = "denied"
    """S3 denies to read."""
    DISK_FULL = "room"
    SPARK = "spark"
    """Spark does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonFailure:
    """The comparison has failed; the child ends."""

    kind: FailureKind
    reason: str
    sqlstate: str | None = None


Message: TypeAlias = (
    Task
    | Start
    | Signed
    | Unsigned
    | Part
    | PartStaged
    | SparkDone
    | Fetched
    | Waiting
    | Locked
    | StageProgress
    | TracedStage
    | Staged
    | Compared
    | ComparisonFailure
)
Send: TypeAlias = Callable[[Message], None]
Sign: TypeAlias = Callable[[int, str], str]
"""Requests a new URL of the file with this index from the daemon; the text is the answer of S3."""
_KINDS: dict[str, type[Message]] = {
    kind.__name__: kind
    for kind in (
        Task,
        Start,
        Signed,
        Unsigned,
        Part,
        PartStaged,
        SparkDone,
        Fetched,
        Waiting,
        Locked,
        StageProgress,
        TracedStage,
        Staged,
        Compared,
        ComparisonFailure,
    )
}


def encode(message: Message) -> str:
    """The message as one line, without the newline."""
    return json.dumps({"is": type(message).__name__, **asdict(message)})


def decode(text: str | bytes) -> Message:
    """The message in this line."""
    document = json.loads(text)
    kind = _KINDS[document.pop("is")]
    if kind is Start:
        return Start(files=[Remote(**file) for file in document["files"]])
    if kind is Task:
        document["stored"] = Statement(**document["stored"]) if document["stored"] else None
        document["spark"] = SparkTask(**document["spark"]) if document["spark"] else None
    if kind is Compared:
        document["not_compared_examples"] = tuple(document["not_compared_examples"])
    if kind is ComparisonFailure:
        document["kind"] = FailureKind(document["kind"])
    return kind(**document)


def differences(folder: str | Path) -> Path:
    """Path of the file of differences."""
    return Path(folder) / DIFFERENCES
