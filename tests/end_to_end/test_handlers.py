"""Each handler in a real daemon process, from a message on its queue to rows and objects."""

import gzip
import hashlib
import json
from datetime import UTC, datetime
from urllib.request import urlopen

import pyarrow.parquet as pq
from pyarrow import BufferReader

from orca_daemon.local.moto import REGION
from orca_daemon.producer import OrcaStatus
from orca_daemon.wire import catalog
from orca_daemon.wire.copy import CopyRequest, copy_message
from orca_daemon.wire.inventory import ExportRequest, InventoryPointer, export_message, inventory_message
from orca_daemon.wire.outgoing import Outgoing
from tests.end_to_end.conftest import Deployment
from tests.end_to_end.messages import COLLECTION, START, new_job, update
from tests.queues.catalog.messages import body, file

JOBS = "SELECT granule_id, status_id FROM orca.recovery_job WHERE job_id = %s ORDER BY 1"
CATALOG = """
    SELECT key_path, cumulus_granule_id
    FROM orca.files JOIN orca.granules AS granule ON granule.id = granule_id ORDER BY 1
"""
FILES = "SELECT filename, status_id, error_message FROM orca.recovery_file WHERE job_id = %s ORDER BY 1"


def test_status_updates_become_rows(deployment: Deployment) -> None:
    deployment.start()
    deployment.send("status_update", new_job("op-1", ["a.hdf", "b.hdf"]))
    deployment.send("status_update", update("op-1", "a.hdf", OrcaStatus.SUCCESS))
    deployment.await_rows([("a.hdf", 4, None), ("b.hdf", 1, None)], FILES, "op-1")
    deployment.send("status_update", update("op-1", "b.hdf", OrcaStatus.FAILED, seconds=2))
    deployment.await_rows([("g-1", 3)], JOBS, "op-1")
    deployment.await_empty("status_update")


def test_catalog_records_become_rows_and_a_bad_one_costs_no_other(deployment: Deployment) -> None:
    granules = [f"g-{number}" for number in range(9)]
    bodies = [body(file(f"d/{granule}.h5"), granule_id=granule) for granule in granules]
    bad = body(file("d/bad.h5", storageClass="GLACIER_IR"), granule_id="bad")
    for document in [*bodies[:4], bad, *bodies[4:]]:
        deployment.send("catalog", catalog.outgoing(document))
    deployment.start()
    deployment.await_rows([(f"d/{granule}.h5", granule) for granule in granules], CATALOG)
    (letter,) = deployment.dead_letters("catalog", 1)
    assert json.loads(letter.body) == bad
    assert "GLACIER_IR" in letter.evidence["reason"]
    deployment.await_empty("catalog")


def test_a_copy_request_becomes_an_object_and_a_status(deployment: Deployment) -> None:
    archive, protected = deployment.buckets["archive"], deployment.buckets["protected"]
    deployment.s3.put_object(Bucket=archive, Key="d/a.hdf", Body=b"data", Metadata={"made": "by us"})
    deployment.start()
    deployment.send("status_update", new_job("op-1", ["a.hdf"], archive=archive, destination=protected))
    deployment.await_rows([("g-1", 1)], JOBS, "op-1")
    request = CopyRequest(
        job_id="op-1",
        collection_id=COLLECTION,
        granule_id="g-1",
        filename="a.hdf",
        restore_destination=protected,
        s3_multipart_chunksize_mb=250,
        source_key="d/a.hdf",
        target_key="d/a.hdf",
        source_bucket=archive,
    )
    deployment.send("recovery", copy_message(request))
    deployment.await_rows([("a.hdf", 4, None)], FILES, "op-1")
    copied = deployment.s3.get_object(Bucket=protected, Key="d/a.hdf")
    assert (copied["Body"].read(), copied["Metadata"]) == (b"data", {"made": "by us"})


def test_a_restore_event_becomes_an_object_and_a_status(deployment: Deployment) -> None:
    archive, public = deployment.buckets["archive"], deployment.buckets["public"]
    key = "d/a map+key.jpg"
    deployment.s3.put_object(Bucket=archive, Key=key, Body=b"picture", StorageClass="GLACIER")
    deployment.s3.restore_object(Bucket=archive, Key=key, RestoreRequest={"Days": 1})
    deployment.start()
    deployment.send("status_update", new_job("op-1", ["a map+key.jpg"], archive=archive, destination=public))
    deployment.await_rows([("g-1", 1)], JOBS, "op-1")
    record = {
        "eventSource": "aws:s3",
        "eventName": "ObjectRestore:Completed",
        "awsRegion": REGION,
        "s3": {"bucket": {"name": archive}, "object": {"key": "d/a+map%2Bkey.jpg"}},
    }
    deployment.send("recovery", Outgoing(body=json.dumps({"Records": [record]})))
    deployment.await_rows([("a map+key.jpg", 4, None)], FILES, "op-1")
    copied = deployment.s3.get_object(Bucket=public, Key=key)
    assert copied["Body"].read() == b"picture"
    assert copied.get("StorageClass", "STANDARD") == "STANDARD"


