"""The daemon's connections through a real pgbouncer, which `./dev faults` installs if it is missing."""

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, make_url, text

from orca_daemon.local.binaries import account
from orca_daemon.local.ports import free_port
from tests.db.conftest import Make, make_database
from tests.waiting import until

__all__ = ["make_database"]
pytestmark = pytest.mark.matrix
PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "pgbouncer"
CONFIGURATION = """
[databases]
{name} = host=127.0.0.1 port={port} user=postgres password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
auth_type = any
pool_mode = {mode}
unix_socket_dir =
"""
SLEEPING = text(
    "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(60)'"
)


@pytest.fixture
def pgbouncer(database_url: str) -> Iterator[Callable[[str], str]]:
    """A function that starts pgbouncer in a pooling mode and returns the database URL through it."""
    with ExitStack() as stack:
        yield lambda mode: stack.enter_context(_running(database_url, mode))


@contextmanager
def _running(database_url: str, mode: str) -> Iterator[str]:
    url, listen = make_url(database_url), free_port(0)
    user, group = account() or (None, None)
    with tempfile.TemporaryDirectory(prefix="orca-pgbouncer-") as folder:
        Path(folder).chmod(0o755)
        file = Path(folder) / "pgbouncer.ini"
        facts = {"name": url.database, "port": url.port, "password": url.password}
        file.write_text(CONFIGURATION.format(**facts, listen=listen, mode=mode))
        program = subprocess.Popen(
            [PGBOUNCER, "-q", file], user=user, group=group, extra_groups=[] if user else None
        )
        try:
            until(lambda: _listens(listen))
            yield str(url.set(port=listen).render_as_string(hide_password=False))
        finally:
            program.terminate()
            program.wait()


def _listens(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


def await_sleeping_query(connection: Connection) -> None:
    until(lambda: _query_sleeps(connection))


def _query_sleeps(connection: Connection) -> bool:
    sleeps = bool(connection.scalar(SLEEPING))
    connection.rollback()  # within one transaction pg_stat_activity never changes
    return sleeps


async def test_a_cancellation_reaches_the_server_within_three_seconds(
    database_url: str, pgbouncer: Callable[[str], str], make_database: Make
) -> None:
    database, direct = make_database(pgbouncer("session")), make_database(database_url)
    task = asyncio.create_task(database.transact(lambda c: c.execute(text("SELECT pg_sleep(60)"))))
    await direct.transact(await_sleeping_query)

    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert time.monotonic() - began < 3
    assert await direct.transact(lambda connection: connection.scalar(SLEEPING)) == 0
    assert await database.transact(lambda connection: connection.scalar(text("SELECT 1"))) == 1


@pytest.mark.parametrize(("mode", "shared"), [("session", False), ("transaction", True)])
async def test_a_pooler_and_its_mode_are_detected(
    pgbouncer: Callable[[str], str], make_database: Make, mode: str, *, shared: bool
) -> None:
    link = await make_database(pgbouncer(mode)).link()

    assert (link.pooled, link.shared) == (True, shared)


async def test_statement_pooling_refuses_transactions(
    pgbouncer: Callable[[str], str], make_database: Make
) -> None:
    with pytest.raises(Exception, match=r"08P01|connection was lost"):
        await make_database(pgbouncer("statement")).probe()


async def test_in_session_mode_all_session_settings_are_in_effect(
    pgbouncer: Callable[[str], str], make_database: Make
) -> None:
    def session_settings(connection: Connection) -> list[str]:
        names = ("statement_timeout", "timezone", "client_encoding")
        return [str(connection.scalar(text(f"SHOW {name}"))) for name in names]

    assert await make_database(pgbouncer("session")).transact(session_settings) == ["30s", "UTC", "UTF8"]
