"""S3 half down, for longer than all attempts would take: no message is blamed, and all else goes on."""

import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

import psycopg2
import pytest

from orca_daemon.local.layout import DEAD_LETTER
from orca_daemon.wire.inventory import ExportRequest, export_message, inventory_message
from orca_daemon.wire.status import RecoveryStatus
from tests.end_to_end.conftest import Deployment
from tests.faults.conftest import events
from tests.faults.workload import SETTLED, Workload, everything_is_accounted_for
from tests.flaky_s3 import RESET, Answer, FlakyS3, error
from tests.reconcile.archive import Archive, Filed, Listed
from tests.waiting import until

IMPATIENT = {
    "ORCA_COPIES__ATTEMPTS": "1",
    "ORCA_COPIES__RETRY_SLEEP": "0.05",
    "ORCA_QUEUES__RECOVERY__MAX_ATTEMPTS": "1",
    "ORCA_QUEUES__INTERNAL_REPORT__MAX_ATTEMPTS": "1",
}
"""Whatever counts as an attempt here is the last one."""
ANSWERS = [error("InternalError", 500), error("SlowDown", 503), RESET, Answer(200, b"<", cut=True)]
READS = frozenset({"GET", "HEAD"})
LONG = 60.0
SOON = 150.0
"""Seconds; what waits longest looks once a minute."""
RECOVERED = (
    "SELECT count(*) FROM orca.recovery_file WHERE status_id = ANY (%s) AND job_id LIKE %s"
    " AND (%s = '' OR restore_destination = %s)"
)
COMPARED = "SELECT status_id FROM orca.reconcile_job"
SUCCESS = 5


@dataclass
class Outage:
    """Part of S3 fails; which part is told by method and bucket."""

    hits: Callable[[str, str], bool]
    chance: float = 1.0
    reported: Counter[str] = field(default_factory=Counter)
    """Faults by method."""
    _asked: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __call__(self, method: str, path: str) -> Answer | None:
        """One answer; the same requests meet the same ones in each run."""
        bucket = path.partition("?")[0].split("/")[1]
        nth = self._asked[method, path] = self._asked[method, path] + 1
        drawn = random.Random(f"{method} {path.partition('/d/')[2]} {nth}")
        if not bucket or not self.hits(method, bucket) or drawn.random() >= self.chance:
            return None
        self.reported[method] += 1
        return drawn.choice(ANSWERS)


def outage(kind: str, deployment: Deployment) -> tuple[Outage, set[str]]:
    """The outage, and what does not need what is down: copies to `public`, the `inventory`, the `export`."""
    protected = deployment.buckets["protected"]
    return {
        "reads": (Outage(lambda method, _: method in READS), set[str]()),
        "writes": (Outage(lambda method, _: method not in READS), {"inventory"}),
        "one bucket": (Outage(lambda _, bucket: bucket == protected), {"public", "inventory", "export"}),
        "half": (Outage(lambda *_: True, chance=0.5), set[str]()),
    }[kind]


@pytest.mark.parametrize(
    ("kind", "lasts"),
    [
        ("one bucket", 3.0),
        *(
            pytest.param(kind, LONG, marks=pytest.mark.matrix)
            for kind in ("reads", "writes", "one bucket", "half")
        ),
    ],
    ids=["some", "reads", "writes", "one-bucket", "half"],
)
def test_a_part_of_s3_that_fails_for_long_costs_nobody_an_attempt(
    deployment: Deployment, work: Workload, aws_endpoint: str, kind: str, lasts: float
) -> None:
    failing, goes_on = outage(kind, deployment)
    with FlakyS3(aws_endpoint) as s3, closing(psycopg2.connect(deployment.database_url)) as connection:
        connection.autocommit = True
        daemon = deployment.start(AWS_ENDPOINT_URL=s3.url, **IMPATIENT)
        archive = Archive(connection, deployment.s3, deployment.buckets["reports"])
        s3.answers = failing
        ends = time.monotonic() + lasts
        work.send_copies(20)
        work.send_copies(5, to="public")
        archive.catalog([Filed("lost")])
        deployment.send("internal_report", inventory_message(archive.inventory([Listed("new")])))
        export = ExportRequest(tables_to_query=("recovery_job",))
        deployment.send("internal_report", export_message(export))
        while time.monotonic() < ends:
            work.send(4)
            _await_status_updates(work)
        _await(deployment, goes_on)
        reported = failing.reported.total()
        s3.answers = lambda *_: None
        _await_copies(deployment, 20, "protected")
        _await(deployment, {"public", "inventory", "export"})
        everything_is_accounted_for(work, daemon)
        deployment.await_empty("internal_report")
        daemon.stop()
        assert (archive.orphans(1), archive.phantoms(1)) == ({"new"}, {"lost"})
    assert reported >= len(ANSWERS), failing.reported
    assert [deployment.left(f"{queue}{DEAD_LETTER}") for queue in ("recovery", "internal_report")] == [0, 0]
    assert events(deployment, "attempt.failed") == []


def _await_status_updates(work: Workload) -> None:
    """Return when the jobs that need no S3 are done."""
    jobs = sum(job.startswith("op-") for job in work.walks)
    work.deployment.await_rows([(jobs,)], RECOVERED, [*map(int, SETTLED)], "op-%", "", "")


def _await(deployment: Deployment, wanted: set[str]) -> None:
    """Return when this part of the work is done."""
    if "public" in wanted:
        _await_copies(deployment, 5, "public")
    if "inventory" in wanted:
        until(lambda: deployment.rows(COMPARED) == [(SUCCESS,)], patience=SOON, output=deployment.output)
    if "export" in wanted:
        until(lambda: _exported(deployment), patience=SOON, output=deployment.output)


def _await_copies(deployment: Deployment, files: int, to: str) -> None:
    bucket = deployment.buckets[to]
    wanted = ([int(RecoveryStatus.SUCCESS)], "copy-%", bucket, bucket)
    until(
        lambda: deployment.rows(RECOVERED, *wanted) == [(files,)],
        patience=SOON,
        output=lambda: (
            f"{deployment.rows(RECOVERED, *wanted)} of {files} copied to {to}\n{deployment.output()}"
        ),
    )


def _exported(deployment: Deployment) -> bool:
    bucket = deployment.buckets["export"]
    return deployment.s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
