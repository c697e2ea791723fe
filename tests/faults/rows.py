"""Checks every column of every row, and every object, that a workload must leave behind."""

from datetime import datetime, timedelta
from typing import Any

from orca_daemon.producer import OrcaStatus
from tests.end_to_end.conftest import Deployment
from tests.end_to_end.messages import COLLECTION, START
from tests.faults.workload import FILE, Workload

FILES = (
    "SELECT job_id, collection_id, granule_id, filename, key_path, multipart_chunksize_mb,"
    " restore_destination, status_id, error_message, request_time, last_update, completion_time"
    " FROM orca.recovery_file ORDER BY job_id"
)
JOBS = (
    "SELECT job_id, collection_id, granule_id, archive_destination, status_id, request_time, completion_time"
    " FROM orca.recovery_job ORDER BY job_id"
)
Row = tuple[Any, ...]


def every_row_is_right(work: Workload) -> None:
    """Compare all columns of all rows.

    The completion time of a copy is the daemon's own: it must be after `START` and equal in file and job.
    """
    deployment = work.deployment
    files, jobs = deployment.rows(FILES), deployment.rows(JOBS)
    completed = {row[0]: row[-1] for row in files}
    assert files == [_expected_file(work, job, completed[job]) for job in sorted(work.statuses)]
    assert jobs == [_expected_job(work, job, completed[job]) for job in sorted(work.statuses)]
    for job in set(completed) - set(_last_updates(work)):
        assert completed[job] > START, job


def every_object_is_right(work: Workload) -> None:
    """The bucket has each copy with its content, no other object, and no unfinished multipart upload."""
    deployment, bucket = work.deployment, work.deployment.buckets["protected"]
    listed = deployment.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [each["Key"] for page in listed for each in page.get("Contents", ())]
    assert sorted(keys) == sorted(work.copies)
    for key in keys:
        assert deployment.s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert deployment.s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


def _expected_file(work: Workload, job: str, completed: datetime) -> Row:
    status, updated = work.statuses[job][-1], _last_updates(work).get(job, completed)
    error = "lost" if status is OrcaStatus.FAILED else None
    return (*_names(work, job), None, _target(work, job), status, error, START, updated, updated)


def _expected_job(work: Workload, job: str, completed: datetime) -> Row:
    archive = work.deployment.buckets["archive"] if job.startswith("copy-") else "archive"
    updated = _last_updates(work).get(job, completed)
    return (job, COLLECTION, "g-1", archive, work.statuses[job][-1], START, updated)


def _names(work: Workload, job: str) -> Row:
    """Job, collection, granule, file name and key."""
    path = list(work.copies)[int(job.rpartition("-")[2])] if job.startswith("copy-") else f"d/{FILE}"
    return (job, COLLECTION, "g-1", path.rpartition("/")[2], path)


def _target(work: Workload, job: str) -> str:
    return work.deployment.buckets["protected"] if job.startswith("copy-") else "protected"


def _last_updates(work: Workload) -> dict[str, datetime]:
    """Time of the last update by job, for jobs whose updates come from a producer."""
    last = START + timedelta(seconds=5 + work.update_gap)
    return {job: last for job in work.statuses if not job.startswith("copy-")}


def nothing_is_left(deployment: Deployment) -> None:
    """No queue has a message, waiting or in flight, and no dead-letter queue has one."""
    assert {name: deployment.left(name) for name in deployment.queues} == dict.fromkeys(deployment.queues, 0)
