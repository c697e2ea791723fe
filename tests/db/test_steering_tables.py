"""The daemon's own tables for steering: their migration, rights and indexes."""

from contextlib import closing

import psycopg2
from sqlalchemy import Engine, text

from orca_daemon.db import migrate, schema
from orca_daemon.db.schema import STEERING_TABLES, SchemaVerdict

OWN_INDEXES = ("daemon_recovery_file_failed", "daemon_granules_order")


def test_an_upgrade_adds_the_tables_of_steering_and_leaves_orcas_record_alone(
    database_url: str, owner: Engine
) -> None:
    versions = text("SELECT version_id, is_latest, install_date FROM orca.schema_versions ORDER BY 1")
    with owner.connect() as connection:
        before = connection.execute(versions).all()
        for table in STEERING_TABLES:
            connection.execute(text(f"DROP TABLE orca.{table}"))
        for index in OWN_INDEXES:
            connection.execute(text(f"DROP INDEX orca.{index}"))
        connection.execute(text("INSERT INTO orca.orca_daemon_restore (job_id, collection_id, granule_id, "
            "filename, archive, key_path, size_in_bytes, step, tier, requested_at, request) "
            "VALUES ('j', 'c', 'g', 'f', 'a', 'k', 1, 'ask', 'Bulk', now(), 'r')"))  # fmt: skip
    current = migrate.status(database_url)
    assert (current.verdict, current.missing_tables) == (SchemaVerdict.SLOW, STEERING_TABLES)
    assert migrate.upgrade(database_url) == [
        *(f"create the table {name}, which is the daemon's own" for name in STEERING_TABLES),
        *(f"build the index {name}, beside running work" for name in OWN_INDEXES),
    ]
    assert migrate.upgrade(database_url) == []
    with owner.connect() as connection:
        assert connection.execute(versions).all() == before
        assert connection.scalar(text("SELECT count(*) FROM orca.orca_daemon_restore")) == 1
        allowed = "SELECT has_table_privilege('orca_app', :table, 'SELECT, INSERT, UPDATE, DELETE')"
        for table in schema.OWN_TABLES:
            assert connection.scalar(text(allowed), {"table": f"orca.{table}"}), table


def test_failed_files_and_pages_of_granules_are_read_by_index(database_url: str) -> None:
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off; SET enable_sort = off")
        for index, query in {
            "daemon_recovery_file_failed": "SELECT 1 FROM orca.recovery_file WHERE status_id = 3 "
            "AND last_update >= now() - interval '7 days'",
            "daemon_granules_order": "SELECT 1 FROM orca.granules WHERE "
            "(cumulus_granule_id || ':' || collection_id) COLLATE \"C\" >= 'G' "
            "ORDER BY (cumulus_granule_id || ':' || collection_id) COLLATE \"C\", id LIMIT 101",
        }.items():
            cursor.execute(f"EXPLAIN {query}")
            assert any(index in line for (line,) in cursor), query
