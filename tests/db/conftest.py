"""Databases as handlers use them, and a secret that can be rotated."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine, NullPool, create_engine

from orca_daemon.db.address import Secrets
from orca_daemon.db.database import Database
from orca_daemon.settings import DatabaseSection as DatabaseSettings

Make = Callable[..., Database]


class Secret:
    """A secret reader with one secret, whose value the test sets."""

    def __init__(self, **fields: Any) -> None:
        self.fields = fields
        self.read = 0
        self.asked_for: list[str] = []

    async def secret(self, name: str) -> str:
        self.read += 1
        self.asked_for.append(name)
        return json.dumps(self.fields)

    async def parameter(self, name: str) -> str:
        self.asked_for.append(name)
        return str(self.fields[name])


def address_parts(url: str) -> dict[str, Any]:
    """Host, port and database of a URL, as ORCA's secret names them."""
    parts = urlsplit(url)
    return {"host": parts.hostname, "port": str(parts.port), "user_database": parts.path[1:]}


@pytest.fixture
async def make_database() -> AsyncIterator[Make]:
    """Makes databases; they are closed with the test."""
    opened: list[Database] = []

    def make(url: str | None = None, secrets: Secrets | None = None, **options: Any) -> Database:
        values = {"pool_size": 2, **options} | ({"url": url} if url else {})
        opened.append(Database(DatabaseSettings(**values), secrets))
        return opened[-1]

    yield make
    for database in opened:
        database.close()


@pytest.fixture
def owner(database_url: str) -> Iterator[Engine]:
    """The superuser in the same database, each statement committed."""
    engine = create_engine(
        database_url.replace("postgresql:", "postgresql+psycopg2:"),
        isolation_level="AUTOCOMMIT",
        poolclass=NullPool,
    )
    yield engine
    engine.dispose()
