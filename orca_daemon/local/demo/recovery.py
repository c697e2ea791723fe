"""Second step: recover granules by `orca-daemon restore`, from the catalog to the copies in their buckets."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from orca_daemon.local.daemon import foreign_removed
from orca_daemon.local.demo.granules import ArchivedFile, DemoGranule
from orca_daemon.local.demo.scene import Scene, Step
from orca_daemon.producer import OrcaStatus


def recover(scene: Scene, granules: Sequence[DemoGranule]) -> Step:
    """Have the granules restored: S3 announces each file, and the daemon copies it."""
    step = Step("Granules recovered")
    files = [file for granule in granules for file in granule.files]
    told = _command(scene, [granule.id for granule in granules])
    job = told["job_id"]
    scene.wait("recovering files", len(files), lambda: sum(count(scene, job, "recovery_file").values()))
    scene.wait("completing granules", len(granules), lambda: sum(count(scene, job, "recovery_job").values()))
    step.facts = {"job": job, "granules": told["granules"], "files": told["objects"], "tier": told["tier"]}
    step.check("files that the command found in the catalog", len(files), told["objects"])
    step.check("files recovered", {OrcaStatus.SUCCESS: len(files)}, count(scene, job, "recovery_file"))
    step.check("granules complete", {OrcaStatus.SUCCESS: len(granules)}, count(scene, job, "recovery_job"))
    same = sum(_is_copied(scene, file) for file in files)
    step.check("copies with the archived content", len(files), same)
    return step


def _command(scene: Scene, granules: Sequence[str]) -> dict[str, Any]:
    """What `orca-daemon restore` prints for these granules."""
    arguments = ("restore", "--file", "-", "--tier", "Expedited", "--json")
    with scene.bar("requesting restores", 1) as set_done:
        done = subprocess.run(
            [sys.executable, "-m", "orca_daemon", *arguments],
            input="\n".join(granules),
            env=foreign_removed(os.environ) | scene.whereabouts.environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        set_done(1)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def count(scene: Scene, job: str, table: str) -> dict[int, int]:
    """Number of finished rows of a job, by status."""
    return dict(
        scene.rows(
            f"SELECT status_id, count(*) FROM orca.{table}"  # noqa: S608  our own two table names
            " WHERE job_id = %(job)s AND status_id IN (3, 4) GROUP BY status_id",
            {"job": job},
        )
    )


def _is_copied(scene: Scene, file: ArchivedFile) -> bool:
    try:
        head = scene.s3.head_object(Bucket=scene.bucket(file.destination), Key=file.key)
    except scene.s3.exceptions.ClientError:
        return False
    return head["ETag"] == file.etag and head.get("StorageClass", "STANDARD") == "STANDARD"
