"""The whole loop: catalogued by messages, restored by the command or a state machine, copied, reconciled."""

import gzip
import hashlib
import json
import subprocess
import sys
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen
from uuid import uuid4

import pytest

from orca_daemon.local.daemon import foreign_removed
from orca_daemon.local.moto import REGION
from orca_daemon.local.stack import daemon_environment
from orca_daemon.producer import post_all_to_metadata_queue
from orca_daemon.wire.inventory import InventoryPointer, inventory_message
from orca_daemon.wire.outgoing import Outgoing
from tests.end_to_end.conftest import Deployment
from tests.fake_step_functions import FakeStepFunctions
from tests.queues.catalog import messages as catalog
from tests.waiting import PATIENCE

INGESTED = "2026-11-01T00:00:00.000000+00:00"
TOKEN = "token-AQC4+secret/of=the-task"
JOB = "SELECT granule_id, status_id FROM orca.recovery_job ORDER BY granule_id"
Archived = dict[str, bytes]
"""Key to content."""


def _archive(loop: Deployment, granule: str, names: tuple[str, ...]) -> Archived:
    """Store files, and send what ingest sends about them."""
    archive, files, contents = loop.buckets["archive"], [], {}
    for name in names:
        key, body = f"d/{granule}/{name}", f"content of {granule} {name}".encode()
        stored = loop.s3.put_object(Bucket=archive, Key=key, Body=body, StorageClass="GLACIER")
        contents[key] = body
        files.append(
            catalog.file(
                key,
                cumulusArchiveLocation=loop.buckets["protected"],
                orcaArchiveLocation=archive,
                sizeInBytes=len(body),
                version=stored.get("VersionId", "null"),
                ingestTime=INGESTED,
                etag=stored["ETag"],
            )
        )
    times = {"cumulusCreateTime": INGESTED, "ingestTime": INGESTED, "lastUpdate": INGESTED}
    collection = {"collectionId": "C___1", "shortname": "C", "version": "1"}
    record = catalog.body(*files, granule_id=granule, **times) | {"collection": collection}
    post_all_to_metadata_queue([record], loop.queues["catalog"], client=loop.sqs)
    return contents


