"""Databases of ORCA in every state that deployments have: upgraded by their owner, used by `orca_app`."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2
import pytest
from sqlalchemy import Connection, Engine, text

from orca_daemon.db import migrate, schema
from orca_daemon.db.constraints import ORCA_NAMES
from orca_daemon.db.failures import PostgresError
from orca_daemon.db.schema import SchemaVerdict
from orca_daemon.queues.status_update.store import apply
from orca_daemon.wire.status import NewFile, NewJob, RecoveryStatus
from tests.db.conftest import Make
from tests.roles import login

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PARTS = Path(__file__).with_name("schemas.sql").read_text("utf-8").split("-- name: ")[1:]
BLOCKS = {name: body for name, _, body in (part.partition("\n") for part in PARTS)}

ROLES = """
DO $$ BEGIN
    IF to_regrole('orca_dbo') IS NULL THEN CREATE ROLE orca_dbo; END IF;
    IF to_regrole('orca_app') IS NULL THEN CREATE ROLE orca_app; END IF;
    IF to_regrole('the_admin') IS NULL THEN CREATE ROLE the_admin LOGIN CREATEROLE; END IF;
    IF to_regrole('the_app') IS NULL THEN CREATE ROLE the_app LOGIN IN ROLE orca_app; END IF;
    IF to_regrole('the_stranger') IS NULL THEN CREATE ROLE the_stranger LOGIN; END IF;
    GRANT orca_dbo TO the_admin;
    EXECUTE format('ALTER DATABASE %I OWNER TO the_admin', current_database());
    EXECUTE format('GRANT CREATE ON DATABASE %I TO orca_dbo', current_database());
END $$;
"""

VERSION_5 = ("version_5", "catalog_rows", "file_rows_before_6", "recovery_rows_before_7")
VERSION_6 = ("version_5", "to_version_6", "catalog_rows", "recovery_rows_before_7")
VERSION_7 = ("version_5", "to_version_6", "to_version_7", "catalog_rows")


def execute(url: str, *statements: str) -> None:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.close()


def build(url: str, *blocks: str) -> None:
    execute(url, BLOCKS["roles"], *(BLOCKS[block] for block in blocks))


def by(role: str, url: str) -> str:
    return login(url, role)


@pytest.fixture
def roles(empty_database: str) -> str:
    execute(empty_database, ROLES)
    return empty_database


def structure(url: str) -> dict[str, Any]:
    """Columns without their order, constraints and indexes, as Postgres's catalog has them."""
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, data_type, is_nullable, column_default "
            "FROM information_schema.columns WHERE table_schema = 'orca'"
        )
        columns = set(cursor.fetchall())
        cursor.execute(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE connamespace = 'orca'::regnamespace AND contype <> 'n'"
        )
        constraints = set(cursor.fetchall())
        cursor.execute("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'orca'")
        return {"columns": columns, "constraints": constraints, "indexes": set(cursor.fetchall())}


@pytest.mark.parametrize(
    ("blocks", "version"),
    [
        pytest.param(VERSION_5, 5, id="version 5"),
        pytest.param(VERSION_6, 6, id="version 6"),
        pytest.param(VERSION_7, 7, id="version 7, migrated, with other column orders"),
    ],
)
def test_an_orca_database_becomes_what_a_new_one_is(
    roles: str, database_url: str, blocks: tuple[str, ...], version: int
) -> None:
    build(roles, *blocks)
    current = migrate.status(roles)
    assert current.version == version
    assert current.verdict is (SchemaVerdict.SLOW if version == 7 else SchemaVerdict.OLD)
    planned = migrate.plan(current)
    assert migrate.upgrade(by("the_admin", roles)) == planned
    assert structure(roles) == structure(database_url)
    after = migrate.status(by("the_app", roles))
    assert (after.verdict, after.recorded) == (SchemaVerdict.OK, 7)
    assert migrate.upgrade(by("the_admin", roles)) == []


def test_a_fresh_orca_that_records_version_5_has_version_7_and_is_not_changed(roles: str) -> None:
    migrate.upgrade(by("the_admin", roles))
    execute(roles, "DROP TABLE orca.orca_daemon_revision", "UPDATE orca.schema_versions SET version_id = 5",
            "INSERT INTO orca.recovery_job VALUES ('j', 'mine', 'g', 'arch', 1, now(), NULL)")  # fmt: skip
    before = structure(roles)
    assert migrate.status(roles).recorded == 5
    assert migrate.upgrade(by("the_admin", roles)) == [
        "record version 7 as the latest, so that ORCA's deployment leaves the schema alone"
    ]
    after = structure(roles)
    assert after["constraints"] >= before["constraints"]
    assert after["columns"] >= before["columns"]
    assert migrate.status(roles).recorded == 7


