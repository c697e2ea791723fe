"""Transactions on a real Postgres: committed or not at all, limited, repeated, cancelled."""

import asyncio
import threading
from contextlib import suppress
from typing import Any

import psycopg2
import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from orca_daemon.db.failures import PostgresError
from orca_daemon.engine.errors import DependencyDown, Reject
from tests.db.conftest import Make
from tests.roles import login

ADD = text("INSERT INTO orca.providers (provider_id) VALUES (:name)")
SLEEPING = text(
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE state = 'active' AND query LIKE '%pg_sleep(60%' AND pid <> pg_backend_pid()"
)


def add(connection: Connection, name: str) -> None:
    connection.execute(ADD, {"name": name})


def providers(connection: Connection) -> list[str]:
    return list(connection.scalars(text("SELECT provider_id FROM orca.providers ORDER BY 1")))


def add_and_sleep(connection: Connection, name: str) -> None:
    add(connection, name)
    connection.execute(text("SELECT pg_sleep(60)"))


def until_someone_sleeps(connection: Connection) -> None:
    while not connection.scalar(SLEEPING):
        connection.rollback()


async def test_work_is_committed_when_it_returns(database_url: str, make_database: Make) -> None:
    database = make_database(database_url)
    await database.transact(add, "a")
    assert await database.transact(providers) == ["a"]


async def test_work_that_raises_stores_nothing_and_its_error_is_unchanged(
    database_url: str, make_database: Make
) -> None:
    database = make_database(database_url)

    def fail(connection: Connection) -> None:
        add(connection, "a")
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await database.transact(fail)
    assert await database.transact(providers) == []


async def test_connections_have_limits_and_a_name(database_url: str, make_database: Make) -> None:
    database = make_database(database_url, statement_timeout=7, lock_timeout=3, application_name="me")

    def parameters_of(connection: Connection) -> list[str]:
        names = (
            "statement_timeout",
            "lock_timeout",
            "idle_in_transaction_session_timeout",
            "application_name",
            "timezone",
        )
        return [str(connection.scalar(text(f"SHOW {name}"))) for name in names]

    assert await database.transact(parameters_of) == ["7s", "3s", "1min", "me", "UTC"]
    assert await database.stream(parameters_of) == ["0", "3s", "10min", "me", "UTC"]


async def test_a_statement_timeout_is_retried_later(database_url: str, make_database: Make) -> None:
    database = make_database(database_url, statement_timeout=0.05)
    with pytest.raises(PostgresError, match="57014"):
        await database.transact(lambda connection: connection.execute(text("SELECT pg_sleep(60)")))


async def test_a_deadlock_is_repeated_until_both_are_done(database_url: str, make_database: Make) -> None:
    database = make_database(database_url)
    await database.transact(add, "a")
    await database.transact(add, "b")
    meeting = threading.Barrier(2)
    tries: list[str] = []

    def cross(connection: Connection, first: str, second: str) -> None:
        tries.append(first)
        connection.execute(text("SET LOCAL deadlock_timeout = '20ms'"))
        update = text("UPDATE orca.providers SET name = :by WHERE provider_id = :name")
        connection.execute(update, {"name": first, "by": first})
        if len(tries) <= 2:
            meeting.wait(10)
        connection.execute(update, {"name": second, "by": first})

    await asyncio.gather(database.transact(cross, "a", "b"), database.transact(cross, "b", "a"))
    assert len(tries) == 3


async def test_data_that_can_never_be_stored_is_rejected(database_url: str, make_database: Make) -> None:
    database = make_database(database_url)
    await database.transact(add, "a")
    with pytest.raises(
        Reject, match=r"another row has the same key [(]constraint pk_providers, SQLSTATE 23505"
    ):
        await database.transact(add, "a")


