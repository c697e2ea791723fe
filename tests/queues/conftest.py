"""A connection to a database at the current schema, in a transaction that is rolled back."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg2://"))
    with engine.connect() as connection:
        yield connection
    engine.dispose()
