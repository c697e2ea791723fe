"""`orca-daemon job --watch`: percent, bytes, rate and time left, until the job has ended."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, text
from typer.testing import CliRunner, Result

from orca_daemon.cli import app, job_watch
from orca_daemon.db.job_progress import JobBytes, JobProgress
from orca_daemon.operations.job_progress import Pace, Watched, pace
from orca_daemon.wire.status import RecoveryStatus
from tests.cli.conftest import insert_recovery

PENDING, STAGED, FAILED, SUCCESS = RecoveryStatus
NOW = datetime(2026, 11, 29, tzinfo=UTC)
GIB = 1 << 30


def reading(seconds: float, success: int, copied: int, *, failed: int = 0, sized: int = 100) -> JobProgress:
    return JobProgress(
        pending=100 - success - failed,
        staged=0,
        failed=failed,
        success=success,
        requested=NOW,
        last_update=NOW,
        read_at=NOW + timedelta(seconds=seconds),
        bytes=JobBytes(sized=sized, total=100 * GIB, failed=failed * GIB, copied=copied * GIB),
    )


def test_rate_and_time_left_go_by_bytes_if_all_sizes_are_known() -> None:
    measured = pace([reading(0, 0, 0), reading(10, 5, 20)])
    assert measured == Pace(files_per_second=0.5, bytes_per_second=2 * GIB, seconds_left=40)
    watched = Watched("j", reading(10, 5, 20), measured)
    assert watched.progress.percent == 20
    assert job_watch.line(watched) == (
        "j  20.0 %  5 of 100 files (0 staged, 0 failed)  20.0 GiB of 100.0 GiB  2.0 GiB/s  0:00:40 left"
    )


def test_they_go_by_files_if_a_size_is_unknown_and_what_failed_has_ended() -> None:
    before, now = reading(0, 0, 0, sized=60), reading(10, 5, 20, failed=5, sized=60)
    measured = pace([before, now])
    assert (measured.files_per_second, measured.seconds_left) == (1, 90)
    assert now.percent == 10
    assert "known of 60 files" in job_watch.line(Watched("j", now, measured))


@pytest.mark.parametrize(
    "readings", [[reading(0, 1, 1)], [reading(0, 1, 1), reading(9, 1, 1)]], ids=["first", "nothing moves"]
)
def test_without_movement_the_time_left_is_unknown(readings: list[JobProgress]) -> None:
    assert pace(readings).seconds_left is None
    assert job_watch.line(Watched("j", readings[-1], pace(readings))).endswith("time left unknown")


def test_a_reading_that_goes_back_has_no_negative_rate() -> None:
    measured = pace([reading(0, 9, 9), reading(1, 5, 5)])
    assert (measured.files_per_second, measured.bytes_per_second, measured.seconds_left) == (0, 0, None)


def test_a_job_without_files_has_ended() -> None:
    empty = replace(reading(0, 0, 0), pending=0)
    assert (empty.is_over, empty.percent) == (True, 100)


CATALOG = """
INSERT INTO orca.providers VALUES ('p', 'p');
INSERT INTO orca.collections VALUES ('c', 'c', '1');
INSERT INTO orca.granules (
    provider_id, collection_id, cumulus_granule_id, execution_id, ingest_time, cumulus_create_time,
    last_update
) VALUES ('p', 'c', 'g', 'e', now(), now(), now());
INSERT INTO orca.files (
    granule_id, name, orca_archive_location, cumulus_archive_location, key_path, ingest_time, etag, version,
    size_in_bytes, storage_class_id
) SELECT granules.id, n || '.h5', 'a', 'b', 'd/' || n || '.h5', now(), 'e', 'v', 1024, 1
FROM orca.granules, generate_series(0, 2) AS n;
"""


@pytest.fixture
def job(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Result]:
    """A job of three files, one of which ends between two readings; returns what `--watch` prints."""
    insert_recovery(connection, "job-1", SUCCESS, PENDING, PENDING, archive="a")
    connection.execute(text(CATALOG))
    statuses = [4, 3]

    async def sleep(_: float) -> None:
        connection.execute(
            text("UPDATE orca.recovery_file SET status_id = :status WHERE filename = :name"),
            {"status": statuses.pop(0), "name": f"{2 - len(statuses)}.h5"},
        )

    monkeypatch.setattr("orca_daemon.cli.job_watch.sleep", sleep)
    return lambda *arguments: CliRunner().invoke(app, ["job", "job", "--watch", *arguments])


def test_a_pipe_gets_a_line_for_each_change_until_the_job_has_ended(job: Callable[..., Result]) -> None:
    result = job()
    lines = result.stdout.splitlines()
    assert [line.split("  ")[1:4] for line in lines] == [
        ["33.3 %", "1 of 3 files (0 staged, 0 failed)", "1.0 KiB of 3.0 KiB"],
        ["66.7 %", "2 of 3 files (0 staged, 0 failed)", "2.0 KiB of 3.0 KiB"],
        ["100.0 %", "3 of 3 files (0 staged, 1 failed)", "2.0 KiB of 3.0 KiB"],
    ]
    assert lines[-1].endswith("ended")
    assert result.exit_code == 1
    assert result.stderr == "1 file failed: orca-daemon job job-1 --status failed\n"


def test_json_is_an_object_on_each_line(job: Callable[..., Result]) -> None:
    readings = [json.loads(line) for line in job("--json").stdout.splitlines()]
    assert [(each["percent"], each["ended"]) for each in readings] == [
        (33.33, False),
        (66.67, False),
        (100, True),
    ]
    assert readings[-1]["bytes_copied"] == 2048
    assert readings[0]["seconds_left"] is None


def test_an_unknown_job_and_options_of_the_list_are_refused(connection: Connection) -> None:
    assert CliRunner().invoke(app, ["job", "nothing", "--watch"]).exit_code == 1
    assert CliRunner().invoke(app, ["job", "j", "--watch", "--csv"]).exit_code == 2
