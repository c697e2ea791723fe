"""An inventory compared with the catalog by us, and by ORCA's way: a load into a table and three statements.

Our time includes everything from the manifest to the commit: S3, MD5, decoding, start of the child, reports.
ORCA's time starts with files that are already on the disk of the Postgres server.
"""

import asyncio
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import boto3
import duckdb
import psycopg2

from bench.report import Report, Target
from bench.size import Size
from orca_daemon.aws.clients import connect
from orca_daemon.db.database import Database
from orca_daemon.db.migrate import upgrade
from orca_daemon.local.moto import CREDENTIALS, REGION, Moto
from orca_daemon.local.postgres import Postgres
from orca_daemon.reconcile.run import Reconciler
from orca_daemon.settings import Settings
from orca_daemon.wire.inventory import InventoryPointer

BUCKET, REPORTS = "archive", "reports"
TINY, SHORT, FULL, OURS_ONLY = (5_000,), (300_000,), (1_000_000, 3_000_000), 10_000_000
MIN_SPEED_UP = {"csv": 6.0, "parquet": 9.0}
_STEP = 1000
"""Of each `_STEP` objects one is a phantom, one an orphan and one a mismatch."""


def measure(size: Size) -> Report:
    """Both ways at each size on the same Postgres; the largest size only our way."""
    os.environ.update(CREDENTIALS)
    figures: dict[str, float] = {}
    targets: list[Target] = []
    with Postgres(fast=True) as postgres, Moto() as s3:
        for objects in size.pick(FULL, SHORT, TINY):
            with Case(postgres, s3.url, objects) as case:
                # A smaller inventory is dominated by the start of the child, so its target is lower.
                rounds = size.pick(2, 2, 1)
                _measure_both(case, figures, targets, rounds, target_factor=size.pick(1.0, 0.6, 0.6))
        if size is Size.FULL:
            with Case(postgres, s3.url, OURS_ONLY) as case:
                _measure_ours(case, figures, targets)
    return Report(name="reconcile", figures=figures, targets=targets)


def _measure_both(
    case: "Case", figures: dict[str, float], targets: list[Target], rounds: int, target_factor: float
) -> None:
    name = f"{case.size / 1e6:g}M"
    ours = {}
    for form in ("csv", "parquet"):
        ours[form] = case.best(form, rounds)
        figures[f"{name} {form} seconds"] = ours[form].seconds
        figures[f"{name} {form} child CPU seconds"] = ours[form].cpu_seconds
        figures[f"{name} {form} child peak MiB"] = ours[form].peak_mib
    figures[f"{name} catalog alone seconds"] = floor = case.catalog_alone()
    theirs, counts = case.orca()
    figures[f"{name} orca seconds"] = theirs
    for form, run in ours.items():
        assert run.counts == counts, (run.counts, counts)
        figures[f"{name} {form} share of catalog"] = floor / run.seconds
        figures[f"{name} {form} rows a second"] = 2 * case.size / run.seconds
        targets.append(
            Target(
                name=f"{name} {form} times ORCA's speed",
                measured=theirs / run.seconds,
                at_least=MIN_SPEED_UP[form] * target_factor,
            )
        )
        targets.append(Target(name=f"{name} {form} peak MiB", measured=run.peak_mib, at_most=case.memory_mib))


def _measure_ours(case: "Case", figures: dict[str, float], targets: list[Target]) -> None:
    name, before = f"{case.size / 1e6:g}M", f"{FULL[-1] / 1e6:g}M"
    figures[f"{name} catalog alone seconds"] = floor = case.catalog_alone()
    for form in ("csv", "parquet"):
        run = case.best(form)
        figures[f"{name} {form} seconds"] = run.seconds
        figures[f"{name} {form} share of catalog"] = floor / run.seconds
        figures[f"{name} {form} child CPU seconds"] = run.cpu_seconds
        figures[f"{name} {form} child peak MiB"] = run.peak_mib
        linear_cpu = figures[f"{before} {form} child CPU seconds"] * case.size / FULL[-1]
        figures[f"{name} {form} CPU over linear"] = run.cpu_seconds / linear_cpu
        linear = figures[f"{before} {form} seconds"] * case.size / FULL[-1]
        targets.append(Target(name=f"{name} {form} over linear", measured=run.seconds / linear, at_most=1.15))
        targets.append(Target(name=f"{name} {form} peak MiB", measured=run.peak_mib, at_most=case.memory_mib))


