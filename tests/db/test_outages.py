"""Rotation, fail-over and lost connections: what a handler sees of them, and how little."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, Engine, text

from orca_daemon.db import database as databases
from orca_daemon.db import pool
from orca_daemon.engine.errors import DependencyDown
from orca_daemon.queues.status_update.store import apply
from orca_daemon.wire.status import NewFile, NewJob, RecoveryStatus
from tests.db.conftest import Make, Secret, place
from tests.proxy import Proxy

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
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
    """A role named `app`, whose password is known."""
    with owner.connect() as connection:
        connection.execute(text("CREATE ROLE app LOGIN PASSWORD 'old' IN ROLE orca_app"))
    yield
    with owner.connect() as connection:
        connection.execute(text("DROP ROLE app"))


@pytest.mark.usefixtures("guarded")
class TestRotation:
    async def test_is_survived(self, database_url: str, make_database: Make, owner: Engine) -> None:
        secret = Secret(user_username="app", user_password="old", **place(database_url))
        database = make_database(vault=secret, prefix="p", pool_size=1)
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

    async def test_that_the_secret_does_not_know_yet_is_waited_for(
        self, database_url: str, make_database: Make, owner: Engine
    ) -> None:
        secret = Secret(user_username="app", user_password="old", **place(database_url))
        database = make_database(vault=secret, secret_arn="arn")
        with owner.connect() as connection:
            connection.execute(text("ALTER ROLE app PASSWORD 'new'"))
        with pytest.raises(DependencyDown, match="password authentication failed"):
            await database.probe()
        secret.fields["user_password"] = "new"
        await database.probe()

    async def test_leaves_the_password_out_of_every_error(
        self, database_url: str, make_database: Make
    ) -> None:
        secret = Secret(user_username="app", user_password="s3cret-pa55", **place(database_url))
        database = make_database(vault=secret, secret_arn="arn")
        with pytest.raises(DependencyDown) as caught:
            await database.probe()
        error: BaseException | None = caught.value
        while error is not None:
            assert "s3cret-pa55" not in repr(error) + str(error)
            error = error.__cause__ or error.__context__


def end_sessions(connection: Connection, role: str) -> None:
    """End them, and wait until they are gone."""
    ours = "FROM pg_stat_activity WHERE usename = :role"
    connection.execute(text(f"SELECT pg_terminate_backend(pid) {ours}"), {"role": role})
    while connection.scalar(text(f"SELECT count(*) {ours}"), {"role": role}):
        pass


def demote(owner: Engine) -> None:
    """Have new connections find a database that takes no writes."""
    with owner.connect() as connection:
        name = connection.scalar(text("SELECT current_database()"))
        connection.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))


def promote(owner: Engine) -> None:
    """Have new connections find the writer."""
    with owner.connect() as connection:
        name = connection.scalar(text("SELECT current_database()"))
        connection.execute(text("SET default_transaction_read_only = off"))
        connection.execute(text(f'ALTER DATABASE "{name}" RESET default_transaction_read_only'))


@contextmanager
def full_disk(owner: Engine, of_new_tables: str = "53100") -> Iterator[None]:
    """Have the server say of each write that its disk is full, and of new tables what it is told to."""
    refusal = "LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{}'; END $$"
    with owner.connect() as connection:
        for statement in (
            f"CREATE FUNCTION refused() RETURNS trigger {refusal.format('53100')}",
            f"CREATE FUNCTION refused_table() RETURNS event_trigger {refusal.format(of_new_tables)}",
            "CREATE TRIGGER full_disk BEFORE INSERT ON orca.providers EXECUTE FUNCTION refused()",
            "CREATE EVENT TRIGGER full_disk ON ddl_command_start EXECUTE FUNCTION refused_table()",
        ):
            connection.execute(text(statement))
        yield
        connection.execute(text("DROP EVENT TRIGGER full_disk"))
        connection.execute(text("DROP TRIGGER full_disk ON orca.providers"))


class TestFailOver:
    async def test_a_demoted_writer_is_left_for_the_new_one(
        self, database_url: str, make_database: Make, owner: Engine
    ) -> None:
        demote(owner)
        database = make_database(database_url)
        await database.probe()
        promote(owner)
        # The connections of the pool still lead to what has become read-only.
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
        # It answers; but would that count, the messages of the run were suspected, and buried one by one.
        for _ in range(2):
            with pytest.raises(DependencyDown, match="read-only"):
                await database.probe()
        promote(owner)
        await database.probe()
        await database.transact(add, "a")

    async def test_a_full_disk_is_down_until_there_is_room(
        self, database_url: str, make_database: Make, owner: Engine
    ) -> None:
        database = make_database(database_url)
        await database.transact(add, "a")
        with full_disk(owner):
            with pytest.raises(DependencyDown, match="53100"):
                await database.transact(add, "b")
            assert await database.transact(count) == 1
            for _ in range(2):
                with pytest.raises(DependencyDown, match="53100"):
                    await database.probe()
        await database.probe()
        await database.transact(add, "b")

    async def test_a_role_that_may_make_no_tables_is_not_taken_for_a_full_disk(
        self, database_url: str, make_database: Make, owner: Engine
    ) -> None:
        database = make_database(database_url)
        with full_disk(owner, of_new_tables="42501"):
            with pytest.raises(DependencyDown, match="53100"):
                await database.transact(add, "b")
            await database.probe()

    async def test_a_replica_will_do_for_those_who_only_read(
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
        # It was committed all the same; nobody could know.
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
        proxy.refuse()
        for _ in range(2):
            with pytest.raises(DependencyDown):
                await database.probe()

    async def test_a_connection_that_died_while_idle_is_replaced_unseen(
        self, proxy: Proxy, make_database: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pool, "_FRESH", 0.0)
        database = make_database(proxy.url)
        await database.probe()
        proxy.cut()
        await database.transact(add, "a")


async def test_work_on_a_server_that_fell_silent_can_be_cancelled(
    proxy: Proxy, make_database: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_CUT", 0.2)
    database = make_database(proxy.url, connect_timeout=2)
    await database.probe()
    proxy.silent = True
    for _ in range(2):  # the second one is stuck before it has its connection
        task = asyncio.create_task(database.transact(add, "a"))
        while not database.in_use:  # noqa: ASYNC110  a thread says it
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    proxy.silent = False
    await database.transact(count)


async def test_a_server_that_fell_silent_is_down_before_anybody_cancels(
    proxy: Proxy, make_database: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_LOOK", 0.05)
    monkeypatch.setattr(databases, "_MARGIN", 0.5)
    database = make_database(proxy.url, connect_timeout=2, statement_timeout=1)
    await database.probe()
    proxy.silent = True
    with pytest.raises(DependencyDown, match="connection was lost"):
        await database.transact(add, "a")
    proxy.silent = False
    await database.transact(add, "a")
    assert await database.transact(count) == 1
