"""Catalog records of new granules, at random places of the catalog; and a catalog of many files."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from orca_daemon.wire.catalog import CatalogRecord, decode

COLLECTIONS = 100
_BEGAN = datetime(2026, 11, 20, tzinfo=UTC)
# Keys begin with a hash: where a new granule falls among the others is random, as with many collections.
_SEED = """
SET LOCAL session_replication_role = replica;
INSERT INTO orca.providers (provider_id, name) VALUES ('provider', NULL);
INSERT INTO orca.collections (collection_id, shortname, version)
SELECT 'COLLECTION_' || n || '___006', 'COLLECTION_' || n, '006'
FROM generate_series(0, :collections - 1) AS n;
INSERT INTO orca.granules (
    provider_id, collection_id, cumulus_granule_id, execution_id, ingest_time, cumulus_create_time,
    last_update
)
SELECT 'provider', 'COLLECTION_' || n % :collections || '___006',
    md5('seed' || n) || '.MOD09GQ.A2017025.h21v00',
    'execution', now(), now(), now()
FROM generate_series(1, :files / :each) AS n;
INSERT INTO orca.files (
    granule_id, name, orca_archive_location, cumulus_archive_location, key_path, ingest_time, etag, version,
    size_in_bytes, hash, hash_type, storage_class_id
)
SELECT granule.id, name, 'demo-orca-archive', 'demo-protected',
    granule.collection_id || '/' || granule.cumulus_granule_id || '/' || name, now(), '"' || md5(name) || '"',
    md5(granule.cumulus_granule_id), 123456789, md5(name), 'md5', 1
FROM orca.granules AS granule
CROSS JOIN generate_series(1, :each) AS n
CROSS JOIN LATERAL (SELECT 'MOD09GQ.A2017025.h21v00.006.' || n || '.hdf' AS name) AS named;
"""


def seed(connection: Connection, files: int, each: int) -> None:
    """Fill an empty catalog with so many files, `each` of a granule."""
    connection.execute(text(_SEED), {"files": files, "each": each, "collections": COLLECTIONS})
    connection.commit()
    connection.connection.driver_connection.autocommit = True  # type: ignore[union-attr]
    connection.execute(text("VACUUM ANALYZE"))


def records(count: int, *, files: int, first: int = 0) -> Sequence[CatalogRecord]:
    """Messages of new granules; `first` is the number of the first granule."""
    return [decode(json.dumps(_body(number, files))) for number in range(first, first + count)]


def _body(number: int, files: int) -> dict[str, Any]:
    digest = hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()
    collection, granule = f"COLLECTION_{number % COLLECTIONS}___006", f"{digest}.MOD09GQ.A2017025.h21v00"
    now = (_BEGAN + timedelta(seconds=number, microseconds=1)).isoformat()
    return {
        "provider": {"providerId": "provider", "name": None},
        "collection": {
            "collectionId": collection,
            "shortname": collection.removesuffix("___006"),
            "version": "006",
        },
        "granule": {
            "cumulusGranuleId": granule,
            "cumulusCreateTime": now,
            "executionId": f"execution-{digest}",
            "ingestTime": now,
            "lastUpdate": now,
            "files": [
                {
                    "name": (name := f"MOD09GQ.A2017025.h21v00.006.{index}.hdf"),
                    "cumulusArchiveLocation": "demo-protected",
                    "orcaArchiveLocation": "demo-orca-archive",
                    "keyPath": f"{collection}/{granule}/{name}",
                    "sizeInBytes": 123_456_789,
                    "hash": digest,
                    "hashType": "md5",
                    "storageClass": "GLACIER",
                    "version": digest,
                    "ingestTime": now,
                    "etag": f'"{digest}"',
                }
                for index in range(files)
            ],
        },
    }
