"""Times that ORCA's JSON Schema accepts are read here as Postgres reads them, which ORCA relies on."""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime

import psycopg2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orca_daemon.wire import times
from tests.conftest import Server


@pytest.fixture(scope="module")
def cursor(postgres: Server) -> Iterator[psycopg2.extensions.cursor]:
    with closing(psycopg2.connect(postgres.url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SET timezone TO 'UTC'")
            yield cursor


def two_digits(lowest: int, highest: int) -> st.SearchStrategy[str]:
    return st.integers(lowest, highest).map("{:02}".format)


MOMENTS = st.builds(
    "{}-{}-{}T{}:{}:{}{}{}+00:00".format,
    st.integers(1, 9999).map("{:04}".format),
    two_digits(1, 12),
    two_digits(1, 31),
    two_digits(0, 23),
    two_digits(0, 59),
    two_digits(0, 59),
    st.one_of(st.just(""), st.from_regex(r"\.[0-9]{1,9}", fullmatch=True)),
    st.sampled_from(["", "Z"]),
)


@settings(max_examples=300)
@given(text=MOMENTS)
@example(text="2026-02-29T00:00:00+00:00")
@example(text="2026-12-31T23:59:59.9999999+00:00")
@example(text="2024-02-29T00:00:00.0000005+00:00")
def test_a_time_is_read_as_by_postgres(cursor: psycopg2.extensions.cursor, text: str) -> None:
    assert parsed(text) == parsed_by_postgres(cursor, text)


def parsed(text: str) -> datetime | None:
    try:
        return times.parse(text)
    except ValueError:
        return None


def parsed_by_postgres(cursor: psycopg2.extensions.cursor, text: str) -> datetime | None:
    try:
        cursor.execute("SELECT CAST(%s AS timestamptz)", [text])
        row = cursor.fetchone()
    except psycopg2.DataError:
        return None
    except ValueError:  # a year that Python cannot represent
        return None
    assert row is not None
    time = row[0]
    assert isinstance(time, datetime)
    return time
