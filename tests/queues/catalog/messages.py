"""Catalog records as ORCA's `copy_to_archive` sends them, and the rows that they become."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, text

from orca_daemon.wire import catalog
from orca_daemon.wire.catalog import CatalogRecord

NOON = "2026-11-20T12:00:00.000001+00:00"

TABLES = {
    "providers": "SELECT provider_id, name FROM orca.providers",
    "collections": "SELECT collection_id, shortname, version FROM orca.collections",
    "granules": """
        SELECT collection_id, cumulus_granule_id, provider_id, execution_id, ingest_time, cumulus_create_time,
            last_update
        FROM orca.granules
    """,
    "files": """
        SELECT cumulus_archive_location, key_path, collection_id, cumulus_granule_id, name,
            orca_archive_location, file.ingest_time, etag, file.version, size_in_bytes, hash, hash_type, value
        FROM orca.files AS file
        JOIN orca.granules AS granule ON granule.id = granule_id
        JOIN orca.storage_class AS class ON class.id = storage_class_id
    """,
    "storage_class": "SELECT id, value FROM orca.storage_class",
}
"""A query for each table of the catalog."""


def file(key: str = "d/a.h5", **more: Any) -> dict[str, Any]:
    return {
        "name": key.rpartition("/")[2],
        "cumulusArchiveLocation": "protected",
        "orcaArchiveLocation": "archive",
        "keyPath": key,
        "sizeInBytes": 6,
        "hash": None,
        "hashType": None,
        "storageClass": "GLACIER",
        "version": "v1",
        "ingestTime": NOON,
        "etag": '"60c21dcfd33de608e07abdeedadb180c"',
        **more,
    }


def body(*files: Mapping[str, Any], granule_id: str = "g1", **more: Any) -> dict[str, Any]:
    """A message about one granule; `more` are fields of the granule."""
    return {
        "provider": {"providerId": "p", "name": None},
        "collection": {"collectionId": "C___001", "shortname": "C", "version": "001"},
        "granule": {
            "cumulusGranuleId": granule_id,
            "cumulusCreateTime": "2023-01-01T00:00:00.123000+00:00",
            "executionId": "ex",
            "ingestTime": NOON,
            "lastUpdate": NOON,
            "files": list(files),
            **more,
        },
    }


def record(*files: Mapping[str, Any], granule_id: str = "g1", **more: Any) -> CatalogRecord:
    return catalog.decode(json.dumps(body(*files, granule_id=granule_id, **more)))


def at(minute: int) -> str:
    """A time of that day, as ORCA writes it."""
    return datetime(2026, 11, 20, 12, minute, tzinfo=UTC).isoformat()


def tables(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of all tables of the catalog, sorted; ids are replaced by what they refer to."""
    return {
        name: sorted((tuple(row) for row in connection.execute(text(query))), key=repr)
        for name, query in TABLES.items()
    }
