"""Characters beyond ASCII are stored whatever the encoding of the database is."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from uuid import uuid4

import psycopg2
import pytest

from orca_daemon.db.database import Database
from orca_daemon.db.migrate import upgrade
from orca_daemon.queues.status_update.store import apply
from orca_daemon.settings import DatabaseSection as Settings
from orca_daemon.wire import status
from tests.conftest import Server
from tests.wire.test_status import NEW, new_file, new_job


@pytest.fixture(params=["SQL_ASCII", "LATIN1"])
def url(postgres: Server, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database of that encoding."""
    name = f"t_{uuid4().hex}"
    with closing(psycopg2.connect(postgres.url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{request.param}' "
            "LC_COLLATE 'C' LC_CTYPE 'C' STRATEGY file_copy"
        )
    url = f"{postgres.url.rpartition('/')[0]}/{name}"
    upgrade(url)
    yield url
    postgres.drop(url)


async def test_an_accented_granule_is_stored(url: str) -> None:
    job = status.decode(json.dumps(new_job(new_file(filename="\x01ü.h5"), granuleId="é")), NEW)
    database = Database(Settings.model_validate({"url": f"{url}?client_encoding=UTF8"}))
    await database.transact(apply, [job], datetime.now(UTC))
    database.close()
    with closing(psycopg2.connect(url, client_encoding="UTF8")) as connection, connection.cursor() as cursor:
        connection.set_client_encoding("UTF8")
        cursor.execute("SELECT granule_id, filename FROM orca.recovery_file")
        assert cursor.fetchall() == [("é", "\x01ü.h5")]
