"""A part of S3 fails for longer than all attempts last: no message is dead-lettered, other work continues."""

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
from tests.faults.workload import FINAL_STATUSES, Workload, everything_is_accounted_for
from tests.flaky_s3 import RESET, Answer, FlakyS3, error
from tests.reconcile.archive import Archive, Filed, Listed
from tests.waiting import until

ONE_ATTEMPT = {
    "ORCA_COPIES__ATTEMPTS": "1",
    "ORCA_COPIES__RETRY_SLEEP": "0.05",
    "ORCA_QUEUES__RECOVERY__MAX_ATTEMPTS": "1",
    "ORCA_QUEUES__INTERNAL_REPORT__MAX_ATTEMPTS": "1",
}
"""With one attempt allowed, a failure that is wrongly counted as an attempt dead-letters the message."""
ANSWERS = [error("InternalError", 500), error("SlowDown", 503), RESET, Answer(200, b"<", cut=True)]
READS = frozenset({"GET", "HEAD"})
LONG_OUTAGE = 60.0
RECOVERY_TIMEOUT = 150.0
"""Seconds; the longest backoff is one minute."""
RECOVERED = (
    "SELECT count(*) FROM orca.recovery_file WHERE status_id = ANY (%s) AND job_id LIKE %s"
    " AND (%s = '' OR restore_destination = %s)"
)
COMPARED = "SELECT status_id FROM orca.reconcile_job"
SUCCESS = 5


@dataclass
class Outage:
    """Requests for a part of S3 fail; `affects(method, bucket)` defines the part."""

    affects: Callable[[str, str], bool]
    probability: float = 1.0
    faults: Counter[str] = field(default_factory=Counter)
    """Number of injected faults by method."""
    _requests: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __call__(self, method: str, path: str) -> Answer | None:
        """The fault for one request; the seed makes it the same in each run."""
        bucket = path.partition("?")[0].split("/")[1]
        nth = self._requests[method, path] = self._requests[method, path] + 1
        rng = random.Random(f"{method} {path.partition('/d/')[2]} {nth}")
        if not bucket or not self.affects(method, bucket) or rng.random() >= self.probability:
            return None
        self.faults[method] += 1
        return rng.choice(ANSWERS)


def outage(kind: str, deployment: Deployment) -> tuple[Outage, set[str]]:
    """The outage, and the work that must finish during it: copies to `public`, `inventory`, `export`."""
    protected = deployment.buckets["protected"]
    return {
        "reads": (Outage(lambda method, _: method in READS), set[str]()),
        "writes": (Outage(lambda method, _: method not in READS), {"inventory"}),
        "one bucket": (Outage(lambda _, bucket: bucket == protected), {"public", "inventory", "export"}),
        "half": (Outage(lambda *_: True, probability=0.5), set[str]()),
    }[kind]


@pytest.mark.parametrize(
    ("kind", "seconds"),
    [
        ("one bucket", 3.0),
        *(
            pytest.param(kind, LONG_OUTAGE, marks=pytest.mark.matrix)
            for kind in ("reads", "writes", "one bucket", "half")
        ),
    ],
    ids=["some", "reads", "writes", "one-bucket", "half"],
)
def test_an_outage_of_a_part_of_s3_costs_no_message_an_attempt(
    deployment: Deployment, work: Workload, aws_endpoint: str, kind: str, seconds: float
) -> None:
    failing, unaffected = outage(kind, deployment)
    with FlakyS3(aws_endpoint) as s3, closing(psycopg2.connect(deployment.database_url)) as connection:
        connection.autocommit = True
        daemon = deployment.start(AWS_ENDPOINT_URL=s3.url, **ONE_ATTEMPT)
        archive = Archive(connection, deployment.s3, deployment.buckets["reports"])
        s3.answers = failing
        end = time.monotonic() + seconds
        work.send_copies(20)
        work.send_copies(5, to="public")
        archive.catalog([Filed("lost")])
        deployment.send("internal_report", inventory_message(archive.inventory([Listed("new")])))
        export = ExportRequest(tables_to_query=("recovery_job",))
        deployment.send("internal_report", export_message(export))
        while time.monotonic() < end:
            work.send(4)
            _await_status_updates(work)
        _await_work(deployment, unaffected)
        injected = failing.faults.total()
        s3.answers = lambda *_: None
        _await_copies(deployment, 20, "protected")
        _await_work(deployment, {"public", "inventory", "export"})
        everything_is_accounted_for(work, daemon)
        deployment.await_empty("internal_report")
        daemon.stop()
        assert (archive.orphans(1), archive.phantoms(1)) == ({"new"}, {"lost"})
    assert injected >= len(ANSWERS), failing.faults
    assert [deployment.left(f"{queue}{DEAD_LETTER}") for queue in ("recovery", "internal_report")] == [0, 0]
    assert events(deployment, "attempt.failed") == []


def _await_status_updates(work: Workload) -> None:
    """Wait until the jobs that do not use S3 are finished."""
    jobs = sum(job.startswith("op-") for job in work.statuses)
    work.deployment.await_rows([(jobs,)], RECOVERED, [*map(int, FINAL_STATUSES)], "op-%", "", "")


def _await_work(deployment: Deployment, names: set[str]) -> None:
    """Wait until these parts of the work are finished."""
    if "public" in names:
        _await_copies(deployment, 5, "public")
    if "inventory" in names:
        until(
            lambda: deployment.rows(COMPARED) == [(SUCCESS,)],
            patience=RECOVERY_TIMEOUT,
            output=deployment.output,
        )
    if "export" in names:
        until(lambda: _exported(deployment), patience=RECOVERY_TIMEOUT, output=deployment.output)


def _await_copies(deployment: Deployment, files: int, to: str) -> None:
    bucket = deployment.buckets[to]
    parameters = ([int(RecoveryStatus.SUCCESS)], "copy-%", bucket, bucket)
    until(
        lambda: deployment.rows(RECOVERED, *parameters) == [(files,)],
        patience=RECOVERY_TIMEOUT,
        output=lambda: (
            f"{deployment.rows(RECOVERED, *parameters)} of {files} copied to {to}\n{deployment.output()}"
        ),
    )


def _exported(deployment: Deployment) -> bool:
    bucket = deployment.buckets["export"]
    return deployment.s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
