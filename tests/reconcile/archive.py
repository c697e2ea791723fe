"""An archive for tests: a catalog in Postgres, inventories in S3, reports in Postgres."""

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import pyarrow as pa
from pyarrow import orc, parquet

from orca_daemon.wire.inventory import InventoryPointer

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

CREATED = datetime(2026, 11, 20, 1, tzinfo=UTC)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
Form = Literal["CSV", "Parquet", "ORC"]
ALL_VERSIONS = (
    "Bucket",
    "Key",
    "VersionId",
    "IsLatest",
    "IsDeleteMarker",
    "Size",
    "LastModifiedDate",
    "ETag",
    "StorageClass",
)
CURRENT_ONLY = ("Bucket", "Key", "Size", "LastModifiedDate", "ETag", "StorageClass")
_TYPED = {
    "Bucket": ("bucket", pa.string()),
    "Key": ("key", pa.string()),
    "VersionId": ("version_id", pa.string()),
    "IsLatest": ("is_latest", pa.bool_()),
    "IsDeleteMarker": ("is_delete_marker", pa.bool_()),
    "Size": ("size", pa.int64()),
    "LastModifiedDate": ("last_modified_date", pa.timestamp("ms", "UTC")),
    "ETag": ("e_tag", pa.string()),
    "StorageClass": ("storage_class", pa.string()),
}


@dataclass(frozen=True)
class Filed:
    """A row of the catalog."""

    key: str
    etag: str = '"e"'
    size: int = 10
    storage_class: str = "GLACIER"
    ingested: datetime = LONG_AGO
    collection: str = "C___001"
    granule: str = "g-1"
    bucket: str = "archive"

    @property
    def name(self) -> str:
        return self.key.rpartition("/")[2] or self.key


@dataclass(frozen=True)
class Listed:
    """A row of an inventory; the key is the object's own."""

    key: str
    etag: str = "e"
    size: int | None = 10
    storage_class: str = "GLACIER"
    modified: datetime = LONG_AGO
    latest: bool = True
    marker: bool = False
    bucket: str = "archive"

    def gone(self) -> "Listed":
        """The same key, deleted."""
        return replace(self, etag="", size=None, storage_class="", marker=True)

    def values(self) -> dict[str, Any]:
        return {
            "Bucket": self.bucket,
            "Key": self.key,
            "VersionId": "v",
            "IsLatest": self.latest,
            "IsDeleteMarker": self.marker,
            "Size": self.size,
            "LastModifiedDate": self.modified,
            "ETag": self.etag,
            "StorageClass": self.storage_class,
        }


@dataclass
class Archive:
    """The bucket `archive`, its catalog and its reports."""

    database: Any
    """A connection of the driver that commits each statement."""
    s3: "S3Client"
    reports: str
    """Bucket of the inventories."""

    def catalog(self, rows: Iterable[Filed]) -> None:
        """Add these rows to the catalog."""
        with self.database.cursor() as cursor:
            cursor.execute(_PROVIDER)
            for row in rows:
                cursor.execute(_COLLECTION, vars(row))
                cursor.execute(_GRANULE, vars(row))
                cursor.execute(_FILE, vars(row) | {"name": row.name})

    def forget(self) -> None:
        """Empty the catalog, the jobs and the reports."""
        with self.database.cursor() as cursor:
            cursor.execute(
                "TRUNCATE orca.files, orca.granules, orca.collections, orca.providers, orca.reconcile_job "
                "CASCADE"
            )

    def inventory(
        self,
        *files: Sequence[Listed],
        form: Form = "CSV",
        schema: Sequence[str] = ALL_VERSIONS,
        created: datetime = CREATED,
        **document: object,
    ) -> InventoryPointer:
        """Put an inventory into S3: one data file for each list of rows; `document` changes its manifest."""
        prefix = f"archive/inventory/{created:%Y-%m-%dT%H-%MZ}"
        entries = []
        for number, rows in enumerate(files):
            body = encoded(form, schema, rows)
            key = f"archive/inventory/data/{created:%Y%m%d%H%M%S%f}-{number}{_SUFFIX[form]}"
            self.s3.put_object(Bucket=self.reports, Key=key, Body=body)
            entries.append(
                {
                    "key": key,
                    "size": len(body),
                    "MD5checksum": hashlib.md5(body, usedforsecurity=False).hexdigest(),
                }
            )
        manifest = {
            "sourceBucket": "archive",
            "destinationBucket": f"arn:aws:s3:::{self.reports}",
            "version": "2016-11-30",
            "creationTimestamp": str(int(created.timestamp() * 1000)),
            "fileFormat": form,
            "fileSchema": ", ".join(schema) if form == "CSV" else "message of no interest",
            "files": entries,
        }
        text = json.dumps(manifest | document).encode()
        key = f"{prefix}/manifest.json"
        self.s3.put_object(Bucket=self.reports, Key=key, Body=text)
        return InventoryPointer(
            report_bucket_region="us-west-2", report_bucket_name=self.reports, manifest_key=key
        )

    def stored(self, job: int, rows: Iterable[tuple[str, str, int, bool]], status: int) -> None:
        """A job whose listing is in Postgres, as ORCA loads it: key, ETag, size, delete marker."""
        with self.database.cursor() as cursor:
            cursor.execute(_PARTITION)
            cursor.execute(_JOB, (job, status))
            for key, etag, size, marker in rows:
                cursor.execute(_STORED, (job, key, etag, size, "" if marker else "GLACIER", marker))

    def execute(self, statement: str, *values: object) -> None:
        with self.database.cursor() as cursor:
            cursor.execute(statement, values)

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self.database.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    def phantoms(self, job: int) -> set[str]:
        return self._keys("reconcile_phantom_report", job)

    def orphans(self, job: int) -> set[str]:
        return self._keys("reconcile_orphan_report", job)

    def mismatches(self, job: int) -> dict[str, str]:
        statement = (
            "SELECT key_path, discrepancy_type FROM orca.reconcile_catalog_mismatch_report WHERE job_id = %s"
        )
        return {key: label for key, label in self.rows(statement, job)}  # noqa: C416  rows of two

    def job(self, job: int) -> tuple[Any, ...]:
        """Status, whether it has ended, and its error."""
        return self.rows(
            "SELECT status_id, end_time IS NOT NULL, error_message FROM orca.reconcile_job WHERE id = %s", job
        )[0]

    def _keys(self, table: str, job: int) -> set[str]:
        return {key for (key,) in self.rows(f"SELECT key_path FROM orca.{table} WHERE job_id = %s", job)}


