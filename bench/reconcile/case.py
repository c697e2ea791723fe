"""A catalog in Postgres and inventories of the same objects in S3, of one size."""

import asyncio
import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import boto3
import duckdb
import psycopg2

from bench.processor import Processor, processor
from orca_daemon.aws.clients import connect
from orca_daemon.db.database import Database
from orca_daemon.db.migrate import upgrade
from orca_daemon.local.moto import REGION
from orca_daemon.local.postgres import Postgres
from orca_daemon.reconcile.run import Reconciler
from orca_daemon.settings import Settings
from orca_daemon.wire.inventory import InventoryPointer

BUCKET, REPORTS = "archive", "reports"
FORMS = ("parquet", "csv")
_STEP = 1000
"""Of each `_STEP` objects one is a phantom, one an orphan and one a mismatch."""


@dataclass(frozen=True)
class Run:
    """One comparison by our way."""

    seconds: float
    cpu_seconds: float
    """CPU time of the child, which does not depend on how busy the machine is."""
    peak_mib: float
    counts: tuple[int, int, int]
    """Phantoms, orphans, mismatches."""
    processor: Processor
    """Of all processes of this machine that worked for it."""


class Case:
    """A catalog and inventories of one size."""

    memory_mib = 1024
    """The default of the setting `reconcile.memory_mib`."""

    def __init__(self, postgres: Postgres, s3_url: str, size: int, forms: Sequence[str] = FORMS) -> None:
        """`forms` of the inventory; with one form only, the catalog has no index but its primary keys."""
        self.size, self._forms = size, forms
        self._postgres, self.s3_url = postgres, s3_url
        self.url = postgres.url("bench")
        self.folder = tempfile.TemporaryDirectory(prefix="orca-bench-")

    def __enter__(self) -> Self:
        with cursor_of(self._postgres.url()) as cursor:
            cursor.execute("DROP DATABASE IF EXISTS bench")
            cursor.execute("CREATE DATABASE bench")
        upgrade(self.url)
        self._catalog()
        self._inventories()
        return self

    def __exit__(self, *_: object) -> None:
        self.folder.cleanup()
        with cursor_of(self._postgres.url()) as cursor:
            cursor.execute("DROP DATABASE bench WITH (FORCE)")

    @property
    def server(self) -> int:
        """The process id of Postgres."""
        return self._postgres.pid or 0

    def best(self, form: str, rounds: int = 2, **options: object) -> Run:
        """Our way from manifest to commit, twice: the first run fills the caches that both ways use."""
        runs = [asyncio.run(self._compare(form, options)) for _ in range(rounds)]
        best = min(runs, key=lambda run: run.seconds)
        return replace(best, peak_mib=max(run.peak_mib for run in runs))

    async def _compare(self, form: str, options: Mapping[str, object]) -> Run:
        settings = Settings.model_validate(
            {
                "aws": {"region": REGION, "endpoint_url": self.s3_url},
                "database": {"url": self.url},
                "reconcile": {
                    "race_window": 0,
                    "memory_mib": self.memory_mib,
                    "work_dir": self.folder.name,
                    **options,
                },
            }
        )
        pointer = InventoryPointer(
            report_bucket_region=REGION, report_bucket_name=REPORTS, manifest_key=f"{form}/manifest.json"
        )
        before = processor(self.server)
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
            processor(self.server) - before,
        )

    def _catalog(self) -> None:
        lean = len(self._forms) == 1
        with cursor_of(self.url) as cursor:
            if lean:
                cursor.execute(_WITHOUT_INDEXES)
            cursor.execute(_CATALOG.format(size=self.size, odd=_STEP))
            if lean:
                cursor.execute(_PRIMARY_KEYS)

    def _inventories(self) -> None:
        client = boto3.client("s3", endpoint_url=self.s3_url, region_name=REGION)
        with closing(client):
            if REPORTS not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
                client.create_bucket(
                    Bucket=REPORTS, CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
                )
            for form in self._forms:
                self._inventory(client, form)

    def _inventory(self, client: Any, form: str) -> None:
        folder = Path(self.folder.name, form)
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
def cursor_of(url: str) -> Iterator[Any]:
    """A cursor whose statements are committed one by one."""
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
_WITHOUT_INDEXES = """
DO $$ DECLARE statement text; BEGIN
    FOR statement IN
        SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) FROM pg_constraint
        WHERE contype IN ('f', 'p', 'u') AND 'orca.granules'::regclass IN (conrelid, confrelid)
            OR contype IN ('f', 'p', 'u') AND 'orca.files'::regclass IN (conrelid, confrelid)
        ORDER BY contype
    LOOP EXECUTE statement; END LOOP;
    FOR statement IN
        SELECT format('DROP INDEX %s', indexrelid::regclass) FROM pg_index
        WHERE indrelid IN ('orca.granules'::regclass, 'orca.files'::regclass)
    LOOP EXECUTE statement; END LOOP;
END $$
"""
"""A comparison reads none of them, and a hundred million rows are in them only after an hour."""
_PRIMARY_KEYS = """
SET maintenance_work_mem = '1GB';
ALTER TABLE orca.granules ADD PRIMARY KEY (id);
ALTER TABLE orca.files ADD PRIMARY KEY (id)
"""
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
