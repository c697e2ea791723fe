"""Second step: recover granules, from the request to the copies in their buckets."""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote_plus
from uuid import uuid4

from orca_daemon.local.demo.granules import ArchivedFile, DemoGranule
from orca_daemon.local.demo.scene import Scene, Step
from orca_daemon.producer import OrcaStatus, create_status_for_jobs, post_entries_to_standard_queue
from orca_daemon.wire.times import format_time

_GRANULES_PER_JOB = 10
_CHUNK_MIB = 250


def recover(scene: Scene, granules: Sequence[DemoGranule], lost: ArchivedFile) -> Step:
    """Request the granules; all files are recovered but `lost`, which is deleted from the archive first."""
    step = Step("Granules recovered")
    files = [file for granule in granules for file in granule.files]
    jobs = [str(uuid4()) for _ in range(0, len(granules), _GRANULES_PER_JOB)]
    _request(scene, granules, jobs)
    scene.s3.delete_object(Bucket=scene.bucket("archive"), Key=lost.key)
    _restore(scene, [file for file in files if file is not lost], [lost])
    scene.wait("copying files", len(files), lambda: sum(_count(scene, jobs, "recovery_file").values()))
    scene.wait(
        "completing granules", len(granules), lambda: sum(_count(scene, jobs, "recovery_job").values())
    )
    _check_copies(scene, step, granules, jobs, lost)
    return step


def _request(scene: Scene, granules: Sequence[DemoGranule], jobs: Sequence[str]) -> None:
    """Do what ORCA's `request_from_archive` does: a `new_job` for each granule."""
    now = format_time(scene.started)
    requests = [
        {
            "job_id": jobs[number // _GRANULES_PER_JOB],
            "collection_id": granule.collection,
            "granule_id": granule.id,
            "archive_destination": scene.bucket("archive"),
            "files": [
                {
                    "success": True,
                    "filename": file.name,
                    "keyPath": file.key,
                    "restoreDestination": scene.bucket(file.destination),
                    "s3MultipartChunksizeMb": _CHUNK_MIB,
                    "statusId": OrcaStatus.PENDING.value,
                    "requestTime": now,
                    "lastUpdate": now,
                }
                for file in granule.files
            ],
        }
        for number, granule in enumerate(granules)
    ]
    create_status_for_jobs(requests, scene.queue("status_update"), client=scene.sqs)


def _restore(scene: Scene, present: Sequence[ArchivedFile], lost: Sequence[ArchivedFile]) -> None:
    """Restore the objects, and send the events that S3 sends when a restore is complete."""
    with scene.bar("restoring from Glacier", len(present)) as set_done:
        for done, file in enumerate(present, 1):
            scene.s3.restore_object(
                Bucket=scene.bucket("archive"),
                Key=file.key,
                RestoreRequest={"Days": 5, "GlacierJobParameters": {"Tier": "Expedited"}},
            )
            set_done(done)
    events = list(_events(scene, [*present, *lost]))
    post_entries_to_standard_queue(events, scene.queue("recovery"), client=scene.sqs)


def _events(scene: Scene, files: Sequence[ArchivedFile]) -> Iterator[dict[str, Any]]:
    for file in files:
        yield {
            "Records": [
                {
                    "eventVersion": "2.1",
                    "eventSource": "aws:s3",
                    "awsRegion": "us-west-2",
                    "eventTime": format_time(scene.started),
                    "eventName": "ObjectRestore:Completed",
                    "s3": {
                        "bucket": {"name": scene.bucket("archive")},
                        "object": {"key": quote_plus(file.key, safe="/"), "size": len(file.body)},
                    },
                }
            ]
        }


def _count(scene: Scene, jobs: Sequence[str], table: str) -> dict[int, int]:
    """Number of finished rows of these jobs, by status."""
    return dict(
        scene.rows(
            f"SELECT status_id, count(*) FROM orca.{table}"  # noqa: S608  our own two table names
            " WHERE job_id = ANY(%(jobs)s) AND status_id IN (3, 4) GROUP BY status_id",
            {"jobs": list(jobs)},
        )
    )


def _check_copies(
    scene: Scene, step: Step, granules: Sequence[DemoGranule], jobs: Sequence[str], lost: ArchivedFile
) -> None:
    files = [file for granule in granules for file in granule.files]
    counted = _count(scene, jobs, "recovery_file")
    step.facts = {
        "jobs": len(jobs),
        "granules": len(granules),
        "files recovered": counted.get(OrcaStatus.SUCCESS, 0),
        "files failed": counted.get(OrcaStatus.FAILED, 0),
    }
    step.check("files recovered", len(files) - 1, counted.get(OrcaStatus.SUCCESS, 0))
    step.check("files failed, being lost", 1, counted.get(OrcaStatus.FAILED, 0))
    ended = _count(scene, jobs, "recovery_job")
    step.check("granules complete", len(granules) - 1, ended.get(OrcaStatus.SUCCESS, 0))
    step.check("granules in error", 1, ended.get(OrcaStatus.FAILED, 0))
    same = sum(_is_copied(scene, file) for file in files if file is not lost)
    step.check("copies with the archived content", len(files) - 1, same)
    reason = scene.rows(
        "SELECT error_message FROM orca.recovery_file WHERE job_id = ANY(%(jobs)s) AND filename = %(name)s",
        {"jobs": list(jobs), "name": lost.name},
    )
    step.facts["reason of the failure"] = reason[0][0] if reason else None


def _is_copied(scene: Scene, file: ArchivedFile) -> bool:
    try:
        head = scene.s3.head_object(Bucket=scene.bucket(file.destination), Key=file.key)
    except scene.s3.exceptions.ClientError:
        return False
    return head["ETag"] == file.etag and head.get("StorageClass", "STANDARD") == "STANDARD"
