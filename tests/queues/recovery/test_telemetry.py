"""Log lines about copies: progress of long ones, and the facts in the log line of a finished message."""

import asyncio
import json
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from orca_daemon.aws.s3copy import Copied, CopyProgress, S3Object
from orca_daemon.engine.errors import Reject
from orca_daemon.ops.metrics import Metrics
from orca_daemon.queues.recovery.telemetry import MOST, AttemptResults, CopyTelemetry, Result, due, line

GIB = 1024**3
HALF = CopyProgress(
    source=S3Object("a", "k"),
    target=S3Object("b", "k"),
    size=100 * GIB,
    done=50 * GIB,
    step=GIB,
    parts=100,
    seconds=256,
)
DONE = Copied(size=7, parts=1, skipped=False, by="ETag", seconds=1.0)


@pytest.mark.parametrize(
    ("seconds", "logged", "step", "is_due"),
    [(29.9, 0, 1, False), (30, 0, 1, True), (50, 30, 1, False), (60, 30, 1, True), (60, 0, 0, False)],
)
def test_a_progress_line_is_due_after_half_a_minute(
    seconds: float,
    logged: float,
    step: int,
    is_due: bool,  # noqa: FBT001  pytest passes it
) -> None:
    assert due(replace(HALF, seconds=seconds, step=step), logged, 30) is is_due


def test_a_line_has_bytes_rate_and_time_left() -> None:
    assert line(HALF) == {
        "source": "s3://a/k",
        "target": "s3://b/k",
        "bytes": 50 * GIB,
        "size": 100 * GIB,
        "mib_per_second": 200.0,
        "seconds_left": 256,
    }


async def test_a_cancelled_copy_is_not_counted_as_a_failure() -> None:
    metrics = Metrics()
    with pytest.raises(asyncio.CancelledError):
        async with CopyTelemetry(metrics.copies).timed(HALF.target):
            raise asyncio.CancelledError
    assert metrics.registry.get_sample_value("orca_daemon_copy_seconds_count", {"outcome": "failed"}) == 0


def test_long_copies_are_logged_and_short_ones_are_not() -> None:
    metrics = Metrics()
    telemetry = CopyTelemetry(metrics.copies)
    with capture_logs() as logs:
        for seconds in (0.0, 10.0, 31.0, 40.0, 62.0):
            telemetry.moved(replace(HALF, seconds=seconds))
        telemetry.moved(replace(HALF, done=HALF.size, seconds=99.0))
    assert [entry["event"] for entry in logs] == ["copy.progress"] * 2
    assert metrics.registry.get_sample_value("orca_daemon_copy_bytes_total") == 6 * GIB
    assert telemetry._logged == {}


def test_a_line_of_many_files_names_those_that_failed() -> None:
    copied = [Result(S3Object("archive", f"{n}"), S3Object("public", f"{n}"), DONE) for n in range(MOST)]
    attempt = AttemptResults(copied)
    attempt.failed(S3Object("archive", "z"), [], Reject("no bucket is set for .z files"))
    facts = attempt.facts()
    assert (facts["files_copied"], facts["files_failed"]) == (str(MOST), "1")
    reported = json.loads(facts["results"])
    assert len(reported) == MOST
    assert reported[0] == {
        "success": False,
        "source_bucket": "archive",
        "source_key": "z",
        "target_bucket": "",
        "err_msg": "no bucket is set for .z files",
    }


def test_a_copy_that_failed_is_reported_once() -> None:
    source, error = S3Object("archive", "k"), Reject("gone")
    attempt = AttemptResults([Result(source, S3Object("public", "k"), error=error)])
    assert attempt.recorded(source)
    assert not attempt.recorded(S3Object("archive", "other"))
    assert attempt.facts() == {"target": "s3://public/k", "result": "failed", "error": "gone"}


def test_an_object_that_cannot_be_read_is_reported_for_each_of_its_targets() -> None:
    attempt = AttemptResults()
    attempt.failed(S3Object("archive", "k"), ["protected", "public"], Reject("gone"))
    reported = json.loads(attempt.facts()["results"])
    assert [(each["target_bucket"], each["err_msg"]) for each in reported] == [
        ("protected", "gone"),
        ("public", "gone"),
    ]
