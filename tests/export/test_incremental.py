"""Nothing is lost and nothing is written twice, whoever commits when."""

from datetime import datetime

import psycopg2

from tests.export.conftest import HOUR, T0, Exporter, Source, table

STAFF = table("staff")


def _staff(source: Source) -> None:
    source.run("CREATE TABLE staff (id int, last_updated timestamptz)")


def _add(source: Source, number: int, stamp: datetime) -> None:
    source.run("INSERT INTO staff VALUES (%s, %s)", number, stamp)


async def _ids(exporter: Exporter, now: datetime) -> list[int]:
    return sorted(row["id"] for row in await exporter.rows(now, STAFF))


async def test_each_run_takes_the_rows_from_the_last_one_until_now(
    source: Source, exporter: Exporter
) -> None:
    _staff(source)
    _add(source, 1, T0 - HOUR)
    assert await _ids(exporter, T0) == [1]
    _add(source, 2, T0)
    _add(source, 3, T0 + HOUR)
    assert await _ids(exporter, T0 + HOUR) == [2]
    assert await _ids(exporter, T0 + 2 * HOUR) == [3]


async def test_a_row_that_was_stamped_before_the_last_run_and_committed_after_it_is_in_the_next(
    source: Source, exporter: Exporter
) -> None:
    _staff(source)
    _add(source, 1, T0 - HOUR)
    assert await _ids(exporter, T0) == [1]
    _add(source, 2, T0 - HOUR)
    assert await _ids(exporter, T0 + HOUR) == [2]
    assert await _ids(exporter, T0 + 2 * HOUR) == []


async def test_a_transaction_that_stays_open_across_two_runs_is_in_the_third(
    source: Source, exporter: Exporter
) -> None:
    _staff(source)
    open_one = psycopg2.connect(source.url)
    with open_one.cursor() as cursor:
        cursor.execute("INSERT INTO staff VALUES (7, %s)", (T0 - HOUR,))
        _add(source, 1, T0 - HOUR)
        assert await _ids(exporter, T0) == [1]
        _add(source, 2, T0 + HOUR / 2)
        assert await _ids(exporter, T0 + HOUR) == [2]
        open_one.commit()
    open_one.close()
    assert await _ids(exporter, T0 + 2 * HOUR) == [7]
    assert await _ids(exporter, T0 + 3 * HOUR) == []
