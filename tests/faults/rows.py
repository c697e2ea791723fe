"""Every row and every object that a workload must leave behind, in full."""

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
    """Compare all columns of all rows; the times of copies are the daemons' own, and only have to agree."""
    deployment = work.deployment
    files, jobs = deployment.rows(FILES), deployment.rows(JOBS)
    ends = {row[0]: row[-1] for row in files}
    assert files == [_file(work, job, ends[job]) for job in sorted(work.walks)]
    assert jobs == [_job(work, job, ends[job]) for job in sorted(work.walks)]
    for job in set(ends) - set(_updated(work)):
        assert ends[job] > START, job


def every_object_is_right(work: Workload) -> None:
    """Each copy is there with its content, nothing else is, and no upload was left behind."""
    deployment, bucket = work.deployment, work.deployment.buckets["protected"]
    listed = deployment.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [found["Key"] for page in listed for found in page.get("Contents", ())]
    assert sorted(keys) == sorted(work.copies)
    for key in keys:
        assert deployment.s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert deployment.s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


def _file(work: Workload, job: str, end: datetime) -> Row:
    status, updated = work.walks[job][-1], _updated(work).get(job, end)
    error = "lost" if status is OrcaStatus.FAILED else None
    return (*_names(work, job), None, _target(work, job), status, error, START, updated, updated)


def _job(work: Workload, job: str, end: datetime) -> Row:
    archive = work.deployment.buckets["archive"] if job.startswith("copy-") else "archive"
    return (job, COLLECTION, "g-1", archive, work.walks[job][-1], START, _updated(work).get(job, end))


def _names(work: Workload, job: str) -> Row:
    path = list(work.copies)[int(job.rpartition("-")[2])] if job.startswith("copy-") else f"d/{FILE}"
    return (job, COLLECTION, "g-1", path.rpartition("/")[2], path)


def _target(work: Workload, job: str) -> str:
    return work.deployment.buckets["protected"] if job.startswith("copy-") else "protected"


def _updated(work: Workload) -> dict[str, datetime]:
    """The time of the last update, by job, where a producer made it."""
    last = START + timedelta(seconds=5 + work.apart)
    return {job: last for job in work.walks if not job.startswith("copy-")}


def nothing_is_left(deployment: Deployment) -> None:
    """No queue has a message, waiting or in flight, and no dead-letter queue has one."""
    assert {name: deployment.left(name) for name in deployment.queues} == dict.fromkeys(deployment.queues, 0)
