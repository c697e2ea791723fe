"""Old jobs and reports are removed in small transactions, without reading a whole table."""

import re
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from typing import Self

import pytest

from orca_daemon.db.database import Database
from orca_daemon.db.migrate import plan, status, upgrade
from orca_daemon.db.sql import load
from orca_daemon.queues.internal_report.comparisons import instrumented
from orca_daemon.queues.services import Services
from orca_daemon.reconcile.expiry import expire
from orca_daemon.reconcile.run import Reconciler
from tests.reconcile.archive import CREATED, Archive, Filed, Listed

AGED = "UPDATE orca.reconcile_job SET last_update = now() - make_interval(days => %s) WHERE id = %s"


async def reported(archive: Archive, reconciler: Reconciler, age: int) -> int:
    """A job that is this many days old, with seven orphans, a phantom and a mismatch."""
    rows = [Listed(f"o{i}") for i in range(7)] + [Listed("m", "other")]
    outcome = await reconciler.inventory(archive.inventory(rows, created=CREATED - timedelta(days=age)))
    archive.execute(AGED, age, outcome.job)
    return outcome.job


async def test_old_jobs_are_removed_with_their_reports_and_young_ones_stay(
    archive: Archive, reconciler: Reconciler, database: Database
) -> None:
    archive.catalog([Filed("p"), Filed("m")])
    old = await reported(archive, reconciler, 31)
    young = await reported(archive, reconciler, 29)

    removed = await expire(database, timedelta(days=30), batch=3)

    assert removed == 1
    assert archive.rows("SELECT id FROM orca.reconcile_job") == [(young,)]
    assert (archive.orphans(old), archive.phantoms(old), archive.mismatches(old)) == (set(), set(), {})
    assert (len(archive.orphans(young)), archive.phantoms(young)) == (7, {"p"})


async def test_a_clock_ahead_of_the_database_deletes_no_report_that_is_still_wanted(
    archive: Archive, reconciler: Reconciler, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.catalog([Filed("p"), Filed("m")])
    recent = await reported(archive, reconciler, 1)
    keep_30_days = services.settings.reconcile.model_copy(update={"expire_days": 30})
    settings = services.settings.model_copy(update={"reconcile": keep_30_days})

    class ClockAhead(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(days=31)

    monkeypatch.setattr("orca_daemon.queues.internal_report.comparisons.datetime", ClockAhead, raising=False)
    newer = archive.inventory([Listed("o1")], created=CREATED + timedelta(days=1))
    await instrumented(
        replace(services, settings=settings),
        "x",
        lambda listen: reconciler.inventory(newer, on_message=listen),
    )

    assert len(archive.orphans(recent)) == 7


async def test_a_stored_listing_is_removed_with_its_job_once_its_partition_has_an_index(
    archive: Archive, database: Database, database_url: str
) -> None:
    archive.stored(1, [(f"k{i}", '"e"', 1, False) for i in range(10)], status=2)
    archive.stored(2, [], status=2)
    archive.execute(AGED, 31, 1)
    step = "index reconcile_s3_object_archive by job, beside running work"
    assert step in plan(status(database_url))
    upgrade(database_url)
    assert plan(status(database_url)) == []

    removed = await expire(database, timedelta(days=30), batch=3)

    assert removed == 1
    assert archive.rows("SELECT id FROM orca.reconcile_job") == [(2,)]
    assert archive.rows("SELECT count(*) FROM orca.reconcile_s3_object") == [(0,)]


async def test_jobs_are_kept_while_their_deletion_would_read_a_large_listing(
    archive: Archive, database: Database
) -> None:
    archive.stored(1, [], status=2)
    archive.execute(
        "INSERT INTO orca.reconcile_s3_object "
        "SELECT 1, 'archive', 'k' || i, repeat('e', 300), now(), 1, 'GLACIER' "
        "FROM generate_series(1, 30000) i"
    )
    archive.execute(AGED, 31, 1)

    assert await expire(database, timedelta(days=30)) == 0
    assert archive.rows("SELECT id FROM orca.reconcile_job") == [(1,)]


@pytest.mark.parametrize("part", ["phantoms", "orphans", "mismatches"])
def test_rows_of_a_job_are_found_by_an_index(archive: Archive, part: str) -> None:
    statement = re.sub(r":(\w+)", "7", load("orca_daemon.reconcile", "expiry.sql")[part].text)
    archive.execute("SET enable_seqscan = off")

    text = "\n".join(line for (line,) in archive.rows(f"EXPLAIN {statement}"))

    assert "Index" in text
    assert "Seq Scan" not in text