class TestCancellation:
    async def test_cancels_the_statement_and_commits_nothing(
        self, database_url: str, make_database: Make
    ) -> None:
        database = make_database(database_url)
        task = asyncio.create_task(database.transact(add_and_sleep, "a"))
        await database.transact(until_someone_sleeps)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await database.transact(providers) == []

    async def test_between_two_statements_stops_before_the_commit(
        self, database_url: str, make_database: Make
    ) -> None:
        database = make_database(database_url)
        written, go_on = threading.Event(), threading.Event()

        def pause(connection: Connection) -> None:
            add(connection, "a")
            written.set()
            assert go_on.wait(10)

        task = asyncio.create_task(database.transact(pause))
        await database.transact(lambda _: written.wait(10))
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()  # cancelled a second time, it still waits for its thread
        await asyncio.sleep(0)
        assert not task.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await database.transact(providers) == []

    async def test_of_work_that_waits_for_a_thread_drops_it(
        self, database_url: str, make_database: Make
    ) -> None:
        database = make_database(database_url, pool_size=1)
        busy, go_on = threading.Event(), threading.Event()

        def occupy(_: Connection) -> None:
            busy.set()
            assert go_on.wait(10)

        first = asyncio.create_task(database.transact(occupy))
        await database.stream(lambda _: busy.wait(10))
        second = asyncio.create_task(database.transact(add, "a"))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        go_on.set()
        await first
        assert await database.transact(providers) == []

    async def test_comes_from_the_close_of_the_database_for_work_that_waits_for_a_thread(
        self, database_url: str, make_database: Make
    ) -> None:
        database = make_database(database_url, pool_size=1)
        busy, go_on = threading.Event(), threading.Event()

        def occupy(_: Connection) -> None:
            busy.set()
            assert go_on.wait(10)

        first = asyncio.create_task(database.transact(occupy))
        await database.stream(lambda _: busy.wait(10))
        second = asyncio.create_task(database.transact(add, "a"))
        await asyncio.sleep(0)
        database.close()
        with pytest.raises(asyncio.CancelledError):
            await second
        go_on.set()
        await first
        assert database.in_use == 0
        with pytest.raises(RuntimeError, match="is closed"):
            await database.transact(add, "a")

    async def test_does_not_hit_the_next_user_of_the_connection(
        self, database_url: str, make_database: Make
    ) -> None:
        database = make_database(database_url, pool_size=1)
        for name in ("a", "b", "c"):
            task = asyncio.create_task(database.transact(add_and_sleep, name))
            await database.stream(until_someone_sleeps)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await database.transact(add, name)
        assert await database.transact(providers) == ["a", "b", "c"]


async def test_one_transaction_after_another_uses_one_connection(
    database_url: str, make_database: Make
) -> None:
    database = make_database(database_url, pool_size=4)
    process = text("SELECT pg_backend_pid()")
    used = {await database.transact(lambda connection: connection.scalar(process)) for _ in range(20)}
    assert len(used) == 1


async def test_a_server_that_has_answered_with_an_error_is_not_waited_for(
    database_url: str, make_database: Make
) -> None:
    database = make_database(database_url)

    def fail_and_go_on(connection: Connection) -> list[object]:
        session: Any = connection.connection.driver_connection
        with suppress(DBAPIError), connection.begin_nested():
            connection.execute(text("SELECT 1 / 0"))
        with session.cursor() as cursor:
            cursor.execute("SELECT 1")
        return [session.waiting_since]

    assert await database.transact(fail_and_go_on) == [None]


async def test_streams_do_not_wait_for_short_transactions(database_url: str, make_database: Make) -> None:
    database = make_database(database_url, pool_size=1)
    busy, go_on = threading.Event(), threading.Event()

    def occupy(_: Connection) -> None:
        busy.set()
        assert go_on.wait(10)

    occupied = asyncio.create_task(database.transact(occupy))
    assert await database.stream(lambda _: busy.wait(10))
    go_on.set()
    await occupied


class TestExhaustion:
    async def test_of_the_pool_means_that_the_database_is_down(
        self, database_url: str, make_database: Make
    ) -> None:
        database = make_database(database_url, pool_size=1, pool_timeout=0.05)
        await database.address()
        with database._short.engine.connect(), pytest.raises(DependencyDown, match="no free connection"):
            await database.probe()
        await database.probe()

    async def test_of_the_server_means_that_the_database_is_down(
        self, database_url: str, make_database: Make, owner: Engine
    ) -> None:
        with owner.connect() as connection:
            connection.execute(text("CREATE ROLE crowded LOGIN CONNECTION LIMIT 1"))
        url = login(database_url, "crowded")
        try:
            taken = psycopg2.connect(url)
            database = make_database(url)
            with pytest.raises(DependencyDown, match="too many connections"):
                await database.probe()
            taken.close()
            with owner.connect() as connection:
                while connection.scalar(
                    text("SELECT count(*) FROM pg_stat_activity WHERE usename = 'crowded'")
                ):
                    pass  # the server needs some time to notice
            await database.probe()
            database.close()
        finally:
            with owner.connect() as connection:
                connection.execute(text("DROP ROLE crowded"))


async def test_the_wait_for_a_connection_is_measured(database_url: str, make_database: Make) -> None:
    database = make_database(database_url)
    waits: list[float] = []
    database.watch(waits.append)
    await database.probe()
    assert len(waits) == 1
    assert database.in_use == 0
