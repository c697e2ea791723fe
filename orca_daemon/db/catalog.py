"""Reads the catalog for the command line: a granule with its files, and counts."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from orca_daemon.db.sql import load

_SQL = load(__package__, "catalog.sql")


class CountBy(StrEnum):
    """What the catalog is counted by."""

    COLLECTION = "collection"
    PROVIDER = "provider"
    BUCKET = "bucket"
    """The bucket of the archive."""
    STORAGE_CLASS = "storage-class"


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogFile:
    """A row of `files`."""

    name: str
    key_path: str
    orca_archive_location: str
    """The bucket that it is archived in."""
    cumulus_archive_location: str
    """The bucket that Cumulus has it in."""
    size_in_bytes: int
    storage_class: str
    etag: str
    version: str
    """The version id of S3."""
    hash: str | None
    hash_type: str | None
    ingest_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogGranule:
    """A row of `granules` with its collection, its provider and its files."""

    collection_id: str
    shortname: str
    version: str
    granule_id: str
    provider_id: str
    provider_name: str | None
    execution_id: str
    ingest_time: datetime
    cumulus_create_time: datetime
    last_update: datetime
    files: tuple[CatalogFile, ...]


@dataclass(frozen=True, slots=True)
class CatalogCount:
    """How much of the catalog has one name."""

    name: str
    granules: int
    files: int
    bytes: int


def find(connection: Connection, name: str, collection: str | None = None) -> list[CatalogGranule]:
    """The granules with this id, in any collection or in one, and those that have a file with this key."""
    ids = list(connection.scalars(_SQL["find"], {"name": name, "collection": collection}))
    files: dict[int, list[CatalogFile]] = defaultdict(list)
    for row in connection.execute(_SQL["files"], {"ids": ids}).mappings():
        fields = dict(row)
        files[fields.pop("granule")].append(CatalogFile(**fields))
    granules = []
    for row in connection.execute(_SQL["granules"], {"ids": ids}).mappings():
        fields = dict(row)
        granules.append(CatalogGranule(files=tuple(files[fields.pop("id")]), **fields))
    return granules


def count(connection: Connection, by: CountBy) -> list[CatalogCount]:
    """Numbers of granules, files and bytes by name; reads the whole catalog."""
    statement = _SQL[f"count_by_{by.name.lower()}"]
    # Sums of bigint are numeric, which the driver reads as Decimal.
    return [CatalogCount(name, *map(int, numbers)) for name, *numbers in connection.execute(statement)]
