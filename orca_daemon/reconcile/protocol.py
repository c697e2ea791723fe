"""What the daemon and the child that compares say to each other, one JSON object a line.

The daemon sends a `Task`, later a `Start`, a `Signed` for each `Unsigned`, and at the end it closes the pipe;
the child sends everything else.  Nothing but the standard library here: what the child imports is what a
comparison waits for.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

COLUMNS = (
    "kind",
    "file_id",
    "key_path",
    "s3_etag",
    "s3_size_in_bytes",
    "s3_last_update",
    "s3_storage_class",
)
"""The file of differences: CSV without a header, `\\N` for null."""
DIFFERENCES = "differences.csv"
"""Its name in the working folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """One data file of an inventory."""

    key: str
    size: int | None
    md5: str | None
    url: str = field(repr=False)
    """Signed: the child has no credentials of AWS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """SQL with parameters as the driver writes them."""

    text: str
    values: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What the child needs to know at first.  It holds a password, so it travels by pipe."""

    bucket: str
    """The archive bucket that was listed."""
    lock: int
    """Advisory lock of the job: 64 bits, signed."""
    form: str
    """`CSV`, `Parquet`, `ORC`, or `stored` for a listing that lies in Postgres."""
    columns: list[str]
    """Of CSV only."""
    catalog: Statement
    stored: Statement | None
    """Reads a stored listing."""
    allow_empty: bool
    folder: str
    """Where it may write."""
    memory_mib: int
    threads: int
    listing_gib: int
    """The most that all data files together may unpack to."""
    ca_bundle: str | None
    database: dict[str, Any] = field(repr=False)
    """Parameters of libpq."""
    session: dict[str, str]
    """What each new connection states."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The job is opened: go on, with these files."""

    files: list[Remote]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsigned:
    """S3 does not accept the signature of a data file any more: the child waits for another one."""

    place: int
    """Of the file in `Start`."""
    reason: str
    """What S3 answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """The same file with another URL."""

    place: int
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Another process works on this job; said once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """The job is this child's.  It waits for `Start`."""

    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StageProgress:
    """How far it is."""

    stage: str
    """`listing`, counted in bytes; `catalog`, in rows; `comparing`, in per cent."""
    done: int
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """The listing is here, and all of it is what the manifest says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Done: the differences lie in the folder.  The child keeps the lock until the pipe is closed."""

    listed: int
    """Objects in the listing: latest versions that are not delete markers."""
    catalogued: int
    matched: int
    mismatched: int
    phantoms: int
    recent: int
    """Catalog rows without an object that are too young to be called phantoms."""
    orphans: int
    not_compared: int = 0
    """Listed objects with something that cannot be compared or stored; no other count has them too."""
    not_compared_examples: tuple[str, ...] = ()
    """Where the first of them stand, and what is wrong; no keys of objects."""
    peak_mib: int = 0
    """Memory of the child at its largest, resident."""
    cpu_seconds: float = 0.0
    """Processor time of the child."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonFailure:
    """It cannot go on."""

    kind: str
    """What becomes of the work.

    `reject`: no retry can help; `retry`: one may; `sql`: Postgres said `sqlstate`; `s3`: S3 does not answer;
    `throttled`: it asks to slow down; `denied`: it does not let us; `room`: the disk is full.
    """
    reason: str
    sqlstate: str | None = None


Message: TypeAlias = (
    Task
    | Start
    | Signed
    | Unsigned
    | Waiting
    | Locked
    | StageProgress
    | Staged
    | Compared
    | ComparisonFailure
)
_KINDS: dict[str, type[Message]] = {
    kind.__name__: kind
    for kind in (
        Task,
        Start,
        Signed,
        Unsigned,
        Waiting,
        Locked,
        StageProgress,
        Staged,
        Compared,
        ComparisonFailure,
    )
}


def encode(line: Message) -> str:
    """The object as one line, without its end."""
    return json.dumps({"is": type(line).__name__, **asdict(line)})


def decode(text: str | bytes) -> Message:
    """The object in this line."""
    document = json.loads(text)
    kind = _KINDS[document.pop("is")]
    if kind is Start:
        return Start(files=[Remote(**file) for file in document["files"]])
    if kind is Task:
        for name in ("catalog", "stored"):
            document[name] = Statement(**document[name]) if document[name] else None
    if kind is Compared:
        document["not_compared_examples"] = tuple(document["not_compared_examples"])
    return kind(**document)


def differences(folder: str | Path) -> Path:
    """The file of differences."""
    return Path(folder) / DIFFERENCES
