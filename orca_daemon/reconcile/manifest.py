"""The manifest of an S3 inventory: which bucket was listed, when, and in which files.

Everybody who may write to the report bucket can write a manifest.  So values that Postgres could not store,
and sizes without end, are refused here, before any work, with the name of the field.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

Format = Literal["CSV", "Parquet", "ORC"]

FIELDS: Mapping[str, str] = {
    "Bucket": "bucket",
    "Key": "key",
    "Size": "size",
    "LastModifiedDate": "last_modified_date",
    "ETag": "e_tag",
    "StorageClass": "storage_class",
    "IsLatest": "is_latest",
    "IsDeleteMarker": "is_delete_marker",
}
"""The columns that a comparison reads: by `fileSchema` and in Parquet and ORC (AWS: inventory list)."""
OPTIONAL = frozenset({"is_latest", "is_delete_marker"})
"""Absent from inventories of current versions only."""
MOST_BYTES = 16 << 20
MOST_FILES = 20_000
MOST_COLUMNS = 100
LONGEST_KEY = 1024
"""Bytes of a key (AWS: object keys)."""
_LARGEST_OBJECT = 100 << 40
"""Bytes; S3's own limit is 48.8 TiB now, and may grow."""
_SUFFIXES: Mapping[str, Format] = {".csv.gz": "CSV", ".parquet": "Parquet", ".orc": "ORC"}
_MD5 = re.compile(r"[0-9a-f]{32}")


class ManifestError(ValueError):
    """The document is not a manifest, or its inventory lacks a column that a comparison needs."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file of the listing, in the bucket that holds the manifest."""

    key: str
    size: int | None = None
    """Bytes."""
    md5: str | None = None
    """Hexadecimal, lower case."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """An inventory as its manifest describes it."""

    bucket: str
    """The bucket that was listed."""
    created: datetime
    document: dict[str, Any]

    @property
    def files(self) -> tuple[DataFile, ...]:
        """The data files.  Raises ManifestError."""
        listed = self.document.get("files")
        if not isinstance(listed, list):
            raise ManifestError("the manifest has no list of files")
        if len(listed) > MOST_FILES:
            raise ManifestError(f"the manifest's files are more than {MOST_FILES:,}: {len(listed):,}")
        return tuple(_file(entry, f"files[{index}]") for index, entry in enumerate(listed))

    @property
    def form(self) -> Format:
        """The format of all data files, by `fileFormat` or else by their names.  Raises ManifestError."""
        text = str(self.document.get("fileFormat") or "").upper()
        by_name = {"CSV": "CSV", "PARQUET": "Parquet", "ORC": "ORC"}
        forms = {by_name.get(text)} if text else {_by_suffix(file.key) for file in self.files}
        form = forms.pop() if len(forms) == 1 else "CSV" if not forms else None
        if form is None:
            raise ManifestError("the inventory's files are not all CSV, all Parquet or all ORC")
        return form  # type: ignore[return-value]  # one of the three values above

    @property
    def columns(self) -> tuple[str, ...]:
        """For CSV: the column at each position, named as in Parquet; "" for a column that is not read.

        Raises:
            ManifestError: `fileSchema` is missing, lacks a field that a comparison needs, or names it twice.
        """
        schema = self.document.get("fileSchema")
        if not isinstance(schema, str):
            raise ManifestError("the manifest has no fileSchema")
        columns = tuple(FIELDS.get(name.strip(), "") for name in schema.split(","))
        if len(columns) > MOST_COLUMNS:
            raise ManifestError(f"the manifest's fileSchema has more than {MOST_COLUMNS} columns")
        for field, column in FIELDS.items():
            if columns.count(column) > 1:
                raise ManifestError(f"the manifest's fileSchema names {field} more than once")
        require(columns)
        return columns


def parse(text: bytes) -> Manifest:
    """Read the fields that identify the job; the properties read the rest.

    Raises:
        ManifestError: it lacks the listed bucket, or the time.
    """
    if len(text) > MOST_BYTES:
        raise ManifestError(f"the manifest is larger than {MOST_BYTES >> 20} MiB")
    try:
        document = json.loads(text.decode("utf-8-sig"))
        bucket, created = document["sourceBucket"], document["creationTimestamp"]
        at = datetime.fromtimestamp(int(created) / 1000, UTC)
    except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError):
        raise ManifestError(
            "the manifest is not JSON with a sourceBucket and a creationTimestamp in milliseconds"
        ) from None
    from orca_daemon.wire.s3_names import (
        is_bucket,
    )  # here, because the child imports this module but not that

    if not (isinstance(bucket, str) and is_bucket(bucket)):
        raise ManifestError("the manifest's sourceBucket is not the name of a bucket")
    return Manifest(bucket=bucket, created=at, document=document)


def require(columns: tuple[str, ...]) -> None:
    """Raise ManifestError unless these include all columns that a comparison needs."""
    if missing := [
        field for field, column in FIELDS.items() if column not in columns and column not in OPTIONAL
    ]:
        raise ManifestError(
            f"the inventory lacks {', '.join(missing)}: add them to the optional fields of its configuration"
        )


def _file(entry: Any, name: str) -> DataFile:
    from orca_daemon.wire.s3_names import key_problem

    if not isinstance(entry, dict):
        raise ManifestError(f"the manifest's {name} is not an object")
    key, size, md5 = entry.get("key"), entry.get("size"), entry.get("MD5checksum")
    if not isinstance(key, str):
        raise ManifestError(f"the manifest's {name} has no key")
    if problem := key_problem(key):
        raise ManifestError(f"the manifest's {name}.key {problem}")
    if isinstance(size, int) and not 0 <= size <= _LARGEST_OBJECT:
        raise ManifestError(f"the manifest's {name}.size is not the size of an object")
    digest = md5.strip().lower() if isinstance(md5, str) else md5
    if digest not in {None, ""} and not (isinstance(digest, str) and _MD5.fullmatch(digest)):
        raise ManifestError(f"the manifest's {name}.MD5checksum is not an MD5")
    return DataFile(key=key, size=size if type(size) is int else None, md5=digest or None)


def _by_suffix(key: str) -> Format | None:
    return next((form for suffix, form in _SUFFIXES.items() if key.endswith(suffix)), None)
