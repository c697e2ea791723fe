"""A database of ORCA in any size: a catalog, recoveries, and a reconciliation job with its reports."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2

from orca_daemon.db.migrate import upgrade
from orca_daemon.local.postgres import Postgres

COLLECTIONS = 100
"""All of one size but the first, which has a tenth of the granules more."""
FILES = 4
"""Files of a granule, in the catalog and in recoveries."""
GRANULES_OF_A_JOB = 10
_NAME = "bench_api"
_TABLES = ("orca.granules", "orca.files", "orca.recovery_job", "orca.recovery_file")


@dataclass(frozen=True, slots=True)
class Scale:
    """How many rows there are."""

    granules: int
    recoveries: int
    differences: int
    """Rows of each report of the reconciliation job."""


# Names begin with their collection's and go on with a hash: a page in the order of names is spread over the whole
# table, which is the worst case.
_CATALOG = f"""
INSERT INTO orca.providers (provider_id, name) SELECT 'provider_' || n, NULL FROM generate_series(0, 3) AS n;
INSERT INTO orca.collections (collection_id, shortname, version)
SELECT 'PRODUCT' || lpad(n::text, 3, '0') || '___006', 'PRODUCT' || lpad(n::text, 3, '0'), '006'
FROM generate_series(0, {COLLECTIONS} - 1) AS n;
INSERT INTO orca.granules (
    id, provider_id, collection_id, cumulus_granule_id, execution_id, ingest_time, cumulus_create_time, last_update
)
SELECT n, 'provider_' || n %% 4, product || '___006', product || '.A2017.' || left(md5(n::text), 12) || '.006',
    'execution-' || n / 100, created, created, created
FROM generate_series(1, %(granules)s) AS n
CROSS JOIN LATERAL (SELECT CASE WHEN n %% 10 = 0 THEN 0 ELSE n %% {COLLECTIONS} END AS collection) AS number_
CROSS JOIN LATERAL (
    SELECT 'PRODUCT' || lpad(collection::text, 3, '0') AS product,
        timestamptz '2017-01-01Z' + n * interval '10 seconds' AS created
) AS named;
"""
_FILES = f"""
INSERT INTO orca.files (
    id, granule_id, name, orca_archive_location, cumulus_archive_location, key_path, ingest_time, etag, version,
    size_in_bytes, hash, hash_type, storage_class_id
)
SELECT granule.id * {FILES} + n, granule.id, name, 'orca-archive', 'protected', left(granule.collection_id, 10) || '/' || name,
    granule.ingest_time, '"' || md5(name) || '"', left(md5(name), 16), 123456789, NULL, NULL, 1
FROM orca.granules AS granule
CROSS JOIN generate_series(0, {FILES} - 1) AS n
CROSS JOIN LATERAL (SELECT granule.cumulus_granule_id || '.' || n || '.hdf' AS name) AS named;
"""
_RECOVERIES = f"""
INSERT INTO orca.recovery_job (
    job_id, collection_id, granule_id, archive_destination, status_id, request_time, completion_time
)
SELECT md5((n / {GRANULES_OF_A_JOB})::text)::uuid::text, 'PRODUCT000___006', 'granule-' || n, 'orca-archive', 1 + n %% 4,
    now() - n * interval '1 second', CASE WHEN n %% 4 > 1 THEN now() END
FROM generate_series(0, %(recoveries)s - 1) AS n;
INSERT INTO orca.recovery_file (
    job_id, collection_id, granule_id, filename, key_path, restore_destination, status_id, error_message, request_time,
    last_update, completion_time
)
SELECT job_id, collection_id, granule_id, granule_id || '.' || n || '.hdf', collection_id || '/' || granule_id || '.' || n,
    'protected', status_id, CASE WHEN status_id = 3 THEN 'AccessDenied' END, request_time, request_time, completion_time