@dataclass(frozen=True)
class Run:
    """One comparison by our way."""

    seconds: float
    cpu_seconds: float
    """CPU time of the child, which does not depend on how busy the machine is."""
    peak_mib: float
    counts: tuple[int, int, int]
    """Phantoms, orphans, mismatches."""


class Case:
    """A catalog and inventories of one size."""

    memory_mib = 1024
    """The default of the setting `reconcile.memory_mib`."""

    def __init__(self, postgres: Postgres, s3_url: str, size: int) -> None:
        self.size = size
        self._postgres, self._s3_url = postgres, s3_url
        self._url = postgres.url("bench")
        self._folder = tempfile.TemporaryDirectory(prefix="orca-bench-")

    def __enter__(self) -> Self:
        with _cursor(self._postgres.url()) as cursor:
            cursor.execute("DROP DATABASE IF EXISTS bench")
            cursor.execute("CREATE DATABASE bench")
        upgrade(self._url)
        self._catalog()
        self._inventories()
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()
        with _cursor(self._postgres.url()) as cursor:
            cursor.execute("DROP DATABASE bench WITH (FORCE)")

    def best(self, form: str, rounds: int = 2) -> Run:
        """Our way from manifest to commit, twice: the first run fills the caches that both ways use."""
        runs = [asyncio.run(self._compare(form)) for _ in range(rounds)]
        best = min(runs, key=lambda run: run.seconds)
        return replace(best, peak_mib=max(run.peak_mib for run in runs))

    async def _compare(self, form: str) -> Run:
        settings = Settings.model_validate(
            {
                "aws": {"region": REGION, "endpoint_url": self._s3_url},
                "database": {"url": self._url},
                "reconcile": {"race_window": 0, "memory_mib": self.memory_mib, "work_dir": self._folder.name},
            }
        )
        pointer = InventoryPointer(
            report_bucket_region=REGION, report_bucket_name=REPORTS, manifest_key=f"{form}/manifest.json"
        )
        async with connect(settings) as clients:
            with closing(Database(settings.database)) as database:
                outcome = await Reconciler(settings, database, clients.s3).inventory(pointer)
        written, counts = outcome.written, outcome.compared
        assert written is not None
        assert counts is not None
        return Run(
            outcome.seconds,
            counts.cpu_seconds,
            counts.peak_mib,
            (written.phantoms, written.orphans, written.mismatches),
        )

    def catalog_alone(self) -> float:
        """Seconds to read the catalog from Postgres, the lower limit for any comparison."""
        with _cursor(self._url) as cursor:
            began = time.monotonic()
            with Path(os.devnull).open("wb") as nowhere:
                cursor.copy_expert(
                    "COPY (SELECT f.id, f.key_path, f.etag, f.size_in_bytes, f.storage_class_id, false "
                    "FROM orca.files f WHERE f.orca_archive_location = 'archive') "
                    "TO STDOUT (FORMAT csv, QUOTE E'\\x01')",
                    nowhere,
                )
            return time.monotonic() - began

    def orca(self) -> tuple[float, tuple[int, int, int]]:
        """ORCA's way (ORCA contract, sections 4.4, 4.5 and 5): seconds, and the rows of each report."""
        with _cursor(self._url) as cursor:
            cursor.execute(_PARTITION)
            began = time.monotonic()
            cursor.execute(
                "INSERT INTO orca.reconcile_job (orca_archive_location, status_id, inventory_creation_time, "
                "start_time, last_update) VALUES ('archive', 1, now(), now(), now()) RETURNING id"
            )
            job = cursor.fetchone()[0]
            cursor.execute("TRUNCATE orca.reconcile_s3_object_archive")
            cursor.execute("BEGIN")
            cursor.execute(_IMPORT)
            for file in sorted(Path(self._folder.name, "csv").glob("*.csv.gz")):
                cursor.execute(
                    f"COPY s3_import FROM PROGRAM 'gzip -dc {file}' (FORMAT csv, FORCE_NULL (size_in_bytes))"
                )
            cursor.execute(_STORE, (job,))
            cursor.execute("COMMIT")
            cursor.execute("BEGIN")
            counts = []
            for statement in (_PHANTOMS, _ORPHANS, _MISMATCHES):
                cursor.execute(statement, {"job": job})
                counts.append(cursor.rowcount)
            cursor.execute("COMMIT")
            return time.monotonic() - began, (counts[0], counts[1], counts[2])

    def _catalog(self) -> None:
        with _cursor(self._url) as cursor:
            cursor.execute(_CATALOG.format(size=self.size, odd=_STEP))

    def _inventories(self) -> None:
        client = boto3.client("s3", endpoint_url=self._s3_url, region_name=REGION)
        with closing(client):
            if REPORTS not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
                client.create_bucket(
                    Bucket=REPORTS, CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
                )
            for form in ("csv", "parquet"):
                self._inventory(client, form)

    def _inventory(self, client: Any, form: str) -> None:
        folder = Path(self._folder.name, form)
        folder.mkdir()
        folder.parent.chmod(0o755)  # Postgres, which runs as another user, reads the files, too
        files = []
        for path in _listing(self.size, form, folder):
            body = path.read_bytes()
            client.put_object(Bucket=REPORTS, Key=f"{form}/{path.name}", Body=body)
            md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
            files.append({"key": f"{form}/{path.name}", "size": len(body), "MD5checksum": md5})
        manifest = {
            "sourceBucket": BUCKET,
            "creationTimestamp": str(int(datetime.now(UTC).timestamp() * 1000)),
            "fileFormat": {"csv": "CSV", "parquet": "Parquet"}[form],
            "fileSchema": "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, "
            "StorageClass",
            "files": files,
        }
        client.put_object(Bucket=REPORTS, Key=f"{form}/manifest.json", Body=json.dumps(manifest).encode())


