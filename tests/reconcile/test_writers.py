"""Two processes that write the reports of one job, after one has lost the job's lock with its connection."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, NullPool, create_engine

from orca_daemon.reconcile import reports
from orca_daemon.reconcile.jobs import ReconcileJob
from orca_daemon.reconcile.protocol import Compared, differences
from orca_daemon.reconcile.reports import Written
from tests.reconcile.archive import Listed
from tests.reconcile.conftest import Bench

WAITING = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def test_the_second_writer_waits_and_replaces_what_the_first_wrote(bench: Bench, database_url: str) -> None:
    bench.compare([Listed("a")])
    job = ReconcileJob(bench.write(), datetime.now(UTC))
    engine = create_engine(database_url.replace("postgresql:", "postgresql+psycopg2:"), poolclass=NullPool)

    with ThreadPoolExecutor() as threads:
        with engine.begin() as first:
            written(first, bench, job)
            second = threads.submit(begun, engine, bench, job)
            while not (second.done() or bench.archive.rows(WAITING)):
                pass
        assert second.result() == Written(phantoms=0, orphans=1, mismatches=0)

    assert bench.archive.orphans(job.id) == {"a"}


def begun(engine: Engine, bench: Bench, job: ReconcileJob) -> Written:
    with engine.begin() as connection:
        return written(connection, bench, job)


def written(connection: Connection, bench: Bench, job: ReconcileJob) -> Written:
    assert isinstance(bench.result, Compared)
    return reports.write(connection, job, differences(bench.folder), bench.result)