FROM orca.recovery_job
CROSS JOIN generate_series(0, {FILES} - 1) AS n;
"""
_REPORTS = """
INSERT INTO orca.reconcile_job (id, orca_archive_location, status_id, inventory_creation_time, start_time, last_update)
SELECT n, 'orca-archive', 5, now() - n * interval '1 day', now(), now() FROM generate_series(1, 150) AS n;
INSERT INTO orca.reconcile_orphan_report (job_id, key_path, etag, last_update, size_in_bytes, storage_class)
SELECT 1, 'orphans/' || md5(n::text), '"e"', now(), n, 'GLACIER' FROM generate_series(1, %(differences)s) AS n;
INSERT INTO orca.reconcile_phantom_report (
    job_id, collection_id, granule_id, filename, key_path, orca_etag, orca_last_update, orca_size, orca_storage_class_id
)
SELECT 1, 'PRODUCT000___006', md5((n / 4)::text), 'file-' || n, 'phantoms/' || n, '"e"', now(), n, 1
FROM generate_series(1, %(differences)s) AS n;
INSERT INTO orca.reconcile_catalog_mismatch_report (
    job_id, collection_id, granule_id, filename, key_path, cumulus_archive_location, orca_etag, s3_etag,
    orca_last_update, s3_last_update, orca_size_in_bytes, s3_size_in_bytes, orca_storage_class_id, s3_storage_class,
    discrepancy_type
)
SELECT 1, 'PRODUCT000___006', md5((n / 4)::text), 'file-' || n, 'mismatches/' || n, 'protected', '"e"', '"f"',
    now(), now(), n, n, 1, 'GLACIER', 'etag'
FROM generate_series(1, %(differences)s) AS n;
"""


def prepare(server: Postgres, scale: Scale, report: Callable[[str], None]) -> str:
    """The URL of the database; it is made unless the server has it already, complete."""
    if not _exists(server):
        making = f"{_NAME}_making"
        _execute(server.url(), f"DROP DATABASE IF EXISTS {making} WITH (FORCE)")
        _execute(server.url(), f"CREATE DATABASE {making}")
        upgrade(server.url(making))
        _fill(server.url(making), scale, report)
        _execute(server.url(), f"ALTER DATABASE {making} RENAME TO {_NAME}")
    return server.url(_NAME)


def _exists(server: Postgres) -> bool:
    with closing(psycopg2.connect(server.url())) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (_NAME,))
        return cursor.fetchone() is not None


def _execute(url: str, statement: str) -> None:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(statement)


def _fill(url: str, scale: Scale, report: Callable[[str], None]) -> None:
    rows = {
        "granules": scale.granules,
        "recoveries": scale.recoveries,
        "differences": scale.differences,
    }
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        # Foreign keys are not asked: these rows are ours.
        cursor.execute("SET session_replication_role = replica; SET maintenance_work_mem = '1GB'")
        began = time.monotonic()
        with _without_indexes(cursor, report, began):
            for name, statement in (("catalog", _CATALOG), ("files", _FILES), ("recoveries", _RECOVERIES)):
                cursor.execute(statement, rows)
                report(f"{name} after {time.monotonic() - began:.0f} s")
        cursor.execute(_REPORTS, rows)
        cursor.execute("VACUUM ANALYZE")
        report(f"ready after {time.monotonic() - began:.0f} s")


@contextmanager
def _without_indexes(cursor: Any, report: Callable[[str], None], began: float) -> Iterator[None]:
    """Drop keys and indexes of the large tables, and build them again from sorted rows: ten times as fast."""
    tables = list(_TABLES)
    cursor.execute(
        "SELECT conrelid::regclass, conname, contype, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conrelid = ANY (%s::regclass[]) AND contype IN ('p', 'u', 'f') "
        "ORDER BY contype = 'f' DESC, contype <> 'p', conname",
        (tables,),
    )
    constraints = cursor.fetchall()
    cursor.execute(
        "SELECT format('%%s.%%I', schemaname, indexname), indexdef FROM pg_indexes "
        "WHERE format('%%I.%%I', schemaname, tablename) = ANY (%s) AND indexname LIKE 'daemon%%'",
        (tables,),
    )
    indexes = cursor.fetchall()
    for table, name, _, _ in sorted(constraints, key=lambda each: each[2] != "f"):
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name} CASCADE")
    for name, _ in indexes:
        cursor.execute(f"DROP INDEX {name}")
    yield
    for table, name, kind, definition in constraints:
        if kind != "f":
            cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
            report(f"{name} after {time.monotonic() - began:.0f} s")
    for name, definition in indexes:
        cursor.execute(definition)
        report(f"{name} after {time.monotonic() - began:.0f} s")
