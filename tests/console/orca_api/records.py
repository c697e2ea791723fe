"""Rows for the tests of ORCA's read API."""

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import psycopg2
from psycopg2.extras import execute_values

CREATED = 1_700_000_000_000
"""When granules were created in Cumulus unless a test says otherwise, in milliseconds."""


def execute(url: str, statement: str, parameters: Any = None) -> list[Any]:
    """Run one statement; returns its rows, if it has any."""
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def empty(url: str) -> None:
    """Remove all rows that tests add."""
    execute(
        url,
        "TRUNCATE orca.granules, orca.files, orca.providers, orca.collections, orca.recovery_job, "
        "orca.recovery_file, orca.reconcile_job, orca.reconcile_orphan_report, "
        "orca.reconcile_phantom_report, orca.reconcile_catalog_mismatch_report RESTART IDENTITY CASCADE",
    )


def add_granules(
    url: str,
    granules: Sequence[tuple[str, str]],
    *,
    provider: str = "P",
    created: int = CREATED,
    files: int = 1,
) -> None:
    """Add granules (collection, id) with so many files each."""
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO orca.providers (provider_id) VALUES (%s) ON CONFLICT DO NOTHING", (provider,)
        )
        collections = sorted({collection for collection, _ in granules})
        execute_values(
            cursor,
            "INSERT INTO orca.collections VALUES %s ON CONFLICT DO NOTHING",
            [(collection, "S", "V") for collection in collections],
        )
        execute_values(
            cursor,
            "INSERT INTO orca.granules (provider_id, collection_id, cumulus_granule_id, execution_id, "
            "ingest_time, cumulus_create_time, last_update) VALUES %s",
            [(provider, collection, granule) for collection, granule in granules],
            template="(%s, %s, %s, 'execution', "
            f"timestamptz 'epoch' + interval '{CREATED + 1}.9 ms', "
            f"timestamptz 'epoch' + interval '{created} ms', "
            f"timestamptz 'epoch' + interval '{CREATED + 2} ms')",
            page_size=1000,
        )
        cursor.execute(
            "INSERT INTO orca.files (granule_id, name, orca_archive_location, cumulus_archive_location, "
            "key_path, ingest_time, etag, version, size_in_bytes, hash, hash_type, storage_class_id) "
            "SELECT g.id, 'file' || n, 'archive', 'protected', "
            "md5(collection_id) || cumulus_granule_id || n, now(), 'e', 'v', 5, NULL, NULL, 2 "
            "FROM orca.granules AS g CROSS JOIN generate_series(1, %s) AS n "
            "WHERE NOT EXISTS (SELECT 1 FROM orca.files AS f WHERE f.granule_id = g.id)",
            (files,),
        )


def add_recovery(
    url: str,
    job: str,
    granule: str,
    files: dict[str, int],
    *,
    status: int,
    collection: str = "C",
    minutes_ago: int = 0,
) -> None:
    """Add a recovery of a granule; `files` are names to ids of a status."""
    completed = CREATED if status > 2 else None
    execute(
        url,
        "INSERT INTO orca.recovery_job VALUES (%s, %s, %s, 'archive', %s, timestamptz 'epoch' + "
        "(%s - 60000 * %s) * interval '1 ms', timestamptz 'epoch' + %s * interval '1 ms')",
        (job, collection, granule, status, CREATED, minutes_ago, completed),
    )
    for name, file_status in files.items():
        execute(
            url,
            "INSERT INTO orca.recovery_file VALUES "
            "(%s, %s, %s, %s, 'key', NULL, 'protected', %s, %s, now(), now(), now())",
            (job, collection, granule, name, file_status, "AccessDenied" if file_status == 3 else None),
        )


def add_reports(url: str, *, rows: int) -> int:
    """Add a job with so many rows in each report; returns its id."""
    ((job,),) = execute(
        url,
        "INSERT INTO orca.reconcile_job "
        "(orca_archive_location, status_id, inventory_creation_time, start_time, last_update) "
        "VALUES ('archive', 5, timestamptz 'epoch' + %s * interval '1 ms', now(), "
        "timestamptz 'epoch' + %s * interval '1 ms') RETURNING id",
        (CREATED, CREATED + 5),
    )
    time = f"timestamptz 'epoch' + {CREATED} * interval '1 ms'"
    execute(
        url,
        "INSERT INTO orca.reconcile_orphan_report "
        f"SELECT %(job)s, 'key-' || n, '\"e\"', {time}, n, 'GLACIER' FROM generate_series(1, %(rows)s) AS n;"
        "INSERT INTO orca.reconcile_phantom_report "
        f"SELECT %(job)s, 'C', 'G' || n / 5, 'f' || n %% 2, 'key-' || n, '\"e\"', {time}, n, 1 "
        "FROM generate_series(1, %(rows)s) AS n;"
        "INSERT INTO orca.reconcile_catalog_mismatch_report "
        "SELECT %(job)s, 'C', 'G' || n / 5, 'f' || n %% 2, 'key-' || n, 'protected', '\"e\"', '\"f\"', "
        f"{time} - n %% 2 * interval '1 s', {time} - interval '1 s', n, n, 2, 'GLACIER', "
        "'etag, storage_class' "
        "FROM generate_series(1, %(rows)s) AS n",
        {"job": job, "rows": rows},
    )
    return int(job)
