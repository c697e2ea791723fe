"""Every row is exported exactly once, whatever the order of commits and runs is."""

import json
from contextlib import closing
from datetime import datetime, timedelta
from io import BytesIO

import psycopg2
import pyarrow.parquet as pq
import pytest
from structlog.testing import capture_logs

from orca_daemon.export import query
from orca_daemon.export.files import KEY, file_key
from orca_daemon.export.run import ExportBusyError
from orca_daemon.export.snapshot import EPOCH, Snapshot, full_number
from orca_daemon.export.window import ClockBehindError, Window
from tests.export.conftest import HOUR, T0, Exporter, Source, another_run, table

DAY = timedelta(days=1)
STAFF = table("staff")
MANY = """
    CREATE FUNCTION fill(stamp timestamptz) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
        FOR number IN 1..300000 LOOP
            BEGIN INSERT INTO staff VALUES (number, stamp); EXCEPTION WHEN unique_violation THEN NULL; END;
        END LOOP;
    END $$;
    SELECT fill(%s)
"""


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


async def test_a_row_with_a_change_time_before_the_last_run_that_was_committed_after_it_is_in_the_next(
    source: Source, exporter: Exporter
) -> None:
    _staff(source)
    _add(source, 1, T0 - HOUR)
    assert await _ids(exporter, T0) == [1]
    _add(source, 2, T0 - HOUR)
    assert await _ids(exporter, T0 + HOUR) == [2]
    assert await _ids(exporter, T0 + 2 * HOUR) == []


async def test_freezing_rows_hides_no_late_row_and_repeats_no_row(source: Source, exporter: Exporter) -> None:
    _staff(source)
    _add(source, 1, T0 - HOUR)
    assert await _ids(exporter, T0) == [1]
    _add(source, 2, T0 - HOUR)
    source.run("VACUUM FREEZE staff")
    assert await _ids(exporter, T0 + HOUR) == [2]
    source.run("VACUUM (FREEZE, FULL) staff")
    assert await _ids(exporter, T0 + 2 * HOUR) == []


async def test_a_row_that_is_written_twice_between_two_runs_is_exported_with_its_last_values(
    source: Source, exporter: Exporter
) -> None:
    _staff(source)
    _add(source, 1, T0 - HOUR)
    await _ids(exporter, T0)
    source.run("UPDATE staff SET id = 2, last_updated = %s", T0 + HOUR / 4)
    source.run("UPDATE staff SET id = 3, last_updated = %s", T0 + HOUR / 2)
    assert await _ids(exporter, T0 + HOUR) == [3]
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


async def test_a_savepoint_of_an_open_transaction_is_in_the_next_run(
    source: Source, exporter: Exporter
) -> None:
    _staff(source)
    with closing(psycopg2.connect(source.url)) as open_one, open_one.cursor() as cursor:
        cursor.execute(
            "SELECT pg_current_xact_id(); SAVEPOINT s; INSERT INTO staff VALUES (7, %s)", (T0 - HOUR,)
        )
        # Ids above the savepoint's: its own is between xmin and xmax, and not listed as running.
        _add(source, 1, T0 - HOUR)
        assert await _ids(exporter, T0) == [1]
        open_one.commit()
    assert await _ids(exporter, T0 + HOUR) == [7]
    assert await _ids(exporter, T0 + 2 * HOUR) == []


async def test_a_long_transaction_on_another_table_repeats_no_row(source: Source, exporter: Exporter) -> None:
    _staff(source)
    with closing(psycopg2.connect(source.url)) as open_one, open_one.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()")
        for number in range(5):
            _add(source, number, T0 - HOUR)
        assert await _ids(exporter, T0) == [0, 1, 2, 3, 4]
        assert await _ids(exporter, T0 + HOUR) == []
        _add(source, 5, T0 - HOUR)
        assert await _ids(exporter, T0 + 2 * HOUR) == [5]


async def test_millions_of_transactions_during_a_long_one_do_not_slow_an_export(
    source: Source, exporter: Exporter
) -> None:
    # So many savepoints that comparing each id with each row would take hours.
    _staff(source)
    with closing(psycopg2.connect(source.url)) as open_one, open_one.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()")
        source.run(MANY, T0 - HOUR)
        assert len(await exporter.rows(T0, STAFF)) == 300_000
        assert await _ids(exporter, T0 + HOUR) == []
        _add(source, 0, T0 - HOUR)
        assert await _ids(exporter, T0 + 2 * HOUR) == [0]


async def test_a_late_row_that_changed_without_a_new_change_time_is_exported_again(
    source: Source, exporter: Exporter
) -> None:
    _staff(source)
    _add(source, 1, T0 - HOUR)
    await _ids(exporter, T0)
    source.run("UPDATE staff SET id = 2")
    assert await _ids(exporter, T0 + HOUR) == [2]


async def test_late_rows_are_searched_no_further_back_than_the_overlap(
    source: Source, exporter: Exporter
) -> None:
    _staff(source)
    _add(source, 1, T0 - HOUR)
    await _ids(exporter, T0)
    _add(source, 2, T0 - 15 * DAY)
    _add(source, 3, T0 - 13 * DAY)
    assert await _ids(exporter, T0 + HOUR) == [3]


async def test_a_run_without_rows_writes_nothing_and_the_next_one_starts_from_the_same_file(
    source: Source, exporter: Exporter
) -> None:
    _staff(source)
    _add(source, 1, T0 - HOUR)
    await _ids(exporter, T0)
    assert await _ids(exporter, T0 + HOUR) == []
    assert len(exporter.listed()) == 1
    _add(source, 2, T0 + HOUR / 2)
    assert await _ids(exporter, T0 + 2 * HOUR) == [2]


