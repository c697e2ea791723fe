"""One table read by several connections under one snapshot, and the cases in which one connection reads."""

import asyncio
import threading
from io import BytesIO
from typing import Any

import pyarrow.parquet as pq
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from orca_daemon.db import readers as readers_module
from orca_daemon.db.database import Database
from orca_daemon.engine.errors import DependencyDown
from orca_daemon.export import encoder as encoder_module
from orca_daemon.export.framing import UnstorableError
from orca_daemon.export.reading import default_readers
from orca_daemon.export.tables import ChangeTime, Relation, Table
from orca_daemon.settings import DatabaseSection as DatabaseSettings
from tests.db.pooler import Pooler
from tests.export.conftest import HOUR, T0, Exporter, Source, table
from tests.export.readers import FILLER, Copies, threads, watch
from tests.roles import login
from tests.waiting import until

ROWS = 60
PARTS = list(range(15))
ONE, TWO = table("one"), table("two")


@pytest.fixture
def tables(source: Source) -> Source:
    for name in ("one", "two"):
        source.run(f"CREATE TABLE {name} (id int, last_updated timestamptz, {FILLER})")
        source.run(f"INSERT INTO {name} SELECT i, %s FROM generate_series(1, {ROWS}) i", T0 - HOUR)
    return source


@pytest.fixture
def copies(exporter: Exporter, monkeypatch: pytest.MonkeyPatch) -> Copies:
    return watch(monkeypatch, exporter)


def _ids(exporter: Exporter, key: str) -> list[int]:
    return list(exporter.read(key).column("id").to_pylist())


def _nothing_is_left(exporter: Exporter) -> None:
    assert exporter.s3.list_multipart_uploads(Bucket=exporter.bucket).get("Uploads", []) == []
    assert threads() == []


