"""Third and fifth step: an S3 inventory of the archive, compared with the catalog."""

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote
from uuid import uuid4

from orca_daemon.local.demo.archive import STORAGE_CLASS, catalog, store
from orca_daemon.local.demo.granules import DemoGranule
from orca_daemon.local.demo.scene import Scene, Step
from orca_daemon.local.moto import REGION
from orca_daemon.producer import send
from orca_daemon.wire.inventory import InventoryPointer, inventory_message

_SCHEMA = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass"
_SUCCESS = 5
_KINDS = ("phantoms", "orphans", "mismatches")
_CLASS_NAMES = {number: name for name, number in STORAGE_CLASS.items()}

Facts = tuple[str, int, str]
"""ETag with quotes, size in bytes, storage class."""


@dataclass(frozen=True, slots=True)
class Differences:
    """Keys that differ between catalog and bucket."""

    phantoms: frozenset[str]
    orphans: frozenset[str]
    mismatches: frozenset[str]


def differences(cataloged: Mapping[str, Facts], stored: Mapping[str, Facts]) -> Differences:
    """The differences that the reports must contain, computed by comparing sets."""
    return Differences(
        frozenset(cataloged.keys() - stored.keys()),
        frozenset(stored.keys() - cataloged.keys()),
        frozenset(key for key in cataloged.keys() & stored.keys() if cataloged[key] != stored[key]),
    )


def reconcile(scene: Scene) -> Step:
    """Have an inventory compared: catalog and bucket must agree."""
    step = Step("Archive reconciled, without a difference")
    _compare(scene, step)
    step.check("differences", [0, 0, 0], [step.facts[kind] for kind in _KINDS])
    return step


def reconcile_disturbed(scene: Scene, spare: Sequence[DemoGranule]) -> Step:
    """Make catalog and bucket differ, have the inventory compared, and check the reports.

    Args:
        scene: the running stack.
        spare: three granules that no other step uses and that are not in the archive yet.
    """
    step = Step("Differences found")
    _disturb(scene, spare)
    _compare(scene, step)
    return step


