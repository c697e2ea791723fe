"""Last step: export the rows of the recovered files, and compare the Parquet file in S3 with them."""

from dataclasses import replace
from uuid import uuid4

import pyarrow.parquet as pq
from pyarrow import BufferReader

from orca_daemon.local.demo.scene import Scene, Step
from orca_daemon.producer import send
from orca_daemon.wire.inventory import ExportRequest, export_message

TABLE = "recovery_file"


def export(scene: Scene) -> Step:
    """Request one table's changes since the last export, and compare the file with the table."""
    step = Step("Table exported")
    before = set(_keys(scene))
    request = export_message(ExportRequest(tables_to_query=(TABLE,)))
    # A new deduplication id, because within five minutes SQS would drop the same request as a duplicate.
    send(replace(request, deduplication_id=uuid4().hex), scene.queue("internal_report"), client=scene.sqs)
    scene.wait("exporting a table", 1, lambda: len(set(_keys(scene)) - before))
    files: set[tuple[str, str]] = set()
    new = sorted(set(_keys(scene)) - before)
    for key in new:
        body = scene.s3.get_object(Bucket=scene.bucket("export"), Key=key)["Body"].read()
        table = pq.read_table(BufferReader(body), columns=["job_id", "filename"])
        files |= set(zip(*(table.column(name).to_pylist() for name in table.column_names), strict=True))
    stored = scene.rows(
        f"SELECT job_id, filename FROM orca.{TABLE} WHERE request_time >= %(started)s",  # noqa: S608  ours
        {"started": scene.started},
    )
    step.facts = {"file": new[0] if new else None, "rows": len(files)}
    step.check("rows of this run that are in the file", len(stored), len(files & set(stored)))
    return step


def _keys(scene: Scene) -> list[str]:
    pages = scene.s3.get_paginator("list_objects_v2").paginate(
        Bucket=scene.bucket("export"), Prefix=f"{TABLE}/"
    )
    return [item["Key"] for page in pages for item in page.get("Contents", [])]