def test_a_version_that_is_no_longer_recorded_is_recorded_again(roles: str) -> None:
    migrate.upgrade(by("the_admin", roles))
    execute(roles, "UPDATE orca.schema_versions SET version_id = 5")
    assert len(migrate.upgrade(by("the_admin", roles))) == 1
    assert migrate.status(roles).recorded == 7


@pytest.mark.parametrize("blocks", [VERSION_5, VERSION_6])
def test_old_recoveries_take_their_collection_from_the_catalog_only_if_it_is_unambiguous(
    roles: str, blocks: tuple[str, ...]
) -> None:
    build(roles, *blocks)
    migrate.upgrade(by("the_admin", roles))
    connection = psycopg2.connect(roles)
    with connection, connection.cursor() as cursor:
        for table in ("recovery_job", "recovery_file"):
            cursor.execute(f"SELECT granule_id, collection_id FROM orca.{table}")
            expected = {"in-one": "A___1", "in-two": "UNKNOWN", "in-none": "UNKNOWN"}
            assert dict(cursor.fetchall()) == expected


def test_old_catalog_rows_get_the_storage_class_glacier(roles: str) -> None:
    build(roles, *VERSION_5)
    migrate.upgrade(by("the_admin", roles))
    connection = psycopg2.connect(roles)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT storage_class_id FROM orca.files")
        assert cursor.fetchall() == [(1,)]


def test_partitions_only_get_an_index_by_job(roles: str) -> None:
    build(roles, *VERSION_7)
    part = "reconcile_s3_object_" + "b" * 43
    execute(
        roles,
        f"CREATE TABLE orca.{part} PARTITION OF orca.reconcile_s3_object FOR VALUES IN ('{'b' * 43}')",
        f"ALTER TABLE orca.{part} OWNER TO orca_dbo",
    )
    assert migrate.status(roles).scanned_partitions == (part,)
    assert migrate.upgrade(by("the_admin", roles))[-1] == f"index {part} by job, beside running work"
    current = migrate.status(roles)
    assert current.scanned_partitions == ()
    assert current.partitions == (f"FOR VALUES IN ('{'b' * 43}')",)
    assert migrate.upgrade(by("the_admin", roles)) == []


def new_job(granule: str) -> NewJob:
    file = NewFile(
        filename="f", key_path="f", restore_destination="d", s3_multipart_chunksize_mb=None,
        status=RecoveryStatus.PENDING, request_time=NOON, last_update=NOON,
    )  # fmt: skip
    return NewJob(
        job_id="n",
        collection_id="c",
        granule_id=granule,
        request_time=NOON,
        archive_destination="a",
        files=(file,),
    )


