"""A run over several tables: one snapshot, failures of single tables, complete files or none."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import pyarrow.parquet as pq
import pytest
from structlog.testing import capture_logs

from orca_daemon.export.catalog import RelationMissingError
from orca_daemon.export.files import KEY
from orca_daemon.export.framing import UnstorableError
from orca_daemon.export.run import ExportBusyError
from orca_daemon.export.table import NoChangeTimeError
from orca_daemon.export.tables import Relation, Table
from orca_daemon.export.upload import PART, part_size
from tests.export.conftest import HOUR, T0, Exporter, Source, another_run, table

ONE, TWO = table("one"), table("two")


@pytest.fixture
def tables(source: Source) -> Source:
    for name in ("one", "two"):
        source.run(f"CREATE TABLE {name} (id int, last_updated timestamptz)")
        source.run(f"INSERT INTO {name} VALUES (1, %s)", T0 - HOUR)
    return source


async def test_the_result_maps_each_table_with_new_rows_to_its_key(
    tables: Source, exporter: Exporter
) -> None:
    tables.run("DELETE FROM two")

    report = await exporter.run(T0, ONE, TWO)

    assert report.keys == {"one": "one/2026/11/01/120000000000.parquet"}


async def test_a_run_on_a_connection_that_was_idle_is_like_any_other(
    tables: Source, exporter: Exporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    await exporter.run(T0, ONE)
    monkeypatch.setattr("orca_daemon.db.unit_of_work._FRESH", -1.0)

    report = await exporter.run(T0 + HOUR, TWO)

    assert list(report.keys) == ["two"]


async def test_all_tables_are_read_from_one_snapshot(tables: Source, exporter: Exporter) -> None:
    def between(table: str, _rows: int) -> None:
        if table == "one":
            tables.run("INSERT INTO two VALUES (2, %s)", T0 - HOUR)

    exporter.options["progress"] = between

    report = await exporter.run(T0, ONE, TWO)

    assert exporter.read(report.keys["two"]).column("id").to_pylist() == [1]
    exporter.options.clear()
    assert [row["id"] for row in await exporter.rows(T0 + HOUR, TWO)] == [2]


async def test_a_table_that_fails_does_not_stop_the_others_and_is_in_the_report(
    tables: Source, exporter: Exporter
) -> None:
    tables.run("CREATE TABLE broken (price numeric(5,2), last_updated timestamptz)")
    tables.run("INSERT INTO broken VALUES ('NaN', %s)", T0 - HOUR)

    report = await exporter.run(T0, table("absent"), ONE, table("broken"), TWO)

    assert sorted(report.keys) == ["one", "two"]
    assert [type(outcome.error) for outcome in report.failed] == [RelationMissingError, UnstorableError]
    assert sorted(exporter.listed()) == sorted(report.keys.values())
    assert "NaN" not in report.reasons


async def test_a_table_that_another_run_has_locked_does_not_stop_the_others(
    tables: Source, exporter: Exporter
) -> None:
    with another_run(tables, exporter, "one"):
        report = await exporter.run(T0, ONE, TWO)

    assert list(report.keys) == ["two"]
    assert [type(outcome.error) for outcome in report.failed] == [ExportBusyError]


async def test_a_patient_run_exports_nothing_while_another_one_has_a_table(
    tables: Source, exporter: Exporter
) -> None:
    with another_run(tables, exporter, "two"), pytest.raises(ExportBusyError, match="another export of two"):
        await exporter.run(T0, ONE, TWO, patient=True)

    assert exporter.listed() == []
    assert list((await exporter.run(T0, ONE, TWO, patient=True)).keys) == ["one", "two"]


async def test_a_run_locks_all_its_tables_at_the_beginning(tables: Source, exporter: Exporter) -> None:
    # Otherwise another run could write a newer file of the second table in the meantime.
    free: list[bool] = []
    exporter.options["finished"] = lambda _outcome: free.append(_is_free(tables, exporter, "two"))

    await exporter.run(T0, ONE, TWO)

    assert free == [False, False]


async def test_a_dry_run_neither_waits_for_another_run_nor_blocks_it(
    tables: Source, exporter: Exporter
) -> None:
    free: list[bool] = []
    exporter.options["finished"] = lambda _outcome: free.append(_is_free(tables, exporter, "two"))
    with another_run(tables, exporter, "one"):
        report = await exporter.run(T0, ONE, TWO, dry_run=True)

    assert report.reasons == ""
    assert free == [True, True]


def _is_free(source: Source, exporter: Exporter, table: str) -> bool:
    """Whether no run has locked the table."""
    name = f"{exporter.bucket}/{table}"
    return bool(source.run("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 8117))", name)[0][0])


@pytest.mark.parametrize(
    ("wanted", "output"),
    [
        (table("absent"), "no table absent; the search path has one, two"),
        (table("elsewhere.one"), "no table elsewhere.one; schema elsewhere has none"),
        (table("one", "changed"), "no column changed; it has id, last_updated"),
        (table("one", "id"), "column id of public.one is integer, which is not a date or time"),
        (table('one"; DROP TABLE one; --'), "there is no table"),
    ],
)
async def test_a_missing_table_or_column_is_named_with_the_existing_ones(
    tables: Source, exporter: Exporter, wanted: Table, output: str
) -> None:
    with pytest.raises(RelationMissingError) as caught:
        await exporter.rows(T0, wanted)

    assert output in str(caught.value)


async def test_a_table_without_change_time_is_exported_whole_or_not_at_all(
    tables: Source, exporter: Exporter
) -> None:
    lookup = Table("one", Relation("one"))
    with pytest.raises(NoChangeTimeError, match="--full"):
        await exporter.rows(T0, lookup)

    assert len(await exporter.rows(T0, lookup, full=True)) == 1


async def test_a_view_is_exported_by_its_change_time_alone(tables: Source, exporter: Exporter) -> None:
    tables.run("CREATE VIEW seen AS SELECT * FROM one")

    assert len(await exporter.rows(T0, table("seen"))) == 1
    assert await exporter.rows(T0 + HOUR, table("seen")) == []


async def test_the_footer_says_where_the_rows_are_from(tables: Source, exporter: Exporter) -> None:
    report = await exporter.run(T0, ONE)

    metadata = pq.read_metadata(BytesIO(exporter.bytes(report.keys["one"]))).metadata
    assert b'"relation": "public.one"' in metadata[KEY]
    assert b'["last_updated", "timestamp with time zone"]' in metadata[KEY]
    assert b"password" not in metadata[KEY]


async def test_a_changed_schema_is_written_and_logged(tables: Source, exporter: Exporter) -> None:
    await exporter.run(T0, ONE)
    tables.run("ALTER TABLE one ADD name text, ALTER id TYPE bigint; UPDATE one SET name = 'x'")

    with capture_logs() as logs:
        report = await exporter.run(T0 + HOUR, ONE)

    assert exporter.read(report.keys["one"]).schema.names == ["id", "last_updated", "name"]
    (entry,) = [entry for entry in logs if entry["event"] == "export.schema_changed"]
    assert entry["added"] == ["name"]
    assert entry["retyped"] == ["id: integer -> bigint"]


async def test_a_dry_run_counts_and_writes_nothing(tables: Source, exporter: Exporter) -> None:
    report = await exporter.run(T0, ONE, dry_run=True)

    assert [(outcome.rows, outcome.key) for outcome in report.outcomes] == [
        (1, "one/2026/11/01/120000000000.parquet")
    ]
    assert exporter.listed() == []


async def test_many_rows_make_several_row_groups_and_parts(tables: Source, exporter: Exporter) -> None:
    tables.run(
        "INSERT INTO one SELECT i, %s + i * interval '1 millisecond' FROM generate_series(2, 200000) i",
        T0 - HOUR,
    )
    tables.run("ALTER TABLE one ADD noise bytea")
    tables.run("UPDATE one SET noise = sha512(id::text::bytea)")

    report = await exporter.run(T0, ONE, row_group=50_000)

    (outcome,) = report.outcomes
    file = pq.ParquetFile(BytesIO(exporter.bytes(report.keys["one"])))
    assert file.metadata.num_row_groups == 4
    assert outcome.bytes > PART
    assert outcome.rows == file.metadata.num_rows == 200_000
    assert sorted(file.read(["id"]).column("id").to_pylist()) == list(range(1, 200_001))
    assert exporter.s3.head_object(Bucket=exporter.bucket, Key=report.keys["one"])["ETag"].endswith('-2"')


class InTheMiddleError(Exception):
    """An error in the middle of a table."""


@contextmanager
def _endless(source: Source) -> Iterator[None]:
    """A table with many rows, so that a test can act while they are read."""
    source.run("CREATE VIEW endless AS SELECT i AS id, sha512(i::text::bytea) AS noise, %s AS last_updated"
               " FROM (SELECT generate_series(1, 50000000) AS i) AS streamed", T0 - HOUR)  # fmt: skip
    yield


async def test_a_failure_in_the_middle_leaves_nothing_behind_and_the_next_table_is_read(
    tables: Source, exporter: Exporter
) -> None:
    def fail(table: str, rows: int) -> None:
        if table == "endless" and rows > 300_000:
            raise InTheMiddleError

    exporter.options["progress"] = fail
    with _endless(tables):
        report = await exporter.run(T0, table("endless"), ONE)

    assert [type(outcome.error) for outcome in report.outcomes] == [InTheMiddleError, type(None)]
    assert exporter.listed() == [report.keys["one"]]
    assert exporter.s3.list_multipart_uploads(Bucket=exporter.bucket).get("Uploads", []) == []


async def test_a_cancelled_run_ends_at_once_and_leaves_nothing_behind(
    tables: Source, exporter: Exporter
) -> None:
    under_way = asyncio.Event()
    loop = asyncio.get_running_loop()

    def notice(_table: str, rows: int) -> None:
        if rows > 300_000:
            loop.call_soon_threadsafe(under_way.set)

    exporter.options["progress"] = notice
    with _endless(tables):
        running = asyncio.create_task(exporter.run(T0, table("endless"), ONE))
        await under_way.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    assert exporter.listed() == []
    assert exporter.s3.list_multipart_uploads(Bucket=exporter.bucket).get("Uploads", []) == []
    assert [thread.name for thread in threading.enumerate() if thread.name == "export-encoder"] == []


async def test_uploads_of_a_killed_process_are_aborted(tables: Source, exporter: Exporter) -> None:
    bucket_name = exporter.bucket
    left = exporter.s3.create_multipart_upload(Bucket=bucket_name, Key="one/2026/10/01/000000000000.parquet")
    foreign = exporter.s3.create_multipart_upload(Bucket=bucket_name, Key="one/notes.txt")

    await exporter.run(T0, ONE)

    uploads = [
        entry["UploadId"] for entry in exporter.s3.list_multipart_uploads(Bucket=bucket_name)["Uploads"]
    ]
    assert left["UploadId"] not in uploads
    assert uploads == [foreign["UploadId"]]


async def test_a_bucket_that_does_not_exist_fails_the_tables(tables: Source, exporter: Exporter) -> None:
    exporter.bucket = "no-such-bucket"

    report = await exporter.run(T0, ONE)

    assert "NoSuchBucket" in report.reasons


def test_parts_grow_so_that_ten_thousand_hold_more_than_a_tebibyte() -> None:
    sizes: list[Any] = [part_size(number) for number in range(1, 10_001)]

    assert sizes[0] == sizes[249] == PART
    assert sizes == sorted(sizes)
    assert sum(sizes) > 1 << 40