@contextmanager
def _cursor(url: str) -> Iterator[Any]:
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor


def _listing(size: int, form: str, folder: Path) -> Iterator[Path]:
    """Write data files of half a million rows each, in S3's formats."""
    csv = form == "csv"
    columns = (
        "'archive', key, '', 'true', 'false', size::varchar, '2026-11-19T01:02:03.000Z', etag, 'GLACIER'"
        if csv
        else "'archive' AS bucket, key, true AS is_latest, false AS is_delete_marker, size, "
        "timestamp '2026-11-19 01:02:03' AS last_modified_date, etag AS e_tag, 'GLACIER' AS storage_class"
    )
    options = "FORMAT csv, HEADER false, FORCE_QUOTE *, COMPRESSION gzip" if csv else "FORMAT parquet"
    rows = (
        f"SELECT {_KEY} AS key, 1000000 + (i * 7919) % 900000000 + (i % {_STEP} = 2)::int AS size, "
        f"md5(i::varchar) AS etag FROM range(:low, :high) t(i) WHERE i % {_STEP} <> 0"
    )
    extra = (
        " UNION ALL SELECT 'unknown/' || i, 5, md5(i::varchar) "
        f"FROM range(:low, :high) t(i) WHERE i % {_STEP} = 1"
    )
    with duckdb.connect(config={"threads": 2}) as engine:
        engine.execute("SET enable_progress_bar = false")
        for index, low in enumerate(range(0, size, 500_000)):
            path = folder / f"{index:04}{'.csv.gz' if csv else '.parquet'}"
            source = (rows + extra).replace(":low", str(low)).replace(":high", str(min(low + 500_000, size)))
            engine.execute(f"COPY (SELECT {columns} FROM ({source})) TO '{path}' ({options})")
            path.chmod(0o644)
            yield path