def _command(loop: Deployment, *arguments: str) -> dict[str, Any]:
    addresses = daemon_environment(loop.database_url, "http://127.0.0.1:0", loop.queues, loop.buckets)
    done = subprocess.run(
        [sys.executable, "-m", "orca_daemon", "restore", *arguments, "--json"],
        env=foreign_removed({}) | loop.environment | addresses,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _copies(loop: Deployment, contents: Archived) -> Archived:
    """What is at the destinations."""
    bucket = loop.buckets["protected"]
    return {key: loop.s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in contents}


def _inventory(loop: Deployment) -> Outgoing:
    """An inventory of the archive as it is, and the message that points to it."""
    archive, reports = loop.buckets["archive"], loop.buckets["reports"]
    listed = loop.s3.list_objects_v2(Bucket=archive)["Contents"]
    rows = [
        f'"{archive}","{quote(entry["Key"])}","{entry["Size"]}","2026-11-01T00:00:00.000Z",'
        f'"{entry["ETag"].strip(chr(34))}","{entry["StorageClass"]}"\n'
        for entry in listed
    ]
    data = gzip.compress("".join(rows).encode())
    manifest = {
        "sourceBucket": archive,
        "destinationBucket": f"arn:aws:s3:::{reports}",
        "version": "2016-11-30",
        "creationTimestamp": "1795910400000",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size, LastModifiedDate, ETag, StorageClass",
        "files": [{"key": "x.csv.gz", "size": len(data), "MD5checksum": hashlib.md5(data).hexdigest()}],  # noqa: S324  the format's own
    }
    loop.s3.put_object(Bucket=reports, Key="x.csv.gz", Body=data)
    loop.s3.put_object(Bucket=reports, Key="x/manifest.json", Body=json.dumps(manifest).encode())
    return inventory_message(
        InventoryPointer(
            report_bucket_region=REGION, report_bucket_name=reports, manifest_key="x/manifest.json"
        )
    )


def _asked(url: str) -> float:
    with urlopen(f"{url}/metrics", timeout=5) as answer:  # noqa: S310  our own address
        lines = answer.read().decode().splitlines()
    [value] = [line for line in lines if line.startswith('orca_daemon_restore_files_total{step="ask"}')]
    return float(value.rpartition(" ")[2])


@pytest.mark.slow
def test_the_whole_loop_needs_no_lambda(loop: Deployment) -> None:
    loop.start()
    contents = _archive(loop, "G", ("a.h5", "a b+é.met")) | _archive(loop, "H", ("b.h5",))
    loop.until(lambda: loop.rows("SELECT count(*) FROM orca.files"), [(3,)])

    told = _command(loop, "G", "H", "--tier", "Expedited")

    assert (told["granules"], told["objects"], told["posted"]) == (2, 3, 1)
    loop.await_rows([("G", 4), ("H", 4)], JOB)
    assert _copies(loop, contents) == contents
    loop.send("internal_report", _inventory(loop))
    loop.await_rows([(5, None)], "SELECT status_id, error_message FROM orca.reconcile_job")
    for report in ("phantom", "orphan", "catalog_mismatch"):
        assert loop.rows(f"SELECT key_path FROM orca.reconcile_{report}_report") == []
    assert [
        loop.left(f"{name}_dead_letter") for name in ("catalog", "restore", "recovery", "status_update")
    ] == [0] * 4


def test_granules_are_restored_by_the_command_once_though_it_is_repeated(loop: Deployment) -> None:
    daemon = loop.start()
    _archive(loop, "G", ("a.h5", "b.h5"))
    loop.until(lambda: loop.rows("SELECT count(*) FROM orca.files"), [(2,)])

    told = _command(loop, "G", "--job", "op-1")
    assert told["job_id"] == "op-1"
    _command(loop, "G", "--job", "op-1")
    loop.await_rows([("G", 4)], JOB)
    _command(loop, "G", "--job", "op-1")
    loop.await_empty("restore", "recovery", "status_update")

    assert _asked(daemon.url) == 2
    assert loop.rows(JOB) == [("G", 4)]


def _workflow(loop: Deployment, key: str) -> dict[str, Any]:
    """The message of the state machine in deploy/stepfunctions, for one file."""
    return {
        "taskToken": TOKEN,
        "payload": {
            "granules": [
                {"collectionId": "C___1", "granuleId": "G", "files": [{"fileName": "a.h5", "key": key}]}
            ]
        },
        "config": {
            "buckets": {"protected": {"name": loop.buckets["protected"], "type": "protected"}},
            "fileBucketMaps": [{"regex": ".*\\.h5$", "bucket": "protected"}],
            "asyncOperationId": "op-1",
        },
    }


def test_a_state_machine_waits_for_the_restore_and_gets_its_output(loop: Deployment) -> None:
    with FakeStepFunctions() as states:
        task = states.waits(TOKEN)
        loop.start(AWS_ENDPOINT_URL_SFN=states.url)
        _archive(loop, "G", ("a.h5",))
        loop.send("restore", Outgoing(body=json.dumps(_workflow(loop, "d/G/a.h5"))))

        loop.until(lambda: task.ended, expected=True)
        [granule] = task.output["granules"]
        [file] = granule["recoverFiles"]
        assert task.heartbeats >= 1
        assert task.output["asyncOperationId"] == "op-1"
        assert (granule["granuleId"], file["filename"], file["statusId"]) == ("G", "a.h5", 1)
        loop.await_rows([("G", 4)], JOB)
    assert TOKEN not in loop.log.read_text()


def test_a_state_machine_hears_why_nothing_was_asked_for(loop: Deployment) -> None:
    with FakeStepFunctions() as states:
        lost, refused, malformed = (states.waits(f"{TOKEN}{number}") for number in range(3))
        loop.start(AWS_ENDPOINT_URL_SFN=states.url, ORCA_RESTORE__TIERS="Standard")
        bodies = [_workflow(loop, "d/no-such-key") for _ in range(3)]
        bodies[1]["config"]["defaultRecoveryTypeOverride"] = "Bulk"
        bodies[2]["config"]["fileBucketMaps"] = []
        for number, body in enumerate(bodies):
            body["taskToken"] += str(number)
            body["config"]["asyncOperationId"] = uuid4().hex
            loop.send("restore", Outgoing(body=json.dumps(body)))

        for task in (lost, refused, malformed):
            loop.until(lambda task=task: task.ended, expected=True)  # type: ignore[misc]
    assert [task.error for task in (lost, refused, malformed)] == [
        "RestoreFailed",
        "RestoreRefused",
        "RestoreRefused",
    ]
    assert lost.cause is not None
    assert "does not exist" in lost.cause
    assert refused.cause is not None
    assert "restore.tiers" in refused.cause
    assert malformed.cause is not None
    assert "no pattern of fileBucketMaps matches a.h5" in malformed.cause
    assert TOKEN not in loop.log.read_text()
    letters = loop.dead_letters("restore", 2)
    assert not any(TOKEN in str(letter.evidence) for letter in letters)
