"""Rotation, fail-over and lost connections, as a handler sees them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, Engine, text

from orca_daemon.db import database as databases
from orca_daemon.db import pool, role, unit_of_work
from orca_daemon.db.failures import PostgresError
from orca_daemon.engine.errors import DependencyDown, Reject
from orca_daemon.queues.catalog.store import apply as write_catalog
from orca_daemon.queues.status_update.store import apply
from orca_daemon.wire.status import NewFile, NewJob, RecoveryStatus
from tests.db.conftest import Make, Secret, address_parts
from tests.proxy import Proxy
from tests.queues.catalog.messages import file as archived
from tests.queues.catalog.messages import record
from tests.roles import login

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
CATALOG = ("providers", "collections", "granules", "files")
ADD = text("INSERT INTO orca.providers (provider_id) VALUES (:name)")
COUNT = text("SELECT count(*) FROM orca.providers")


def add(connection: Connection, name: str) -> None:
    connection.execute(ADD, {"name": name})


def count(connection: Connection) -> int:
    return int(connection.execute(COUNT).scalar_one())


@pytest.fixture
async def proxy(database_url: str) -> AsyncIterator[Proxy]:
    async with Proxy(database_url) as proxy:
        yield proxy


@pytest.fixture
def guarded(owner: Engine) -> Iterator[None]:
    """A role named `app` with a password that the test knows."""
    with owner.connect() as connection:
        connection.execute(text("CREATE ROLE app LOGIN PASSWORD 'old' IN ROLE orca_app"))
    yield
    with owner.connect() as connection:
        connection.execute(text("DROP ROLE app"))


@pytest.mark.usefixtures("guarded")
class TestRotation:
    async def test_is_survived(self, database_url: str, make_database: Make, owner: Engine) -> None:
        secret = Secret(user_username="app", user_password="old", **address_parts(database_url))
        database = make_database(secrets=secret, prefix="p", pool_size=1)
        await database.probe()
        with owner.connect() as connection:
            connection.execute(text("ALTER ROLE app PASSWORD 'new'"))
            secret.fields["user_password"] = "new"
            end_sessions(connection, "app")
        with pytest.raises(DependencyDown):
            await database.transact(add, "lost with its connection")
        await database.transact(add, "written with the new password")
        assert await database.transact(count) == 1
        assert secret.asked_for == ["p-orca-db-login-secret"] * 2

    async def test_that_is_not_in_the_secret_yet_is_waited_for(
        self, database_url: str, make_database: Make, owner: Engine
    ) -> None:
        secret = Secret(user_username="app", user_password="old", **address_parts(database_url))
        database = make_database(secrets=secret, secret_arn="arn")
        with owner.connect() as connection:
            connection.execute(text("ALTER ROLE app PASSWORD 'new'"))
        with pytest.raises(DependencyDown, match="password authentication failed"):
            await database.probe()
        secret.fields["user_password"] = "new"
        await database.probe()

    async def test_leaves_the_password_out_of_every_error(
        self, database_url: str, make_database: Make
    ) -> None:
        secret = Secret(user_username="app", user_password="s3cret-pa55", **address_parts(database_url))
        database = make_database(secrets=secret, secret_arn="arn")
        with pytest.raises(DependencyDown) as caught:
            await database.probe()
        error: BaseException | None = caught.value
        while error is not None:
            assert "s3cret-pa55" not in repr(error) + str(error)
            error = error.__cause__ or error.__context__


def end_sessions(connection: Connection, role: str) -> None:
    """End all sessions of a role, and wait until they have ended."""
    sessions = "FROM pg_stat_activity WHERE usename = :role"
    connection.execute(text(f"SELECT pg_terminate_backend(pid) {sessions}"), {"role": role})
    while connection.scalar(text(f"SELECT count(*) {sessions}"), {"role": role}):
        pass


def demote(owner: Engine) -> None:
    """Make the database read-only for new connections."""
    with owner.connect() as connection:
        name = connection.scalar(text("SELECT current_database()"))
        connection.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))


def promote(owner: Engine) -> None:
    """Make the database writable for new connections."""
    with owner.connect() as connection:
        name = connection.scalar(text("SELECT current_database()"))
        connection.execute(text("SET default_transaction_read_only = off"))
        connection.execute(text(f'ALTER DATABASE "{name}" RESET default_transaction_read_only'))


@contextmanager
def refusing(owner: Engine, code: str, table: str = "recovery_job") -> Iterator[None]:
    """Let the server raise this error for each new row of the table."""
    with owner.connect() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION refused() RETURNS trigger LANGUAGE plpgsql AS "
                f"$$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END $$"
            )
        )
        connection.execute(
            text(f"CREATE TRIGGER refused BEFORE INSERT ON orca.{table} EXECUTE FUNCTION refused()")
        )
        yield
        connection.execute(text("DROP FUNCTION refused CASCADE"))


class TestFailOver:
    async def test_connections_to_a_demoted_writer_are_replaced_by_ones_to_the_new_writer(
        self, database_url: str, make_database: Make, owner: Engine
    ) -> None:
        demote(owner)
        database = make_database(database_url)
        await database.probe()
        promote(owner)
        # The pool's connections are still those to the server that became read-only.
        with pytest.raises(DependencyDown, match="25006"):
            await database.transact(add, "a")
        await database.transact(add, "a")
        assert await database.transact(count) == 1

    async def test_a_writer_that_stays_read_only_is_down_until_it_is_not(
        self, database_url: str, make_database: Make, owner: Engine
    ) -> None:
        demote(owner)
        database = make_database(database_url)
        with pytest.raises(DependencyDown, match="25006"):
            await database.transact(add, "a")
        # The probe must fail although the server answers: otherwise the run's messages would be charged, and
        # dead-lettered one by one.
        for _ in range(2):
            with pytest.raises(DependencyDown, match="read-only"):
                await database.probe()
        promote(owner)
        await database.probe()
        await database.transact(add, "a")

    @pytest.mark.parametrize(
        "code",
        ["53100", "53200", "54000", "58030", "57014", "55P03", "42501", "42P01", "2200H", "XX001", "40001"],
    )
    async def test_the_probe_fails_as_the_work_does_and_succeeds_again(
        self, database_url: str, make_database: Make, owner: Engine, code: str
    ) -> None:
        database = make_database(database_url)
        with refusing(owner, code):
            assert await database.transact(count) == 0
            for _ in range(2):
                with pytest.raises(DependencyDown, match=code):
                    await database.probe()
        await database.probe()

    @pytest.mark.parametrize("code", ["23514", "22001", "P0001", "44000", "09000"])
    async def test_a_database_whose_trigger_refuses_the_probes_row_is_up(
        self, database_url: str, make_database: Make, owner: Engine, code: str
    ) -> None:
        with refusing(owner, code):
            await make_database(database_url).probe()

    async def test_the_probe_leaves_nothing_behind(
        self, database_url: str, make_database: Make, owner: Engine
    ) -> None:
        database = make_database(database_url)
        numbers = text("SELECT last_value, is_called FROM orca.reconcile_job_id_seq")
        with owner.connect() as connection:
            before = connection.execute(numbers).one()
            await database.probe()
            for table in ("recovery_job", "recovery_file", "reconcile_job", *CATALOG):
                assert connection.scalar(text(f"SELECT count(*) FROM orca.{table}")) == 0
            assert connection.execute(numbers).one() == before

    async def test_the_probe_commits_what_a_standby_has_to_confirm(
        self, database_url: str, make_database: Make, owner: Engine
    ) -> None:
        database = make_database(database_url)
        current = text("SELECT pg_current_wal_flush_lsn()")
        with owner.connect() as connection:
            before = connection.scalar(current)
            await database.probe()
            assert connection.scalar(current) != before

    async def test_the_probe_writes_to_the_disk_and_needs_no_privilege_for_it(
        self, database_url: str, make_database: Make, owner: Engine
    ) -> None:
        written = text("SELECT temp_bytes FROM pg_stat_database WHERE datname = current_database()")
        with owner.connect() as connection:
            connection.execute(text("CREATE ROLE poor LOGIN; GRANT orca_app TO poor"))
            name = connection.scalar(text("SELECT current_database()"))
            connection.execute(text(f'REVOKE TEMPORARY ON DATABASE "{name}" FROM PUBLIC'))
            database = make_database(login(database_url, "poor"))
            await database.probe()
            database.close()
            while not connection.scalar(written):
                pass  # the server updates its statistics a little later
            assert (connection.scalar(written) or 0) > 250_000
            connection.execute(text("ALTER ROLE poor SET temp_file_limit = 0"))
            await make_database(login(database_url, "poor")).probe()
            while connection.scalar(text("SELECT count(*) FROM pg_stat_activity WHERE usename = 'poor'")):
                connection.execute(
                    text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'poor'")
                )
            connection.execute(text("DROP ROLE poor"))

    async def test_a_message_that_is_too_large_for_an_index_is_rejected_unless_nothing_can_be_written(
        self, database_url: str, make_database: Make, owner: Engine
    ) -> None:
        database = make_database(database_url)
        large = "".join(map(str, range(3000)))
        with pytest.raises(Reject, match="54000, program_limit_exceeded"):
            await database.transact(add, large)
        # A server that has run out of transaction ids reports the same SQLSTATE.
        with refusing(owner, "54000"), pytest.raises(DependencyDown, match="54000"):
            await database.transact(add, large)

    async def test_a_statement_timeout_is_not_charged_while_the_database_is_down(
        self, database_url: str, make_database: Make, owner: Engine
    ) -> None:
        database = make_database(database_url, statement_timeout=0.2)
        slow = text("SELECT pg_sleep(60)")
        with pytest.raises(PostgresError, match="57014"):
            await database.transact(lambda connection: connection.execute(slow))
        with refusing(owner, "58030"), pytest.raises(DependencyDown, match="58030"):
            await database.transact(lambda connection: connection.execute(slow))

    async def test_privileges_that_are_lost_are_waited_for(
        self, database_url: str, make_database: Make, owner: Engine
    ) -> None:
        with owner.connect() as connection:
            connection.execute(text("CREATE ROLE robbed LOGIN; GRANT orca_app TO robbed"))
            try:
                database = make_database(login(database_url, "robbed"))
                own_role = await database.transact(role.read)
                database.writes(own_role.writable)
                await database.probe()
                connection.execute(text("REVOKE orca_app FROM robbed"))
                with pytest.raises(DependencyDown, match="42501"):
                    await database.transact(count)
                with pytest.raises(DependencyDown, match="42501"):
                    await database.probe()
                connection.execute(text("GRANT orca_app TO robbed"))
                await database.probe()
                database.close()
            finally:
                end_sessions(connection, "robbed")
                connection.execute(text("DROP ROLE robbed"))

    @pytest.mark.parametrize("table", CATALOG)
    async def test_the_catalog_is_probed_where_it_is_written(
        self, database_url: str, make_database: Make, owner: Engine, table: str
    ) -> None:
        with owner.connect() as connection:
            connection.execute(text("CREATE ROLE limited LOGIN; GRANT orca_app TO limited"))
            try:
                database = make_database(login(database_url, "limited"))
                database.writes((await database.transact(role.read)).writable)
                await database.probe()
                connection.execute(text(f"REVOKE INSERT ON orca.{table} FROM orca_app"))
                with pytest.raises(DependencyDown):
                    await database.transact(write_catalog, [record(archived())])
                with pytest.raises(DependencyDown):
                    await database.probe()
                connection.execute(text(f"GRANT INSERT ON orca.{table} TO orca_app"))
                await database.probe()
                database.close()
            finally:
                end_sessions(connection, "limited")
                connection.execute(text("DROP ROLE limited"))

    async def test_a_read_only_server_is_down_for_work_that_writes(
        self, database_url: str, make_database: Make, owner: Engine
    ) -> None:
        demote(owner)
        database = make_database(database_url)
        database.writes(["recovery_job"])
        with pytest.raises(DependencyDown, match="read-only"):
            await database.probe()
        promote(owner)
        await database.probe()

    async def test_a_replica_is_enough_for_work_that_only_reads(
        self, database_url: str, make_database: Make, owner: Engine
    ) -> None:
        demote(owner)
        database = make_database(database_url)
        assert await database.transact(count) == 0
        await database.probe()

    async def test_a_connection_lost_at_commit_leaves_work_that_can_be_repeated(
        self, proxy: Proxy, make_database: Make
    ) -> None:
        file = NewFile(
            filename="f", key_path="f", restore_destination="d", s3_multipart_chunksize_mb=None,
            status=RecoveryStatus.PENDING, request_time=NOON, last_update=NOON,
        )  # fmt: skip
        job = NewJob(
            job_id="j",
            collection_id="c",
            granule_id="g",
            request_time=NOON,
            archive_destination="a",
            files=(file,),
        )
        database = make_database(proxy.url)
        await database.probe()
        proxy.lose_answer_to = b"COMMIT"
        with pytest.raises(DependencyDown):
            await database.transact(apply, [job], NOON)
        proxy.lose_answer_to = None
        assert proxy.lost.is_set()
        # The transaction was committed all the same, which the client could not know.
        outcome = await database.transact(apply, [job], NOON)
        assert not outcome.created

    async def test_the_daemon_comes_back_by_itself_when_the_server_does(
        self, proxy: Proxy, make_database: Make
    ) -> None:
        database = make_database(proxy.url)
        await database.probe()
        proxy.cut()
        with pytest.raises(DependencyDown, match="connection was lost"):
            await database.transact(add, "a")
        await database.transact(add, "a")

    async def test_a_server_that_refuses_is_down(self, proxy: Proxy, make_database: Make) -> None:
        database = make_database(proxy.url)
        await database.probe()
        proxy.refuse_connections()
        for _ in range(2):
            with pytest.raises(DependencyDown):
                await database.probe()

    async def test_a_connection_that_died_while_idle_is_replaced_without_an_error(
        self, proxy: Proxy, make_database: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(unit_of_work, "_FRESH", 0.0)
        database = make_database(proxy.url)
        await database.probe()
        proxy.cut()
        await database.transact(add, "a")


async def test_the_second_host_is_used_if_the_first_is_down(
    proxy: Proxy, database_url: str, make_database: Make
) -> None:
    first, second = (url.split("@")[1].split("/")[0] for url in (proxy.url, database_url))
    database = make_database(database_url.replace(second, f"{first},{second}"), pool_size=1)

    def server(connection: Connection) -> object:
        return connection.connection.driver_connection.info.port  # type: ignore[union-attr]

    assert await database.transact(server) == int(first.split(":")[1])
    proxy.refuse_connections()
    with pytest.raises(DependencyDown):
        await database.transact(count)
    assert await database.transact(server) == int(second.split(":")[1])


async def test_work_on_a_server_that_does_not_answer_can_be_cancelled(
    proxy: Proxy, make_database: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_CUT", 0.2)
    database = make_database(proxy.url, connect_timeout=2)
    await database.probe()
    proxy.silent = True
    for _ in range(2):  # the second one is stuck before it has its connection
        task = asyncio.create_task(database.transact(add, "a"))
        while not database.in_use:  # noqa: ASYNC110  a thread changes it
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    proxy.silent = False
    await database.transact(count)


async def test_a_server_that_does_not_answer_is_down_without_a_cancellation(
    proxy: Proxy, make_database: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_CHECK_EVERY", 0.05)
    monkeypatch.setattr(databases, "_MARGIN", 0.5)
    database = make_database(proxy.url, connect_timeout=2, statement_timeout=1)
    await database.probe()
    proxy.silent = True
    with pytest.raises(DependencyDown, match="connection was lost"):
        await database.transact(add, "a")
    proxy.silent = False
    await database.transact(add, "a")
    assert await database.transact(count) == 1