def test_an_inventory_becomes_three_reports(deployment: Deployment) -> None:
    archive, reports = deployment.buckets["archive"], deployment.buckets["reports"]
    _catalog(deployment, {"d/same": 10, "d/phantom": 10, "d/mismatch": 11})
    rows = [
        f'"{archive}","{key}","true","false","10","2026-11-01T00:00:00.000Z","e","GLACIER"\n'
        for key in ("d/same", "d/mismatch", "d/or%20phan")
    ]
    data = gzip.compress("".join(rows).encode())
    manifest = {
        "sourceBucket": archive,
        "destinationBucket": f"arn:aws:s3:::{reports}",
        "version": "2016-11-30",
        "creationTimestamp": str(int(START.timestamp() * 1000)),
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass",
        "files": [{"key": "x.csv.gz", "size": len(data), "MD5checksum": hashlib.md5(data).hexdigest()}],  # noqa: S324  the format's own
    }
    deployment.s3.put_object(Bucket=reports, Key="x.csv.gz", Body=data)
    deployment.s3.put_object(Bucket=reports, Key="x/manifest.json", Body=json.dumps(manifest).encode())
    deployment.start()
    pointer = InventoryPointer(
        report_bucket_region=REGION, report_bucket_name=reports, manifest_key="x/manifest.json"
    )
    deployment.send("internal_report", inventory_message(pointer))
    deployment.await_rows([(5, None)], "SELECT status_id, error_message FROM orca.reconcile_job")
    assert deployment.rows("SELECT key_path FROM orca.reconcile_phantom_report") == [("d/phantom",)]
    assert deployment.rows("SELECT key_path FROM orca.reconcile_orphan_report") == [("d/or phan",)]
    mismatches = "SELECT key_path, discrepancy_type FROM orca.reconcile_catalog_mismatch_report"
    assert deployment.rows(mismatches) == [("d/mismatch", "size_in_bytes")]


def test_an_export_becomes_parquet(deployment: Deployment) -> None:
    deployment.start()
    now = datetime.now(UTC)
    deployment.rows(
        "INSERT INTO orca.recovery_job (job_id, collection_id, granule_id, archive_destination, status_id,"
        " request_time) VALUES ('op-1', 'c', 'g', 'a', 1, %s)",
        now,
    )
    deployment.send("internal_report", export_message(ExportRequest(tables_to_query=("recovery_job",))))
    export = deployment.buckets["export"]

    def keys() -> list[str]:
        return [each["Key"] for each in deployment.s3.list_objects_v2(Bucket=export).get("Contents", [])]

    deployment.until(lambda: len(keys()), 1)
    assert keys()[0].startswith(f"recovery_job/{now:%Y/%m/%d}/")
    table = pq.read_table(BufferReader(deployment.s3.get_object(Bucket=export, Key=keys()[0])["Body"].read()))
    assert table.column("job_id").to_pylist() == ["op-1"]


def test_the_http_port_serves_health_and_metrics(deployment: Deployment) -> None:
    daemon = deployment.start()
    deployment.send("status_update", new_job("op-1", ["a.hdf"]))
    deployment.await_rows([("g-1", 1)], JOBS, "op-1")
    deployment.await_empty("status_update")
    for path in ("/livez", "/healthz", "/readyz"):
        assert _get(daemon.url + path)[0] == 200
    assert 'queue="status_update"' in _get(f"{daemon.url}/metrics")[1]


def _get(url: str) -> tuple[int, str]:
    with urlopen(url, timeout=10) as response:  # noqa: S310  the daemon's own port
        return response.status, response.read().decode()


def _catalog(deployment: Deployment, sizes: dict[str, int]) -> None:
    deployment.rows("INSERT INTO orca.providers VALUES ('p', NULL)")
    deployment.rows("INSERT INTO orca.collections VALUES (%s, 'MOD09GQ', '006')", COLLECTION)
    deployment.rows(
        "INSERT INTO orca.granules (id, provider_id, collection_id, cumulus_granule_id, execution_id,"
        " ingest_time, cumulus_create_time, last_update) VALUES (1, 'p', %s, 'g-1', 'e', %s, %s, %s)",
        COLLECTION,
        *[datetime(2026, 1, 1, tzinfo=UTC)] * 3,
    )
    for key, size in sizes.items():
        deployment.rows(
            "INSERT INTO orca.files (granule_id, name, orca_archive_location, cumulus_archive_location,"
            " key_path, ingest_time, etag, version, size_in_bytes, storage_class_id)"
            " VALUES (1, %s, %s, 'c', %s, %s, '\"e\"', 'v', %s, 1)",
            key,
            deployment.buckets["archive"],
            key,
            datetime(2026, 1, 1, tzinfo=UTC),
            size,
        )