@pytest.mark.parametrize("blocks", [VERSION_5, VERSION_6, VERSION_7, ()])
async def test_the_application_role_has_only_the_privileges_that_it_needs(
    roles: str, make_database: Make, blocks: tuple[str, ...]
) -> None:
    if blocks:
        build(roles, *blocks)
    migrate.upgrade(by("the_admin", roles))
    database = make_database(by("the_app", roles))
    await database.transact(apply, [new_job("g")], NOON)
    assert (await database.transact(schema.read)).verdict is SchemaVerdict.OK
    for refused in ("TRUNCATE orca.recovery_file", "CREATE TABLE orca.mine (id int)"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            execute(by("the_app", roles), refused)
    connection = psycopg2.connect(roles)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'orca'")
        assert cursor.fetchall() == [("orca_dbo",)]


class TestRefusal:
    def test_of_a_schema_that_is_older_than_5(self, roles: str) -> None:
        build(roles, "version_5")
        execute(roles, "DROP TABLE orca.reconcile_job CASCADE")
        assert migrate.status(roles).verdict is SchemaVerdict.FOREIGN
        with pytest.raises(migrate.UpgradeError, match="older than ORCA's version 5"):
            migrate.upgrade(by("the_admin", roles))

    def test_of_a_user_who_does_not_own_the_schema(self, roles: str) -> None:
        build(roles, *VERSION_6)
        with pytest.raises(migrate.UpgradeError, match="member of the role orca_dbo"):
            migrate.upgrade(by("the_stranger", roles))
        assert migrate.status(roles).version == 6

    def test_of_nothing_to_a_user_who_may_create_no_roles(self, roles: str) -> None:
        execute(roles, f'ALTER DATABASE "{roles.rpartition("/")[2]}" OWNER TO the_stranger')
        migrate.upgrade(by("the_stranger", roles))
        assert migrate.status(roles).verdict is SchemaVerdict.OK


class TestConcurrency:
    def test_two_upgrades_at_once_are_one(self, roles: str) -> None:
        taken: list[list[str]] = []
        url = by("the_admin", roles)
        threads = [threading.Thread(target=lambda: taken.append(migrate.upgrade(url))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(map(bool, taken)) == [False, True]

    def test_writes_are_not_blocked_while_indexes_are_built(self, roles: str, busy: Connection) -> None:
        build(roles, *VERSION_7)
        busy.execute(text("INSERT INTO orca.recovery_job VALUES ('j', 'g', 'a', 1, now(), NULL, 'open')"))
        upgrade = threading.Thread(target=migrate.upgrade, args=(by("the_admin", roles),))
        upgrade.start()
        # The build waits for the open transaction; other transactions that write do not wait for the build.
        waiting = (
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE query LIKE 'CREATE INDEX CONC%' AND wait_event = 'virtualxid'"
        )
        with busy.engine.connect() as other:
            while not other.scalar(text(waiting)):
                other.rollback()
            other.execute(text("SET lock_timeout = '1s'"))
            other.execute(
                text("INSERT INTO orca.recovery_job VALUES ('k', 'g', 'a', 1, now(), NULL, 'done')")
            )
            other.commit()
        busy.commit()
        upgrade.join(60)
        assert migrate.status(roles).verdict is SchemaVerdict.OK


@pytest.fixture
def busy(roles: str) -> Iterator[Connection]:
    """A connection with an open transaction."""
    from sqlalchemy import NullPool, create_engine

    engine = create_engine(roles.replace("postgresql:", "postgresql+psycopg2:"), poolclass=NullPool)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_an_index_whose_building_was_interrupted_is_built_again(database_url: str, owner: Engine) -> None:
    with owner.connect() as connection:
        connection.execute(
            text(
                "UPDATE pg_index SET indisvalid = false "
                "WHERE indexrelid = 'orca.daemon_recovery_job_open'::regclass"
            )
        )
    current = migrate.status(database_url)
    assert current.verdict is SchemaVerdict.SLOW
    assert current.missing_indexes == ("daemon_recovery_job_open",)
    migrate.upgrade(database_url)
    assert migrate.status(database_url).verdict is SchemaVerdict.OK


BUILDS = "FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'CREATE INDEX CONC%'"


@contextmanager
def upgrade_that_waits(
    url: str, database_url: str, owner: Engine
) -> Iterator[tuple[Connection, list[Exception]]]:
    """Within the context, an upgrade waits in the middle of building an index; afterwards it has ended."""
    failures: list[Exception] = []

    def upgrade() -> None:
        try:
            migrate.upgrade(url)
        except PostgresError as error:
            failures.append(error)

    thread = threading.Thread(target=upgrade)
    with closing(psycopg2.connect(database_url)) as other, owner.connect() as connection:
        connection.execute(text("DROP INDEX orca.daemon_recovery_job_open"))
        with other.cursor() as cursor:
            cursor.execute("INSERT INTO orca.recovery_job VALUES ('j', 'c', 'g', 'a', 1, now(), NULL)")
        thread.start()
        while not connection.scalar(text(f"SELECT count(*) {BUILDS}")):
            pass
        yield connection, failures
        other.rollback()
        thread.join()


def test_limits_of_the_owners_role_do_not_limit_an_upgrade(database_url: str, owner: Engine) -> None:
    with owner.connect() as connection:  # older servers have no transaction_timeout
        named = "SELECT name FROM pg_settings WHERE name ~ '^(statement|lock|transaction)_timeout$'"
        limits = " ".join(f"-c {limit}=100ms" for limit in connection.scalars(text(named)))
    limited = f"{database_url}?options={quote(limits)}"

    with upgrade_that_waits(limited, database_url, owner) as (connection, failures):
        long = f"SELECT count(*) {BUILDS} AND query_start < clock_timestamp() - interval '300ms'"
        while not connection.scalar(text(long)):
            pass

    assert failures == []
    assert migrate.status(database_url).verdict is SchemaVerdict.OK


def test_an_index_whose_building_is_cancelled_is_not_left_behind(database_url: str, owner: Engine) -> None:
    with upgrade_that_waits(database_url, database_url, owner) as (connection, failures):
        connection.execute(text(f"SELECT pg_cancel_backend(pid) {BUILDS}"))

    reason = "the server cancelled a statement: canceling statement due to user request (SQLSTATE 57014, "
    assert [str(error) for error in failures] == [f"{reason}query_canceled)"]
    with owner.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM pg_index WHERE NOT indisvalid")) == 0


def test_an_index_of_an_earlier_version_is_replaced(database_url: str, owner: Engine) -> None:
    with owner.begin() as connection:
        connection.execute(text("DROP INDEX orca.daemon_recovery_file_key_hash"))
        connection.execute(
            text("CREATE INDEX daemon_recovery_file_key_path ON orca.recovery_file (key_path)")
        )
    current = migrate.status(database_url)
    assert current.missing_indexes == ("daemon_recovery_file_key_hash",)
    assert migrate.plan(current) == [
        "build the index daemon_recovery_file_key_hash, beside running work",
        "drop the index daemon_recovery_file_key_path, which another one replaces",
    ]
    migrate.upgrade(database_url)
    now = migrate.status(database_url)
    assert (now.verdict, now.superseded_indexes, migrate.plan(now)) == (SchemaVerdict.OK, (), [])


ORCA_CONSTRAINTS = {
    "collections": {"pk_collections"},
    "files": {
        "fk_granule_file",
        "fk_recovery_file_storage_class",
        "pk_files",
        "unique_cumulus_archive_location_key_path",
        "unique_orca_archive_location_key_path",
    },
    "granules": {
        "fk_collection_granule",
        "fk_provider_granule",
        "pk_granules",
        "unique_collection_granule_id",
    },
    "providers": {"pk_providers"},
    "reconcile_catalog_mismatch_report": {
        "fk_mismatch_orca_storage_class",
        "fk_reconcile_job_mismatch_report",
        "pk_reconcile_catalog_mismatch_report",
    },
    "reconcile_job": {"fk_reconcile_job_status", "pk_reconcile_job"},
    "reconcile_orphan_report": {"fk_reconcile_job_orphan_report", "pk_reconcile_orphan_report"},
    "reconcile_phantom_report": {
        "fk_phantom_orca_storage_class",
        "fk_reconcile_job_phantom_report",
        "pk_reconcile_phantom_report",
    },
    "reconcile_status": {"pk_reconcile_status", "unique_reconcile_status_value"},
    "recovery_file": {"fk_recovery_file_recoverjob", "fk_recovery_file_status", "pk_recovery_file"},
    "recovery_job": {"fk_recovery_job_status", "pk_recovery_job"},
    "recovery_status": {"pk_recovery_status", "unique_recovery_status_value"},
    "schema_versions": {"pk_schema_versions"},
    "storage_class": {"pk_storage_class", "unique_storage_class_value"},
}
"""What ORCA's `db_deploy` names its constraints at version 7 (its install, release 10.1.2)."""


def constraint_names(url: str) -> dict[str, set[str]]:
    """The constraints of ORCA's tables, by table; NOT NULL has names of its own from Postgres 18 on."""
    names: dict[str, set[str]] = {}
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT conrelid::regclass::text, conname FROM pg_constraint "
            "WHERE connamespace = 'orca'::regnamespace AND contype <> 'n'"
        )
        for table, name in cursor.fetchall():
            names.setdefault(table.removeprefix("orca."), set()).add(name)
    return {table: found for table, found in names.items() if not table.startswith("orca_daemon_")}


def test_a_new_database_names_its_constraints_as_orca_does(database_url: str) -> None:
    assert constraint_names(database_url) == ORCA_CONSTRAINTS


def test_an_upgrade_renames_the_constraints_that_an_earlier_version_created(database_url: str) -> None:
    execute(
        database_url,
        *(f"ALTER TABLE orca.{table} RENAME CONSTRAINT {new} TO {old}"
          for (table, old), new in ORCA_NAMES.items()),
    )  # fmt: skip
    current = migrate.status(database_url)
    assert current.verdict is SchemaVerdict.OK
    assert migrate.upgrade(database_url) == ["rename 15 constraints to the names that ORCA gives them"]
    assert constraint_names(database_url) == ORCA_CONSTRAINTS
    assert migrate.plan(migrate.status(database_url)) == []
