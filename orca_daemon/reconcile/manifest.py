"""The manifest of an S3 inventory: which bucket was listed, when, and in which files."""

import json
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
"""What a comparison reads: the names in `fileSchema` of CSV, and in Parquet and ORC (AWS: inventory list)."""
OPTIONAL = frozenset({"is_latest", "is_delete_marker"})
"""Absent from inventories of current versions only."""
_SUFFIXES: Mapping[str, Format] = {".csv.gz": "CSV", ".parquet": "Parquet", ".orc": "ORC"}


class ManifestError(ValueError):
    """The manifest is not one, or its inventory lacks what a comparison needs."""


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
        return tuple(_file(entry) for entry in listed)

    @property
    def form(self) -> Format:
        """The format of all data files: as the manifest says, else by the names.  Raises ManifestError."""
        said = str(self.document.get("fileFormat") or "").upper()
        by_name = {"CSV": "CSV", "PARQUET": "Parquet", "ORC": "ORC"}
        forms = {by_name.get(said)} if said else {_by_suffix(file.key) for file in self.files}
        form = forms.pop() if len(forms) == 1 else "CSV" if not forms else None
        if form is None:
            raise ManifestError("the inventory's files are not all CSV, all Parquet or all ORC")
        return form  # type: ignore[return-value]  # one of the three values above

    @property
    def columns(self) -> tuple[str, ...]:
        """For CSV: the column of each position, named as in Parquet; an empty name is of no interest.

        Raises:
            ManifestError: `fileSchema` is missing, or lacks a field that a comparison needs.
        """
        schema = self.document.get("fileSchema")
        if not isinstance(schema, str):
            raise ManifestError("the manifest has no fileSchema")
        columns = tuple(FIELDS.get(name.strip(), "") for name in schema.split(","))
        require(columns)
        return columns


def parse(text: bytes) -> Manifest:
    """Read a manifest as far as it says which job it is; the rest is read by the properties.

    Raises:
        ManifestError: it does not say which bucket was listed, or when.
    """
    try:
        document = json.loads(text.decode("utf-8-sig"))
        bucket, created = document["sourceBucket"], document["creationTimestamp"]
        at = datetime.fromtimestamp(int(created) / 1000, UTC)
    except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError):
        raise ManifestError(
            "the manifest is not JSON with a sourceBucket and a creationTimestamp in milliseconds"
        ) from None
    if not (isinstance(bucket, str) and bucket):
        raise ManifestError("the manifest's sourceBucket is not the name of a bucket")
    return Manifest(bucket=bucket, created=at, document=document)


def require(columns: tuple[str, ...]) -> None:
    """Raise ManifestError unless all that a comparison needs is among these."""
    if missing := [
        field for field, column in FIELDS.items() if column not in columns and column not in OPTIONAL
    ]:
        raise ManifestError(
            f"the inventory lacks {', '.join(missing)}: add them to the optional fields of its configuration"
        )


def _file(entry: Any) -> DataFile:
    match entry:
        case {"key": str(key)} if key:
            size, md5 = entry.get("size"), entry.get("MD5checksum")
            return DataFile(
                key=key,
                size=size if isinstance(size, int) else None,
                md5=md5.strip().lower() if isinstance(md5, str) and md5 else None,
            )
        case _:
            raise ManifestError("an entry in the manifest's list of files has no key")


def _by_suffix(key: str) -> Format | None:
    return next((form for suffix, form in _SUFFIXES.items() if key.endswith(suffix)), None)