_PARTITION = """
CREATE TABLE IF NOT EXISTS orca.reconcile_s3_object_archive PARTITION OF orca.reconcile_s3_object (
    CONSTRAINT pk_reconcile_s3_object_archive PRIMARY KEY (key_path),
    CONSTRAINT fk_reconcile_job_archive FOREIGN KEY (job_id) REFERENCES orca.reconcile_job (id)
) FOR VALUES IN ('archive');
ALTER TABLE orca.reconcile_s3_object_archive OWNER TO orca_dbo
"""
_JOB = """
INSERT INTO orca.reconcile_job
    (id, orca_archive_location, status_id, inventory_creation_time, start_time, last_update)
VALUES (%s, 'archive', %s, '2026-11-20T01:00Z', now(), now())
"""
_STORED = """
INSERT INTO orca.reconcile_s3_object
    (job_id, orca_archive_location, key_path, etag, last_update, size_in_bytes, storage_class, delete_marker)
VALUES (%s, 'archive', %s, %s, '2026-01-01Z', %s, %s, %s)
"""
_PROVIDER = "INSERT INTO orca.providers VALUES ('p', 'P') ON CONFLICT DO NOTHING"
_COLLECTION = "INSERT INTO orca.collections VALUES (%(collection)s, 'C', '1') ON CONFLICT DO NOTHING"
_GRANULE = """
INSERT INTO orca.granules (provider_id, collection_id, cumulus_granule_id, execution_id, ingest_time,
    cumulus_create_time, last_update)
VALUES ('p', %(collection)s, %(granule)s, 'e', '2026-01-01Z', '2026-01-01Z', '2026-01-02Z')
ON CONFLICT DO NOTHING
"""
_FILE = """
INSERT INTO orca.files (granule_id, name, orca_archive_location, cumulus_archive_location, key_path,
    ingest_time, etag, version, size_in_bytes, storage_class_id)
SELECT g.id, %(name)s, %(bucket)s, 'of-' || %(bucket)s, %(key)s, %(ingested)s, %(etag)s, 'v', %(size)s, s.id
FROM orca.granules g, orca.storage_class s
WHERE (g.collection_id, g.cumulus_granule_id, s.value) = (%(collection)s, %(granule)s, %(storage_class)s)
"""
_SUFFIX = {"CSV": ".csv.gz", "Parquet": ".parquet", "ORC": ".orc"}


def encoded(form: Form, schema: Sequence[str], rows: Sequence[Listed]) -> bytes:
    if form == "CSV":
        return gzip.compress(_csv(schema, rows).encode())
    table = pa.table(
        {_TYPED[name][0]: pa.array([row.values()[name] for row in rows], _TYPED[name][1]) for name in schema}
    )
    target = io.BytesIO()
    if form == "Parquet":
        parquet.write_table(table, target)
    else:
        orc.write_table(table, target)
    return target.getvalue()


def _csv(schema: Sequence[str], rows: Sequence[Listed]) -> str:
    """As S3 writes it: everything quoted, keys encoded."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for row in rows:
        writer.writerow([_text(name, row.values()[name]) for name in schema])
    return text.getvalue()


def _text(name: str, value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case datetime():
            return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03}Z"
        case _:
            return quote(str(value), safe="/").replace("%20", "+") if name == "Key" else str(value)
