"""First step: fill the archive as ingest does, with objects in S3 and messages for the catalog."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from orca_daemon.local.demo.granules import ArchivedFile, DemoGranule
from orca_daemon.local.demo.scene import Scene, Step
from orca_daemon.producer import post_all_to_metadata_queue

_THREADS = 8
_INGESTED = timedelta(days=3)
"""Age of the files, so that an inventory of today must contain them."""
STORAGE_CLASS = {"GLACIER": 1, "DEEP_ARCHIVE": 2}


def fill(scene: Scene, granules: Sequence[DemoGranule]) -> Step:
    """Store every file, and have it cataloged."""
    step = Step("Archive filled")
    files = [file for granule in granules for file in granule.files]
    versions = store(scene, "archiving objects", files)
    catalog(scene, granules, versions)
    step.facts = {"granules": len(granules), "objects": len(files)}
    step.check("files in the catalog", len(files), cataloged(scene, [file.key for file in files]))
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


def catalog(scene: Scene, granules: Sequence[DemoGranule], versions: Mapping[str, str]) -> None:
    """Have the daemon catalog granules, as ingest does: by messages on the metadata queue."""
    ingested = scene.started - _INGESTED
    archive = scene.bucket("archive")
    bodies = [
        {
            "provider": {"providerId": "LPDAAC", "name": "LP DAAC"},
            "collection": {
                "collectionId": granule.collection,
                "shortname": granule.shortname,
                "version": granule.version,
            },
            "granule": {
                "cumulusGranuleId": granule.id,
                "cumulusCreateTime": ingested,
                "executionId": "demo",
                "ingestTime": ingested,
                "lastUpdate": ingested,
                "files": [
                    {
                        "name": file.name,
                        "cumulusArchiveLocation": scene.bucket(file.destination),
                        "orcaArchiveLocation": archive,
                        "keyPath": file.key,
                        "sizeInBytes": len(file.body),
                        "hash": None,
                        "hashType": None,
                        "storageClass": "GLACIER",
                        "version": versions.get(file.key, "lost"),
                        "ingestTime": ingested,
                        "etag": file.etag,
                    }
                    for file in granule.files
                ],
            },
        }
        for granule in granules
    ]
    post_all_to_metadata_queue(bodies, scene.queue("catalog"), client=scene.sqs)
    keys = [file.key for granule in granules for file in granule.files]
    scene.wait("cataloging files", len(keys), lambda: cataloged(scene, keys))


def cataloged(scene: Scene, keys: Sequence[str]) -> int:
    """How many of these keys the catalog has."""
    [(count,)] = scene.rows(
        "SELECT count(*) FROM orca.files WHERE key_path = ANY(%(keys)s)", {"keys": list(keys)}
    )
    return int(count)