def _compare(scene: Scene, step: Step) -> None:
    """Have an inventory of the archive compared, and check its reports key by key."""
    rows = _listing(scene)
    created = datetime.now(UTC)
    created = created.replace(microsecond=created.microsecond // 1000 * 1000)
    pointer = _publish(scene, rows, created)
    message = inventory_message(pointer)
    # A new deduplication id: two inventories of one minute have the same key, and SQS would drop the second.
    send(replace(message, deduplication_id=uuid4().hex), scene.queue("internal_report"), client=scene.sqs)
    scene.wait("comparing the inventory", 1, lambda: int(_job(scene, created)[1] in {4, _SUCCESS}))
    job, status, error = _job(scene, created)
    step.check("status of the job", _SUCCESS, status)
    if error:
        step.facts["error"] = error
    expected = differences(_cataloged(scene), _stored(rows))
    reported = _reported(scene, job)
    for kind in _KINDS:
        step.facts[kind] = len(getattr(reported, kind))
        step.check(f"{kind}, key by key", sorted(getattr(expected, kind)), sorted(getattr(reported, kind)))
    step.facts |= {"job": job, "rows in the inventory": len(rows), "manifest": pointer.manifest_key}


def _disturb(scene: Scene, spare: Sequence[DemoGranule]) -> None:
    """Make a phantom (only in the catalog), an orphan (only stored) and a mismatch (other content)."""
    phantom, orphan, mismatch = spare
    catalog(scene, [phantom], {})
    store(scene, "planting orphans", orphan.files)
    versions = store(scene, "planting mismatches", mismatch.files)
    other = [replace(file, body=file.body + b"changed") for file in mismatch.files]
    catalog(scene, [replace(mismatch, files=tuple(other))], versions)


def _listing(scene: Scene) -> list[dict[str, str]]:
    """Every version in the archive bucket, as a row of S3 Inventory."""
    bucket = scene.bucket("archive")
    rows = {}
    for page in scene.s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            entry: dict[str, Any] = {**version}
            marker = "Size" not in entry
            # Key by version, because LocalStack repeats a key with special characters at the end of a page.
            rows[entry["Key"], entry["VersionId"]] = {
                "Bucket": bucket,
                "Key": quote(entry["Key"], safe="/"),
                "VersionId": entry["VersionId"],
                "IsLatest": str(entry["IsLatest"]).lower(),
                "IsDeleteMarker": str(marker).lower(),
                "Size": "" if marker else str(entry["Size"]),
                "LastModifiedDate": f"{entry['LastModified']:%Y-%m-%dT%H:%M:%S.000Z}",
                "ETag": "" if marker else entry["ETag"].strip('"'),
                "StorageClass": "" if marker else entry["StorageClass"],
            }
    return list(rows.values())


def _publish(scene: Scene, rows: Sequence[Mapping[str, str]], created: datetime) -> InventoryPointer:
    """Store the inventory's data file and manifest in the reports bucket, under S3's keys."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows(row.values() for row in rows)
    data = gzip.compress(text.getvalue().encode())
    archive, reports = scene.bucket("archive"), scene.bucket("reports")
    folder = f"{archive}/{archive}-inventory"
    data_key = f"{folder}/data/{uuid4()}.csv.gz"
    manifest_key = f"{folder}/{created:%Y-%m-%dT%H-%MZ}/manifest.json"
    manifest = {
        "sourceBucket": archive,
        "destinationBucket": f"arn:aws:s3:::{reports}",
        "version": "2016-11-30",
        "creationTimestamp": str(int(created.timestamp() * 1000)),
        "fileFormat": "CSV",
        "fileSchema": _SCHEMA,
        "files": [
            {
                "key": data_key,
                "size": len(data),
                "MD5checksum": hashlib.md5(data, usedforsecurity=False).hexdigest(),
            }
        ],
    }
    scene.s3.put_object(Bucket=reports, Key=data_key, Body=data)
    scene.s3.put_object(Bucket=reports, Key=manifest_key, Body=json.dumps(manifest).encode())
    return InventoryPointer(
        report_bucket_region=REGION, report_bucket_name=reports, manifest_key=manifest_key
    )


def _job(scene: Scene, created: datetime) -> tuple[int, int, str | None]:
    """Id, status and error of this inventory's job; zeros before it exists."""
    rows = scene.rows(
        "SELECT id, status_id, error_message FROM orca.reconcile_job"
        " WHERE orca_archive_location = %(bucket)s AND inventory_creation_time = %(created)s",
        {"bucket": scene.bucket("archive"), "created": created},
    )
    return (rows[0][0], rows[0][1], rows[0][2]) if rows else (0, 0, None)


def _cataloged(scene: Scene) -> dict[str, Facts]:
    rows = scene.rows(
        "SELECT key_path, etag, size_in_bytes, storage_class_id FROM orca.files"
        " WHERE orca_archive_location = %(bucket)s",
        {"bucket": scene.bucket("archive")},
    )
    return {key: (etag, size, _CLASS_NAMES[number]) for key, etag, size, number in rows}


def _stored(rows: Sequence[Mapping[str, str]]) -> dict[str, Facts]:
    """The current objects in the rows of an inventory, by key."""
    return {
        unquote(row["Key"]): (f'"{row["ETag"]}"', int(row["Size"]), row["StorageClass"])
        for row in rows
        if row["IsLatest"] == "true" and row["IsDeleteMarker"] == "false"
    }


def _reported(scene: Scene, job: int) -> Differences:
    def keys(table: str) -> frozenset[str]:
        statement = f"SELECT key_path FROM orca.{table} WHERE job_id = %(job)s"  # noqa: S608  our own names
        return frozenset(key for (key,) in scene.rows(statement, {"job": job}))

    return Differences(
        keys("reconcile_phantom_report"),
        keys("reconcile_orphan_report"),
        keys("reconcile_catalog_mismatch_report"),
    )