def _sessions(source: Source) -> int:
    """Connections to the database besides the test's own."""
    ((number,),) = source.run(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    return int(number)


async def test_three_connections_read_one_table_in_its_order_while_it_is_written(
    tables: Source, exporter: Exporter, copies: Copies
) -> None:
    def change() -> None:
        tables.run(f"DELETE FROM one WHERE id % 2 = 0; UPDATE one SET last_updated = '{T0}'")

    copies.together = threading.Barrier(3, change)

    report = await exporter.run(T0, ONE)

    assert _ids(exporter, report.keys["one"]) == list(range(1, ROWS + 1))
    assert copies.order == PARTS
    assert len(copies.parts) == 3
    copies.together = None
    assert len(await exporter.rows(T0 + HOUR, ONE)) == ROWS / 2


async def test_the_file_does_not_depend_on_the_number_of_readers(
    tables: Source, exporter: Exporter, copies: Copies
) -> None:
    report = await exporter.run(T0, ONE, row_group=7)
    several = pq.ParquetFile(BytesIO(exporter.bytes(report.keys["one"])))
    alone = await exporter.run(T0 + HOUR, ONE, row_group=7, readers=1, full=True)
    one = pq.ParquetFile(BytesIO(exporter.bytes(alone.keys["one"])))

    assert copies.order == sorted([*PARTS, 0])
    assert several.read().equals(one.read())
    assert several.schema_arrow.equals(one.schema_arrow)
    for file in (several, one):
        groups = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
        assert groups == [7] * 8 + [4]


async def test_each_table_of_a_run_is_read_under_its_one_snapshot(
    tables: Source, exporter: Exporter, copies: Copies
) -> None:
    exporter.options["finished"] = lambda _outcome: tables.run("DELETE FROM two")

    report = await exporter.run(T0, ONE, TWO)

    assert _ids(exporter, report.keys["two"]) == list(range(1, ROWS + 1))
    assert copies.order == sorted(PARTS * 2)


_COPIED = "CREATE TABLE other AS SELECT * FROM one;"
ALONE = {
    "a view": "CREATE VIEW other AS SELECT * FROM one",
    "a partitioned table": f"CREATE TABLE other (id int, last_updated timestamptz, {FILLER})"
    " PARTITION BY RANGE (id);"
    "CREATE TABLE part PARTITION OF other DEFAULT; INSERT INTO other SELECT * FROM one",
    "a table with children": f"{_COPIED} CREATE TABLE child () INHERITS (other)",
    "a small table": "CREATE TABLE other AS SELECT * FROM one LIMIT 4",
    "a table with values stored apart": f"{_COPIED} ALTER TABLE other ADD t text;"
    "ALTER TABLE other ALTER t SET STORAGE EXTERNAL; UPDATE other SET t = repeat('x', 9000) WHERE id = 1",
    "a table read by an index": f"{_COPIED} UPDATE other SET last_updated = '2020-01-01' WHERE id > 4;"
    "CREATE INDEX ON other (last_updated);"
    "INSERT INTO other SELECT i, '2020-01-01' FROM generate_series(1, 4000) i; ANALYZE other",
}


@pytest.mark.parametrize("made", ALONE.values(), ids=ALONE.keys())
async def test_one_connection_reads(tables: Source, exporter: Exporter, copies: Copies, made: str) -> None:
    tables.run(made)

    rows = await exporter.rows(T0, table("other"), since=T0 - 2 * HOUR)

    assert len(rows) in {4, ROWS}
    assert copies.order == [0]


async def test_a_table_whose_rows_change_with_those_of_another_is_read_by_one_connection(
    tables: Source, exporter: Exporter, copies: Copies
) -> None:
    beside = Table("one", Relation("one"), (ChangeTime("last_updated", Relation("two"), (("id", "id"),)),))

    assert len(await exporter.rows(T0, beside)) == ROWS
    assert copies.order == [0]


async def test_a_materialized_view_is_read_by_several(
    tables: Source, exporter: Exporter, copies: Copies
) -> None:
    tables.run("CREATE MATERIALIZED VIEW other AS SELECT * FROM one ORDER BY id")

    assert [row["id"] for row in await exporter.rows(T0, table("other"))] == list(range(1, ROWS + 1))
    assert len(copies.order) > 1


def _alone(logs: Any) -> list[tuple[str, str]]:
    return [(entry["event"], entry["reason"]) for entry in logs if entry["event"].endswith("_reader")]


@pytest.mark.parametrize("by_transaction", [False, True], ids=["by session", "by transaction"])
async def test_behind_a_pooler_one_connection_reads(
    tables: Source, exporter: Exporter, copies: Copies, *, by_transaction: bool
) -> None:
    async with Pooler(tables.url, by_transaction=by_transaction) as pooler:
        exporter.database.close()
        exporter.database = Database(DatabaseSettings(url=SecretStr(pooler.url)))
        with capture_logs() as logs:
            report = await exporter.run(T0, ONE)
        exporter.database.close()

    assert _ids(exporter, report.keys["one"]) == list(range(1, ROWS + 1))
    assert _alone(logs) == [("export.one_reader", "a pooler is in between")]
    assert copies.order == [0]


async def test_an_older_server_is_read_by_one_connection(
    tables: Source, exporter: Exporter, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers_module, "OLDEST_SERVER", 990_000)

    with capture_logs() as logs:
        assert len(await exporter.rows(T0, ONE)) == ROWS

    assert _alone(logs) == [("export.one_reader", "the server is older than Postgres 14")]
    assert copies.order == [0]


async def test_a_role_that_may_not_share_its_snapshot_reads_alone(
    tables: Source, exporter: Exporter, copies: Copies
) -> None:
    tables.run("REVOKE EXECUTE ON FUNCTION pg_export_snapshot() FROM PUBLIC")
    tables.run("CREATE ROLE sharing LOGIN; GRANT SELECT ON one TO sharing")
    exporter.database.close()
    exporter.database = Database(DatabaseSettings(url=SecretStr(login(tables.url, "sharing"))))
    try:
        with capture_logs() as logs:
            assert len(await exporter.rows(T0, ONE)) == ROWS
        exporter.database.close()
    finally:
        tables.run("DROP OWNED BY sharing; DROP ROLE sharing")

    assert _alone(logs) == [("export.one_reader", "the role may not call pg_export_snapshot()")]
    assert copies.order == [0]


async def test_a_role_without_further_connections_reads_all_on_one(
    tables: Source, exporter: Exporter, copies: Copies
) -> None:
    tables.run("CREATE ROLE lonely LOGIN CONNECTION LIMIT 1; GRANT SELECT ON one TO lonely")
    exporter.database.close()
    exporter.database = Database(DatabaseSettings(url=SecretStr(login(tables.url, "lonely"))))
    try:
        with capture_logs() as logs:
            assert len(await exporter.rows(T0, ONE)) == ROWS
        exporter.database.close()
        until(lambda: _sessions(tables) == 0)
    finally:
        tables.run("DROP OWNED BY lonely; DROP ROLE lonely")

    fewer = [entry["reason"] for entry in logs if entry["event"] == "export.fewer_readers"]
    assert len(fewer) == 2
    assert "too many connections for role" in fewer[0]
    assert copies.order == PARTS
    assert len(copies.parts) == 1


async def test_a_session_on_another_server_reads_nothing(
    tables: Source, exporter: Exporter, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        readers_module,
        "_IMPORT",
        readers_module._IMPORT.replace("pg_catalog.pg_postmaster_start_time()", "now()"),
    )

    with capture_logs() as logs:
        assert len(await exporter.rows(T0, ONE)) == ROWS

    fewer = [entry["reason"] for entry in logs if entry["event"] == "export.fewer_readers"]
    assert fewer == ["another server answers at the same address"] * 2
    assert len(copies.parts) == 1


async def test_a_snapshot_that_cannot_be_imported_costs_only_readers(
    tables: Source, exporter: Exporter, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers_module, "_IMPORT", readers_module._IMPORT.replace("%s", "'x' || %s"))

    with capture_logs() as logs:
        assert len(await exporter.rows(T0, ONE)) == ROWS

    assert [entry["log_level"] for entry in logs if entry["event"] == "export.fewer_readers"] == [
        "warning"
    ] * 2
    assert len(copies.parts) == 1


async def test_a_reader_that_loses_its_connection_ends_the_run_and_leaves_nothing(
    tables: Source, exporter: Exporter, copies: Copies
) -> None:
    copies.together = threading.Barrier(3)
    ended: list[int] = []

    def end_a_helper(session: Any, _part: int) -> None:
        if threading.current_thread().name == "export-reader" and not ended:
            ended.append(session.info.backend_pid)
            tables.run("SELECT pg_terminate_backend(%s)", ended[0])

    copies.before = end_a_helper
    with pytest.raises(DependencyDown):
        await exporter.run(T0, ONE)

    assert exporter.listed() == []
    _nothing_is_left(exporter)
    copies.together = None
    assert len(await exporter.rows(T0 + HOUR, ONE)) == ROWS


async def test_a_value_that_one_reader_cannot_store_fails_the_table_and_not_the_next(
    tables: Source, exporter: Exporter, copies: Copies
) -> None:
    tables.run("ALTER TABLE one ADD price numeric(5, 2)")
    tables.run(f"UPDATE one SET price = 'NaN' WHERE id = {ROWS}")

    report = await exporter.run(T0, ONE, TWO)

    assert [type(outcome.error) for outcome in report.outcomes] == [UnstorableError, type(None)]
    assert exporter.listed() == [report.keys["two"]]
    _nothing_is_left(exporter)


async def test_a_statement_that_fails_for_one_reader_fails_the_table_and_not_the_next(
    tables: Source, exporter: Exporter, copies: Copies
) -> None:
    def fail(session: Any, part: int) -> None:
        if part == 7 and copies.order.count(7) == 1:
            with session.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")

    copies.before = fail

    report = await exporter.run(T0, ONE, TWO)

    assert "division_by_zero" in report.reasons
    assert _ids(exporter, report.keys["two"]) == list(range(1, ROWS + 1))
    assert exporter.listed() == [report.keys["two"]]
    _nothing_is_left(exporter)


async def _cancelled(running: "asyncio.Task[Any]", when: asyncio.Event) -> None:
    await when.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_cancelled_run_ends_readers_that_wait_for_the_encoder(
    tables: Source, exporter: Exporter, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder_module, "_AHEAD", 1)
    copies.together = threading.Barrier(3)
    loop, under_way, cancelled = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def hold(_table: str, _rows: int) -> None:
        loop.call_soon_threadsafe(under_way.set)
        cancelled.wait()

    exporter.options["progress"] = hold
    running = asyncio.create_task(exporter.run(T0, ONE))
    running.add_done_callback(lambda _: cancelled.set())
    await under_way.wait()
    running.cancel()
    await asyncio.sleep(0)
    cancelled.set()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert exporter.listed() == []
    _nothing_is_left(exporter)
    exporter.database.close()
    until(lambda: _sessions(tables) == 0)


async def test_a_cancelled_run_ends_a_reader_whose_statement_runs_when_the_others_have_finished(
    tables: Source, exporter: Exporter, copies: Copies
) -> None:
    loop, asleep = asyncio.get_running_loop(), asyncio.Event()

    def sleep(session: Any, part: int) -> None:
        if part == PARTS[-1]:
            with session.cursor() as cursor:
                loop.call_soon_threadsafe(asleep.set)
                cursor.execute("SELECT pg_sleep(600)")

    copies.before = sleep
    await _cancelled(asyncio.create_task(exporter.run(T0, ONE)), asleep)

    assert exporter.listed() == []
    _nothing_is_left(exporter)
    exporter.database.close()
    until(lambda: _sessions(tables) == 0)


async def test_all_connections_are_closed_after_a_run(
    tables: Source, exporter: Exporter, copies: Copies
) -> None:
    copies.together = threading.Barrier(3)

    await exporter.run(T0, ONE, TWO)

    exporter.database.close()
    until(lambda: _sessions(tables) == 0)
    _nothing_is_left(exporter)


@pytest.mark.parametrize(("processors", "readers"), [(1, 1), (2, 1), (4, 2), (64, 4)])
def test_a_machine_with_more_processors_reads_by_more_connections(processors: int, readers: int) -> None:
    assert default_readers(processors) == readers
