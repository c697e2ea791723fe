"""Sessions set the parameters that matter, whatever the defaults of role, database and environment are."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from sqlalchemy import Connection, Engine, make_url, text

from orca_daemon.db import migrate
from orca_daemon.db.address import parse
from orca_daemon.db.connect import parameters
from orca_daemon.db.session import UnreachableError, open_session, session_parameters
from orca_daemon.engine.errors import Reject
from tests.conftest import Server
from tests.db.conftest import Make

HOSTILE = {
    "client_encoding": "LATIN1",
    "timezone": "America/Los_Angeles",
    "datestyle": "SQL, DMY",
    "intervalstyle": "sql_standard",
    "extra_float_digits": "-3",
    "bytea_output": "escape",
    "standard_conforming_strings": "off",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "statement_timeout": "1h",
    "lock_timeout": "1h",
    "idle_in_transaction_session_timeout": "1h",
    "transaction_timeout": "1h",
    "idle_session_timeout": "1h",
    "row_security": "off",
    "jit": "on",
    "synchronous_commit": "off",
    "exit_on_error": "on",
    "restrict_nonsystem_relation_kind": "view",
}
PARAMETERS = {
    "client_encoding": "UTF8",
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "iso_8601",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    "transaction_timeout": "0",
    "idle_session_timeout": "0",
    "jit": "off",
    "synchronous_commit": "on",
    "exit_on_error": "off",
    "restrict_nonsystem_relation_kind": "",
}
SHORT = {
    "statement_timeout": "30s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "1min",
    "row_security": "on",
}
STREAM = {
    "statement_timeout": "0",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "10min",
    "row_security": "off",
}
UPGRADE = {
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "row_security": "off",
}
BACKSLASH = r"a\b'c\'"


@pytest.fixture
def hostile(database_url: str, owner: Engine) -> str:
    """URL of a database that sets unusual defaults for all parameters."""
    name = make_url(database_url).database
    with owner.connect() as connection:
        for setting, value in HOSTILE.items():
            listed = "SQL, DMY" if setting == "datestyle" else f"'{value}'"
            connection.execute(text(f'ALTER DATABASE "{name}" SET {setting} TO {listed}'))
    return database_url


def parameters_of(connection: Connection) -> dict[str, str]:
    return {name: str(connection.scalar(text(f"SHOW {name}"))) for name in HOSTILE}


def echoed(connection: Connection) -> str:
    return str(connection.scalar(text("SELECT CAST(:text AS text)"), {"text": BACKSLASH}))


async def test_of_the_pools(hostile: str, make_database: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    database = make_database(hostile)
    assert await database.transact(parameters_of) == PARAMETERS | SHORT
    assert await database.stream(parameters_of) == PARAMETERS | STREAM
    assert await database.transact(echoed) == BACKSLASH


def test_of_an_upgrade(hostile: str) -> None:
    with migrate._connected(hostile) as connection:
        assert parameters_of(connection) == PARAMETERS | UPGRADE
        assert echoed(connection) == BACKSLASH


def test_a_setting_that_the_server_does_not_know_is_left_out(database_url: str) -> None:
    libpq_parameters = parameters(parse(database_url), "test", 5)
    settings = session_parameters(statement=0, lock=0, idle=0, all_rows=True) | {
        "a_setting_of_postgres_99": "0"
    }
    with closing(open_session(libpq_parameters, settings)) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW transaction_timeout")
        assert cursor.fetchone() == ("0",)


async def test_times_outside_pythons_range_become_the_nearest_and_hide_no_row(
    database_url: str, make_database: Make
) -> None:
    values = "('10000-01-01'), ('0044-03-15 BC'), ('infinity'), ('-infinity'), ('2026-11-29'), (NULL)"
    read = text(f"SELECT v::timestamptz, v::timestamp, v::date FROM (VALUES {values}) AS t (v)")
    rows = await make_database(database_url).transact(lambda connection: connection.execute(read).all())

    years = [None if time is None else time.year for time, _, _ in rows]
    assert years == [9999, 1, 9999, 1, 2026, None]
    assert {time.tzinfo is not None for time, _, _ in rows if time} == {True}
    for time, local, day in rows[:-1]:
        assert time.replace(tzinfo=None) == local
        assert local.date() == day


@pytest.mark.parametrize("level", ["local", "remote_apply"])
async def test_a_stronger_synchronous_commit_is_kept(
    database_url: str, owner: Engine, make_database: Make, level: str
) -> None:
    with owner.connect() as connection:
        name = make_url(database_url).database
        connection.execute(text(f'ALTER DATABASE "{name}" SET synchronous_commit = {level}'))
    assert (await make_database(database_url).transact(parameters_of))["synchronous_commit"] == level


@pytest.fixture
def encoded(postgres: Server) -> Iterator[Callable[[str], str]]:
    """Makes databases of an encoding, at the current schema."""
    urls: list[str] = []

    def make(encoding: str) -> str:
        name = f"encoded_{encoding.lower()}"
        postgres._execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
        urls.append(postgres.url.rpartition("/")[0] + f"/{name}")
        migrate.upgrade(urls[-1])
        return urls[-1]

    yield make
    for url in urls:
        postgres.drop(url)


async def test_of_a_database_in_latin1(encoded: Callable[[str], str], make_database: Make) -> None:
    database = make_database(encoded("LATIN1"))
    add = text("INSERT INTO orca.providers (provider_id) VALUES (:name)")
    await database.transact(lambda connection: connection.execute(add, {"name": "café"}))
    read = text("SELECT provider_id FROM orca.providers")
    assert await database.transact(lambda connection: connection.scalar(read)) == "café"
    with pytest.raises(Reject, match=r"a character that the encoding of the database does not have .*22P05"):
        await database.transact(lambda connection: connection.execute(add, {"name": "日本"}))


async def test_bytes_that_are_not_utf8_are_reported_without_their_value(
    encoded: Callable[[str], str], make_database: Make
) -> None:
    url = encoded("SQL_ASCII")
    with closing(psycopg2.connect(url, client_encoding="SQL_ASCII")) as raw, raw, raw.cursor() as cursor:
        cursor.execute(b"INSERT INTO orca.providers (provider_id) VALUES ('caf\xe9')")
    database = make_database(url)
    read = text("SELECT provider_id FROM orca.providers")
    with pytest.raises(
        Reject, match=r"^a text is not UTF-8 [(]SQLSTATE 22021, character_not_in_repertoire[)]$"
    ):
        await database.transact(lambda connection: connection.scalar(read))


async def test_text_that_utf8_cannot_hold_is_reported_without_it(
    database_url: str, make_database: Make
) -> None:
    database = make_database(database_url)
    with pytest.raises(Reject, match=r"^a value is not text that UTF-8 can hold$"):
        await database.transact(
            lambda connection: connection.scalar(text("SELECT CAST(:x AS text)"), {"x": "\ud800"})
        )


def test_a_pooler_that_refuses_options_is_reported_with_the_statement_that_helps(
    hostile: str, monkeypatch: Any
) -> None:
    connect = psycopg2.connect

    def refusing_options(**options: Any) -> Any:
        if options.get("options"):
            raise psycopg2.OperationalError("FATAL:  unsupported startup parameter: options")
        return connect(**options)

    monkeypatch.setattr(psycopg2, "connect", refusing_options)
    with pytest.raises(UnreachableError, match=r"ALTER ROLE … SET standard_conforming_strings = on"):
        open_session(parameters(parse(hostile), "test", 5), {})
