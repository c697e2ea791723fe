"""The catalog's columns of the reports are looked up, or gathered if the catalog is larger than the cache."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, text

from orca_daemon.reconcile import reports
from orca_daemon.reconcile.jobs import ReconcileJob
from orca_daemon.reconcile.protocol import Compared, differences
from tests.reconcile.archive import Filed, Listed
from tests.reconcile.conftest import Bench

ROWS = ("SELECT * FROM orca.reconcile_phantom_report", "SELECT * FROM orca.reconcile_catalog_mismatch_report")
CHANGED = range(0, 12, 2)
SETTINGS = ("enable_indexscan", "enable_seqscan", "work_mem", "effective_io_concurrency")


def compared(bench: Bench) -> int:
    """Compare a listing with many differences; return the job."""
    bench.archive.catalog(Filed(f"{number:02}", size=number) for number in range(12))
    bench.compare([*(Listed(f"{number:02}", size=99) for number in CHANGED), Listed("new")])
    return bench.write()


def written(bench: Bench) -> list[Any]:
    return [sorted(bench.archive.rows(query), key=str) for query in ROWS]


@contextmanager
def small_cache(bench: Bench) -> Iterator[None]:
    """New sessions believe that the server's cache is one page."""
    name = f'"{bench.archive.rows("SELECT current_database()")[0][0]}"'
    bench.archive.execute(f"ALTER DATABASE {name} SET effective_cache_size = 1")
    try:
        yield
    finally:
        bench.archive.execute(f"ALTER DATABASE {name} RESET effective_cache_size")


@pytest.mark.parametrize("most", [1, 4, 6, 12, 100])
def test_gathered_rows_are_those_that_are_looked_up(
    bench: Bench, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = compared(bench)
    looked_up = written(bench)
    assert [len(rows) for rows in looked_up] == [6, 6]

    monkeypatch.setattr(reports, "_GATHERED", most)
    statements = {name: statement for name, statement in reports._SQL.items() if name != "create_view"}
    monkeypatch.setattr(reports, "_SQL", statements)
    with small_cache(bench):
        assert bench.write() == job
    assert written(bench) == looked_up


@pytest.mark.parametrize("small", [False, True])
def test_rows_that_left_the_catalog_or_were_corrected_are_not_reported(bench: Bench, *, small: bool) -> None:
    compared(bench)
    bench.archive.execute("DELETE FROM orca.files WHERE key_path = '01'")
    bench.archive.execute("UPDATE orca.files SET size_in_bytes = 99 WHERE key_path = '02'")

    if small:
        with small_cache(bench):
            bench.write()
    else:
        bench.write()
    assert [len(rows) for rows in written(bench)] == [5, 5]


@pytest.mark.parametrize("small", [False, True])
def test_one_session_writes_reports_twice(bench: Bench, database_url: str, *, small: bool) -> None:
    compared(bench)
    expected = written(bench)
    engine = create_engine(database_url.replace("postgresql:", "postgresql+psycopg2:"), poolclass=NullPool)
    assert isinstance(bench.result, Compared)

    with engine.connect() as connection:
        for _ in range(2):
            job = reports.find_jobs(connection)[0]["id"]
            if small:
                connection.execute(text("SET LOCAL effective_cache_size = 1"))
            opened = ReconcileJob(job, datetime.now(UTC))
            reports.write(connection, opened, differences(bench.folder), bench.result)
            connection.commit()
    assert written(bench) == expected


def test_gathering_reads_by_bitmaps_which_the_server_reads_ahead_for(bench: Bench, database_url: str) -> None:
    compared(bench)
    engine = create_engine(database_url.replace("postgresql:", "postgresql+psycopg2:"), poolclass=NullPool)

    with engine.begin() as connection:
        before = [connection.execute(text(f"SHOW {name}")).scalar_one() for name in SETTINGS]
        for name in ("create_differences", "create_gathered", "begin_gathering"):
            connection.execute(reports._SQL[name])
        gather = text(f"EXPLAIN {reports._SQL['gather'].text}")
        plan = "\n".join(connection.execute(gather, {"after": 0, "until": 9}).scalars())
        connection.execute(reports._SQL["end_gathering"])
        after = [connection.execute(text(f"SHOW {name}")).scalar_one() for name in SETTINGS]

    assert "Bitmap Heap Scan on files" in plan
    assert "Bitmap Heap Scan on granules" in plan
    assert after == before


def test_very_many_differences_are_joined_with_the_whole_catalog(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared(bench)
    looked_up = written(bench)
    statements = {name: statement for name, statement in reports._SQL.items() if name != "gather"}
    monkeypatch.setattr(reports, "_SQL", statements)
    monkeypatch.setattr(reports, "_MOST_GATHERED", 11)

    with small_cache(bench):
        bench.write()
    assert written(bench) == looked_up