_KEY = (
    "'ATL0' || (i % 9) || '/006/2026/' || lpad(((i // 1000) % 366)::varchar, 3, '0') "
    "|| '/ATL0' || (i % 9) || '_20260101000000_' || lpad(i::varchar, 8, '0') || '_006_01.h5'"
)
_CATALOG = """
INSERT INTO orca.providers VALUES ('p', 'P');
INSERT INTO orca.collections SELECT 'ATL0' || i || '___006', 'ATL0' || i, '006' FROM generate_series(0, 8) i;
ALTER TABLE orca.granules SET (autovacuum_enabled = off);
ALTER TABLE orca.files SET (autovacuum_enabled = off);
ALTER TABLE orca.granules DISABLE TRIGGER ALL;
ALTER TABLE orca.files DISABLE TRIGGER ALL;
INSERT INTO orca.granules
SELECT i, 'p', 'ATL0' || (i %% 9) || '___006', 'g' || lpad(i::text, 9, '0'), 'e', now(), now(), now()
FROM generate_series(0, {size} / 4) i;
INSERT INTO orca.files
    (granule_id, name, orca_archive_location, cumulus_archive_location, key_path, ingest_time, etag, version,
     size_in_bytes, storage_class_id)
SELECT
    i / 4, 'ATL0' || (i %% 9) || '_20260101000000_' || lpad(i::text, 8, '0') || '_006_01.h5', 'archive',
    'protected',
    'ATL0' || (i %% 9) || '/006/2026/' || lpad(((i / 1000) %% 366)::text, 3, '0') || '/ATL0' || (i %% 9)
    || '_20260101000000_' || lpad(i::text, 8, '0') || '_006_01.h5',
    '2026-01-01Z', '"' || md5(i::text) || '"', 'v', 1000000 + (i::bigint * 7919) %% 900000000, 1
FROM generate_series(0, {size} - 1) i;
ANALYZE orca.granules, orca.files;
""".replace("%%", "%")
_PARTITION = """
CREATE TABLE IF NOT EXISTS orca.reconcile_s3_object_archive PARTITION OF orca.reconcile_s3_object (
    CONSTRAINT pk_reconcile_s3_object_archive PRIMARY KEY (key_path),
    CONSTRAINT fk_reconcile_job_archive FOREIGN KEY (job_id) REFERENCES orca.reconcile_job (id)
) FOR VALUES IN ('archive')
"""
_IMPORT = """
CREATE TEMPORARY TABLE s3_import (
    orca_archive_location text, key_path text, junk1 text, is_latest bool, delete_marker bool,
    size_in_bytes bigint, last_update timestamptz, etag text, storage_class text
) ON COMMIT DROP
"""
_STORE = """
INSERT INTO orca.reconcile_s3_object
    (job_id, orca_archive_location, key_path, etag, last_update, size_in_bytes, storage_class, delete_marker)
SELECT
    %s, i.orca_archive_location, i.key_path, '"' || i.etag || '"', i.last_update,
    COALESCE(i.size_in_bytes, 0),
    i.storage_class, i.delete_marker
FROM s3_import i
WHERE i.is_latest
"""
_PHANTOMS = """
INSERT INTO orca.reconcile_phantom_report
SELECT
    %(job)s, g.collection_id, g.cumulus_granule_id, f.name, f.key_path, f.etag, g.last_update,
    f.size_in_bytes, f.storage_class_id
FROM orca.files f
JOIN orca.granules g ON g.id = f.granule_id
LEFT JOIN orca.reconcile_s3_object o
    ON o.orca_archive_location = f.orca_archive_location AND o.key_path = f.key_path
WHERE f.orca_archive_location = 'archive' AND o.key_path IS NULL
"""
_ORPHANS = """
INSERT INTO orca.reconcile_orphan_report
SELECT %(job)s, o.key_path, o.etag, o.last_update, o.size_in_bytes, o.storage_class
FROM orca.reconcile_s3_object o
LEFT JOIN orca.files f
    ON f.orca_archive_location = o.orca_archive_location AND f.key_path = o.key_path
WHERE o.orca_archive_location = 'archive' AND f.key_path IS NULL
"""
_MISMATCHES = """
INSERT INTO orca.reconcile_catalog_mismatch_report
    (job_id, collection_id, granule_id, filename, key_path, cumulus_archive_location, orca_etag, s3_etag,
     orca_last_update, s3_last_update, orca_size_in_bytes, s3_size_in_bytes, orca_storage_class_id,
     s3_storage_class, discrepancy_type)
SELECT
    %(job)s, g.collection_id, g.cumulus_granule_id, f.name, f.key_path, f.cumulus_archive_location, f.etag,
    o.etag,
    g.last_update, o.last_update, f.size_in_bytes, o.size_in_bytes, f.storage_class_id, o.storage_class,
    CONCAT_WS(', ', CASE WHEN f.etag <> o.etag THEN 'etag' END,
        CASE WHEN f.size_in_bytes <> o.size_in_bytes THEN 'size_in_bytes' END,
        CASE WHEN s.value <> o.storage_class THEN 'storage_class' END)
FROM orca.files f
JOIN orca.granules g ON g.id = f.granule_id
JOIN orca.storage_class s ON s.id = f.storage_class_id
JOIN orca.reconcile_s3_object o
    ON o.orca_archive_location = f.orca_archive_location AND o.key_path = f.key_path
WHERE
    f.orca_archive_location = 'archive'
    AND (f.etag <> o.etag OR f.size_in_bytes <> o.size_in_bytes OR s.value <> o.storage_class)
"""
