"""A database of ORCA in any size: a catalog, recoveries, and a reconciliation job with its reports."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
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


def _blocks() -> dict[str, str]:
    """The statements of `database.sql`; parameters are those of the driver."""
    _, *parts = re.split(
        r"^-- name: (\w+)\n", Path(__file__).with_name("database.sql").read_text("utf-8"), flags=re.MULTILINE
    )
    return dict(zip(parts[::2], parts[1::2], strict=True))


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
        "collections": COLLECTIONS,
        "files": FILES,
        "of_a_job": GRANULES_OF_A_JOB,
    }
    blocks = _blocks()
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        # Foreign keys are not asked: these rows are ours.
        cursor.execute("SET session_replication_role = replica; SET maintenance_work_mem = '1GB'")
        began = time.monotonic()
        with _without_indexes(cursor, report, began):
            for name in ("catalog", "files", "recoveries"):
                cursor.execute(blocks[name], rows)
                report(f"{name} after {time.monotonic() - began:.0f} s")
        cursor.execute(blocks["reports"], rows)
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
