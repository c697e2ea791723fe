"""Runs one of the compared exports as a process: `python -m bench.export.methods METHOD DATABASE S3`."""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from pathlib import Path

import boto3
import psycopg2
import psycopg2.extras
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import SecretStr

from bench.export import BUCKET, TABLE
from orca_daemon.aws.clients import connect
from orca_daemon.db.database import Database
from orca_daemon.export.bucket import Bucket
from orca_daemon.export.run import ExportRun
from orca_daemon.export.tables import ChangeTime, Relation, Table
from orca_daemon.local.moto import REGION
from orca_daemon.queues.internal_report.exports import export_options
from orca_daemon.settings import AwsSection, Settings
from orca_daemon.settings import DatabaseSection as DatabaseSettings
from orca_daemon.settings import ExportSection as ExportSettings


def stream(url: str, endpoint: str, *, readers: int | None = None) -> int:
    """Export with our `ExportRun`; returns the size of the file in bytes."""
    return asyncio.run(_stream(url, endpoint, readers))


async def _stream(url: str, endpoint: str, readers: int | None) -> int:
    settings = ExportSettings(readers=readers)
    options = replace(export_options(settings, datetime(2027, 1, 1, tzinfo=UTC)), full=True)
    table = Table(TABLE, Relation(TABLE), (ChangeTime("ingest_time"),))
    async with connect(Settings(aws=AwsSection(region=REGION, endpoint_url=endpoint))) as clients:
        with closing(Database(DatabaseSettings(url=SecretStr(url)))) as database:
            report = await ExportRun(database, Bucket(clients.s3, BUCKET), options).export([table])
        # Otherwise the next run would find a finished export.
        await clients.s3.delete_object(Bucket=BUCKET, Key=report.keys[TABLE])
    assert not report.failed, report.reasons
    return report.outcomes[0].bytes


def dicts(url: str, endpoint: str) -> int:
    """Fetch all rows as dictionaries and build a file in memory from them, as our first version did."""
    factory = psycopg2.extras.RealDictCursor
    with closing(psycopg2.connect(url, cursor_factory=factory)) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {TABLE}")
        table = pa.Table.from_pylist(cursor.fetchall())
    return _put(table, endpoint)


def tuples(url: str, endpoint: str) -> int:
    """Fetch all rows as tuples and turn them into columns, which needs less memory than dictionaries."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {TABLE}")
        names = [column.name for column in cursor.description or ()]
        columns = zip(*cursor.fetchall(), strict=True)
        table = pa.table({name: pa.array(column) for name, column in zip(names, columns, strict=True)})
    return _put(table, endpoint)


def _put(table: pa.Table, endpoint: str) -> int:
    with BytesIO() as file, closing(boto3.client("s3", endpoint_url=endpoint, region_name=REGION)) as s3:
        pq.write_table(table, file)
        s3.put_object(Bucket=BUCKET, Key="all.parquet", Body=file.getvalue())
        return file.tell()


METHODS: Mapping[str, Callable[[str, str], int]] = {
    "stream": stream,
    "two connections": partial(stream, readers=2),
    "dicts": dicts,
    "tuples": tuples,
}


def _memory_mib(field: str) -> float:
    """A memory field of /proc/self/status (Linux), in MiB."""
    status = dict(each.split(":", 1) for each in Path("/proc/self/status").read_text("utf-8").splitlines())
    return int(status[field].split()[0]) / 1024


def main() -> None:
    """Run one method and print times, memory and size as JSON."""
    method, url, endpoint = sys.argv[1:]
    before, began, used = _memory_mib("VmRSS"), time.monotonic(), time.process_time()
    size = METHODS[method](url, endpoint)
    seconds, cpu, peak = time.monotonic() - began, time.process_time() - used, _memory_mib("VmHWM")
    fields = {"seconds": seconds, "cpu_seconds": cpu, "peak_mib": peak - before, "resident_mib": peak}
    print(json.dumps({**fields, "file_mib": size / 2**20}))


if __name__ == "__main__":
    main()
