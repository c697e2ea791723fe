"""Three ways to write catalog records: message by message as ORCA does, in runs as we do, and bare COPY."""

import io
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, text

from orca_daemon.db.database import Database
from orca_daemon.queues.catalog.store import apply
from orca_daemon.wire.catalog import CatalogFile, CatalogRecord

BATCH = 10
"""Messages that ORCA's consumer receives at once; each is a transaction of its own."""
RUN = 100

_INSERT_PROVIDER = text("""
    INSERT INTO orca.providers (provider_id, name) VALUES (:provider, :provider_name)
    ON CONFLICT (provider_id) DO NOTHING
""")
_INSERT_COLLECTION = text("""
    INSERT INTO orca.collections (collection_id, shortname, version)
    VALUES (:collection, :shortname, :version)
    ON CONFLICT (collection_id) DO NOTHING
""")
_WRITE_GRANULE = text("""
    INSERT INTO orca.granules
        (provider_id, collection_id, cumulus_granule_id, execution_id, ingest_time, cumulus_create_time,
         last_update)
    VALUES (:provider, :collection, :granule, :execution, :ingested, :created, :updated)
    ON CONFLICT (collection_id, cumulus_granule_id) DO UPDATE
    SET provider_id = excluded.provider_id, execution_id = excluded.execution_id,
        last_update = excluded.last_update
    RETURNING id
""")
_WRITE_FILE = text("""
    INSERT INTO orca.files
        (granule_id, name, orca_archive_location, cumulus_archive_location, key_path, ingest_time, etag,
         version, size_in_bytes, hash, hash_type, storage_class_id)
    SELECT :granule, :name, :archive, :cumulus, :key, :ingested, :etag, :version, :size, :hash, :hash_type, id
    FROM orca.storage_class WHERE value = :class
    ON CONFLICT (cumulus_archive_location, key_path) DO UPDATE
    SET name = excluded.name, orca_archive_location = excluded.orca_archive_location,
        ingest_time = excluded.ingest_time, etag = excluded.etag, version = excluded.version,
        size_in_bytes = excluded.size_in_bytes, hash = excluded.hash, hash_type = excluded.hash_type,
        storage_class_id = excluded.storage_class_id
""")


def one_by_one(engine: Engine, messages: Sequence[CatalogRecord]) -> float:
    """Seconds for a transaction for each message, with the statements of ORCA's consumer (contract 10)."""
    began = time.perf_counter()
    for start in range(0, len(messages), BATCH):
        for message in messages[start : start + BATCH]:
            with engine.begin() as connection:
                connection.execute(_INSERT_PROVIDER, _provider(message))
                connection.execute(_INSERT_COLLECTION, _collection(message))
                granule = connection.scalar(_WRITE_GRANULE, _granule(message))
                files = [{"granule": granule} | _columns(file) for file in message.granule.files]
                connection.execute(_WRITE_FILE, files)
    return time.perf_counter() - began


async def in_runs(database: Database, messages: Sequence[CatalogRecord]) -> float:
    """Seconds for a transaction for each run, as the daemon's."""
    began = time.perf_counter()
    for start in range(0, len(messages), RUN):
        await database.transact(apply, messages[start : start + RUN])
    return time.perf_counter() - began


def copied(engine: Engine, messages: Sequence[CatalogRecord], first_id: int) -> float:
    """Seconds for the same rows by COPY, without any question; the texts are made before the clock starts."""
    texts = [
        _texts(messages[start : start + RUN], first_id + start) for start in range(0, len(messages), RUN)
    ]
    connection: Any = engine.raw_connection()
    began = time.perf_counter()
    with connection.cursor() as cursor:
        for granules, files in texts:
            cursor.copy_expert("COPY orca.granules FROM STDIN", io.StringIO(granules))
            cursor.copy_expert(
                "COPY orca.files (granule_id, name, orca_archive_location, cumulus_archive_location, "
                "key_path, ingest_time, etag, version, size_in_bytes, hash, hash_type, storage_class_id) "
                "FROM STDIN",
                io.StringIO(files),
            )
            connection.commit()
    seconds = time.perf_counter() - began
    connection.close()
    return seconds


def _texts(messages: Sequence[CatalogRecord], first_id: int) -> tuple[str, str]:
    granules, files = [], []
    for id_, message in enumerate(messages, first_id):
        values = {"id": id_} | _granule(message)
        granules.append("\t".join(map(str, values.values())))
        for file in message.granule.files:
            columns = {"granule": id_} | _columns(file) | {"class": 1}
            files.append("\t".join(map(str, columns.values())))
    return "\n".join(granules) + "\n", "\n".join(files) + "\n"


def _provider(message: CatalogRecord) -> dict[str, object]:
    return {"provider": message.provider.provider_id, "provider_name": message.provider.name}


def _collection(message: CatalogRecord) -> dict[str, object]:
    collection = message.collection
    return {
        "collection": collection.collection_id,
        "shortname": collection.shortname,
        "version": collection.version,
    }


def _granule(message: CatalogRecord) -> dict[str, object]:
    granule = message.granule
    return {
        "provider": message.provider.provider_id,
        "collection": message.collection.collection_id,
        "granule": granule.cumulus_granule_id,
        "execution": granule.execution_id,
        "ingested": granule.ingest_time,
        "created": granule.cumulus_create_time,
        "updated": granule.last_update,
    }


def _columns(file: CatalogFile) -> dict[str, object]:
    return {
        "name": file.name,
        "archive": file.orca_archive_location,
        "cumulus": file.cumulus_archive_location,
        "key": file.key_path,
        "ingested": file.ingest_time,
        "etag": file.etag,
        "version": file.version,
        "size": file.size_in_bytes,
        "hash": file.hash,
        "hash_type": file.hash_type,
        "class": file.storage_class,
    }
