"""First step: fill the archive as ingest does, with objects in S3 and rows in the catalog."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from psycopg2.extras import execute_values

from orca_daemon.local.demo.granules import ArchivedFile, DemoGranule
from orca_daemon.local.demo.scene import Scene, Step

_THREADS = 8
_INGESTED = timedelta(days=3)
"""Age of the files, so that an inventory of today must contain them."""
STORAGE_CLASS = {"GLACIER": 1, "DEEP_ARCHIVE": 2}


def fill(scene: Scene, granules: Sequence[DemoGranule]) -> Step:
    """Store every file and add it to the catalog."""
    step = Step("Archive filled")
    files = [file for granule in granules for file in granule.files]
    versions = store(scene, "archiving objects", files)
    catalog(scene, granules, versions)
    step.facts = {"granules": len(granules), "objects": len(files)}
    counted = scene.rows(
        "SELECT count(*) FROM orca.files WHERE key_path = ANY(%(keys)s)",
        {"keys": [file.key for file in files]},
    )
    step.check("files in the catalog", len(files), counted[0][0])
    return step


def store(scene: Scene, what: str, files: Sequence[ArchivedFile]) -> dict[str, str]:
    """Put the files into the archive bucket.  Returns their versions by key."""

    def put(file: ArchivedFile) -> tuple[str, str]:
        answer = scene.s3.put_object(
            Bucket=scene.bucket("archive"), Key=file.key, Body=file.body, StorageClass="GLACIER"
        )
        return file.key, answer["VersionId"]

    versions: dict[str, str] = {}
    with scene.bar(what, len(files)) as set_done, ThreadPoolExecutor(_THREADS) as pool:
        for key, version in pool.map(put, files):
            versions[key] = version
            set_done(len(versions))
    return versions


def catalog(scene: Scene, granules: Sequence[DemoGranule], versions: dict[str, str]) -> None:
    """Insert the rows that ingest writes for granules (contract 3.4)."""
    ingested = scene.started - _INGESTED
    with scene.connection.cursor() as cursor:
        cursor.execute("INSERT INTO orca.providers VALUES ('LPDAAC', 'LP DAAC') ON CONFLICT DO NOTHING")
        ids = {}
        for granule in granules:
            cursor.execute(
                "INSERT INTO orca.collections VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                (granule.collection, granule.shortname, granule.version),
            )
            cursor.execute(
                "INSERT INTO orca.granules (provider_id, collection_id, cumulus_granule_id, execution_id,"
                " ingest_time, cumulus_create_time, last_update)"
                " VALUES ('LPDAAC', %s, %s, 'demo', %s, %s, %s) RETURNING id",
                (granule.collection, granule.id, ingested, ingested, ingested),
            )
            ids[granule.id] = cursor.fetchone()[0]
        rows = [
            (
                ids[granule.id],
                file.name,
                scene.bucket("archive"),
                scene.bucket(file.destination),
                file.key,
                ingested,
                file.etag,
                versions.get(file.key, "lost"),
                len(file.body),
                STORAGE_CLASS["GLACIER"],
            )
            for granule in granules
            for file in granule.files
        ]
        execute_values(
            cursor,
            "INSERT INTO orca.files (granule_id, name, orca_archive_location, cumulus_archive_location,"
            " key_path, ingest_time, etag, version, size_in_bytes, storage_class_id) VALUES %s",
            rows,
            page_size=500,
        )
