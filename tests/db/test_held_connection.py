"""A thread holds its connection from one transaction to the next; nothing of the first reaches the second."""

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from sqlalchemy import Connection, Engine, event, text

from orca_daemon.db import held_connection, threads
from orca_daemon.db.database import Database
from orca_daemon.db.held_connection import HeldConnection
from tests.db.conftest import Make
from tests.waiting import until

PROCESS = text("SELECT pg_backend_pid()")
LEVEL = text("SHOW transaction_isolation")


@pytest.fixture
def database(database_url: str, make_database: Make) -> Database:
    """A database with one connection, and so with one thread."""
    return make_database(database_url, pool_size=1)


@pytest.fixture
def taken(database: Database) -> Iterator[list[object]]:
    """An entry for each connection that was taken from the pool."""
    taken: list[object] = []

    def note(connection: object, *_: object) -> None:
        taken.append(connection)

    event.listen(engine_of(database), "checkout", note)
    yield taken
    event.remove(engine_of(database), "checkout", note)


@pytest.fixture(autouse=True)
def busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, a thread between two transactions counts as busy."""
    monkeypatch.setattr(threads, "IDLE", 3600.0)
    monkeypatch.setattr(held_connection, "_LONGEST", 3600.0)


def engine_of(database: Database) -> Engine:
    return database._short.engine


def process(connection: Connection) -> int:
    return int(connection.scalar(PROCESS) or 0)


def fail(connection: Connection) -> None:
    connection.execute(text("INSERT INTO orca.providers (provider_id) VALUES ('a')"))
    raise LookupError


def serializable(connection: Connection) -> str:
    connection.execution_options(isolation_level="SERIALIZABLE")
    return str(connection.scalar(LEVEL))


async def test_transactions_in_a_row_take_a_connection_once(database: Database, taken: list[object]) -> None:
    processes = {await database.transact(process) for _ in range(5)}

    assert len(processes) == len(taken) == 1


async def test_a_thread_without_work_returns_its_connection(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "IDLE", 0.01)

    await database.transact(process)

    until(lambda: "Checked out connections: 0" in engine_of(database).pool.status())


async def test_a_thread_with_work_returns_its_connection_after_a_time(
    database: Database, taken: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_connection, "_LONGEST", 0.0)

    for _ in range(3):
        await database.transact(process)

    assert len(taken) == 3


async def test_after_a_reconnect_no_thread_uses_its_old_connection(database: Database) -> None:
    before = await database.transact(process)

    database.reconnect()

    assert await database.transact(process) != before


def sessions(database_url: str) -> int:
    """Sessions of the application on the server."""
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = 'orca-daemon'"
        )
        ((number,),) = cursor.fetchall()
        return int(number)


@pytest.mark.parametrize("end", [Database.reconnect, Database.close])
async def test_held_connections_are_closed_with_the_others(
    database: Database, database_url: str, end: Callable[[Database], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "IDLE", 0.01)
    gc.disable()  # a collection would close what nobody refers to
    try:
        await database.transact(process)
        end(database)
        until(lambda: sessions(database_url) == 0)
    finally:
        gc.enable()


async def test_a_server_that_ends_its_sessions_fails_one_transaction_and_not_one_for_each_thread(
    database_url: str, make_database: Make
) -> None:
    database = make_database(database_url, pool_size=4)
    together = threading.Barrier(4)

    def meet(connection: Connection) -> int:
        together.wait()
        return process(connection)

    await asyncio.gather(*(database.transact(meet) for _ in range(4)))
    with closing(psycopg2.connect(database_url)) as other, other, other.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    ends = [await asyncio.gather(database.transact(process), return_exceptions=True) for _ in range(12)]

    assert sum(isinstance(end, Exception) for (end,) in ends) <= 1


async def test_a_transaction_that_only_the_driver_knows_of_does_not_reach_the_next_one(
    database: Database,
) -> None:
    def insert(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor:
            cursor.execute("INSERT INTO orca.providers (provider_id) VALUES ('a')")

    await database.transact(insert)

    names = await database.transact(lambda connection: list(connection.scalars(text("TABLE orca.providers"))))
    assert names == []


async def test_work_that_fails_leaves_nothing_to_the_next_transaction(
    database: Database, taken: list[object]
) -> None:
    with pytest.raises(LookupError):
        await database.transact(fail)

    names = await database.transact(lambda connection: list(connection.scalars(text("TABLE orca.providers"))))
    assert names == []
    assert len(taken) == 2


async def test_a_connection_that_was_given_back_cannot_be_cancelled_by_the_transaction_that_failed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancellable: list[object] = []
    give_back = HeldConnection.give_back

    def watched(held: HeldConnection) -> None:
        cancellable.extend(unit.connection for unit in database._short._units)
        give_back(held)

    monkeypatch.setattr(HeldConnection, "give_back", watched)

    with pytest.raises(LookupError):
        await database.transact(fail)

    assert cancellable == [None]


async def test_options_of_a_connection_do_not_reach_the_next_transaction(database: Database) -> None:
    assert await database.transact(serializable) == "serializable"

    level = await database.transact(lambda connection: connection.scalar(LEVEL))
    assert level == "read committed"