async def test_a_file_of_another_program_is_where_the_next_run_starts(
    source: Source, exporter: Exporter
) -> None:
    _staff(source)
    _add(source, 1, T0 - HOUR)
    _add(source, 2, T0)
    exporter.s3.put_object(Bucket=exporter.bucket, Key=file_key("staff", T0), Body=b"")
    assert await _ids(exporter, T0 + HOUR) == [2]


async def test_the_overlap_is_taken_again_after_a_move_to_another_server(
    source: Source, exporter: Exporter
) -> None:
    _staff(source)
    _add(source, 1, T0 - HOUR)
    report = await exporter.run(T0, STAFF)
    file = exporter.read(report.keys["staff"])
    footer = json.loads(file.schema.metadata[KEY])
    footer["snapshot"]["cluster"] = "another"
    with BytesIO() as moved:
        pq.write_table(file.replace_schema_metadata({KEY: json.dumps(footer)}), moved)
        exporter.s3.put_object(Bucket=exporter.bucket, Key=report.keys["staff"], Body=moved.getvalue())

    with capture_logs() as logs:
        assert await _ids(exporter, T0 + HOUR) == [1]

    assert "export.other_server" in [entry["event"] for entry in logs]


async def test_a_given_start_exports_rows_again(source: Source, exporter: Exporter) -> None:
    _staff(source)
    _add(source, 1, T0 - 2 * HOUR)
    _add(source, 2, T0 - HOUR)
    await _ids(exporter, T0)
    _add(source, 3, T0 - 3 * HOUR)
    assert sorted(row["id"] for row in await exporter.rows(T0 + HOUR, STAFF, since=T0 - HOUR)) == [2, 3]
    assert await _ids(exporter, T0 + 2 * HOUR) == []


async def test_a_full_export_has_every_row_and_the_next_run_repeats_none(
    source: Source, exporter: Exporter
) -> None:
    _staff(source)
    _add(source, 1, T0 - 400 * DAY)
    source.run("INSERT INTO staff VALUES (2, NULL)")
    await _ids(exporter, T0)
    assert sorted(row["id"] for row in await exporter.rows(T0 + HOUR, STAFF, full=True)) == [1, 2]
    assert await _ids(exporter, T0 + 2 * HOUR) == []


@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "date"])
async def test_rows_with_an_infinite_change_time_are_in_full_exports(
    source: Source, exporter: Exporter, kind: str
) -> None:
    source.run(f"CREATE TABLE staff (id int, last_updated {kind})")
    source.run("INSERT INTO staff VALUES (1, '-infinity'), (2, 'infinity'), (3, '2026-10-01'), (4, NULL)")
    source.run("INSERT INTO staff VALUES (5, '2027-01-01')")

    read_back = []
    for number, full in enumerate([False, False, True, False]):
        report = await exporter.run(T0 + number * HOUR, STAFF, full=full)
        read_back.append([exporter.read(key).column("id").to_pylist() for key in report.keys.values()])

    assert read_back == [[[1, 3]], [], [[1, 2, 3, 4]], []]


async def test_times_without_zone_and_dates_are_read_as_utc(source: Source, exporter: Exporter) -> None:
    source.run("ALTER DATABASE %s SET timezone = 'Asia/Tokyo'" % source.url.rpartition("/")[2])  # noqa: UP031
    source.run(
        "CREATE TABLE local (id int, last_updated timestamp); CREATE TABLE daily (id int, last_updated date)"
    )
    source.run("INSERT INTO local VALUES (1, '2026-11-01 11:59:59.999999'), (2, '2026-11-01 12:00')")
    source.run("INSERT INTO daily VALUES (1, '2026-10-31'), (2, '2026-11-01'), (3, '2026-11-02')")

    assert [row["id"] for row in await exporter.rows(T0, table("local"))] == [1]
    assert [row["id"] for row in await exporter.rows(T0, table("daily"))] == [1, 2]


async def test_two_exports_of_a_table_at_once_are_one(source: Source, exporter: Exporter) -> None:
    _staff(source)
    _add(source, 1, T0 - HOUR)
    with (
        another_run(source, exporter, "staff"),
        pytest.raises(ExportBusyError, match="another export of staff"),
    ):
        await exporter.rows(T0, STAFF)
    assert await _ids(exporter, T0 + HOUR) == [1]


async def test_a_clock_behind_the_newest_file_fails_the_table(source: Source, exporter: Exporter) -> None:
    _staff(source)
    _add(source, 1, T0 - HOUR)
    await _ids(exporter, T0)
    with pytest.raises(ClockBehindError):
        await _ids(exporter, T0 - HOUR)


@pytest.mark.parametrize("epochs", [0, 1, 5])
def test_sql_and_python_find_the_same_writers_late(source: Source, epochs: int) -> None:
    _staff(source)
    for number in range(6):
        _add(source, number, T0)
    top, low = source.run(
        "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint, min(xmin::text::bigint) FROM staff"
    )[0]
    shift = epochs * EPOCH
    last = Snapshot(low + shift, low + 4 + shift).having_seen({low + 1 + shift, low + 3 + shift})
    now = Snapshot(top + shift, top + shift)
    reach = Window(
        end=T0 + 2 * HOUR, start=T0 + HOUR, late_from=T0 - DAY, late_until=T0 + HOUR, unseen_by=last
    )

    statement = query.condition(STAFF, reach, now).as_string(source.connection)
    late = source.run(f"SELECT xmin::text::bigint FROM staff AS t WHERE {statement}")

    rows = [number for (number,) in source.run("SELECT xmin::text::bigint FROM staff")]
    expected = [n for n in rows if not last.could_see(full_number(n % EPOCH, now.xmax - 1))]
    assert [number for (number,) in late] == expected == [low, low + 2, low + 4, low + 5]
