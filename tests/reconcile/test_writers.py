"""Two that write the reports of one job: the lock of a job is gone with its connection."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from sqlalchemy import Engine, NullPool, create_engine

from orca_daemon.reconcile import reports
from orca_daemon.reconcile.jobs import Job
from orca_daemon.reconcile.protocol import differences
from orca_daemon.reconcile.reports import Written
from tests.reconcile.archive import Listed
from tests.reconcile.conftest import Bench

WAITING = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def test_the_second_writer_waits_and_replaces_what_the_first_wrote(bench: Bench, database_url: str) -> None:
    bench.compare([Listed("a")])
    job = Job(bench.write(), datetime.now(UTC))
    engine = create_engine(database_url.replace("postgresql:", "postgresql+psycopg2:"), poolclass=NullPool)

    with ThreadPoolExecutor() as threads:
        with engine.begin() as first:
            reports.write(first, job, differences(bench.folder))
            second = threads.submit(written, engine, bench, job)
            while not (second.done() or bench.archive.rows(WAITING)):
                pass
        assert second.result() == Written(phantoms=0, orphans=1, mismatches=0)

    assert bench.archive.orphans(job.id) == {"a"}


def written(engine: Engine, bench: Bench, job: Job) -> Written:
    with engine.begin() as connection:
        return reports.write(connection, job, differences(bench.folder))
