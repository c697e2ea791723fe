"""Export of a table, compared with fetching all rows first, and with DuckDB's Postgres extension.

Each way runs in a process of its own on the same Postgres and S3.  The time from connecting to the finished
object counts; the start of the process and its imports do not.  The table is like the catalog's `files`.

The full run adds the peer, if its packages can be installed: the same table, the same S3, zstd at the same
level, and once more to a local file.  The ways take turns; the best of each counts.
"""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import boto3
import psycopg2

from bench.export import peer
from bench.report import Report, Target
from bench.size import Size
from orca_daemon.local.moto import CREDENTIALS, REGION, Moto
from orca_daemon.local.postgres import Postgres

BUCKET, TABLE = "exports", "files"
SHORT, FULL = (100_000, 300_000, 600_000), (1_000_000, 3_000_000, 10_000_000)
TINY = (1_000, 3_000, 6_000)
"""Rows: peak memory is compared between the first and the last size, speed at the middle one."""
AT_LEAST = 4.0
GROWTH = 1.15
RESIDENT = 400.0
"""MiB of the whole process."""
TURNS = 3
_TARGETS = {"duckdb": f"s3://{BUCKET}/duckdb.parquet", "duckdb, local file": "duckdb.parquet"}


def measure(size: Size) -> Report:
    """Both ways; the same table grows from size to size."""
    os.environ.update(CREDENTIALS)
    figures: dict[str, float] = {}
    ours: list[ExportResult] = []
    peers: dict[str, ExportResult] = {}
    times = 0.0
    sizes = size.pick(FULL, SHORT, TINY)
    with Postgres(fast=True) as postgres, Moto() as s3:
        client = boto3.client("s3", endpoint_url=s3.url, region_name=REGION)
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
        client.close()
        url = postgres.url()
        for rows in sizes:
            _grow(url, rows)
            ours.append(_best("stream", url, s3.url, 2 if rows == FULL[1] else 1))
            _add_figures(figures, rows, "stream", ours[-1])
            if rows == sizes[1]:
                theirs = _best("dicts", url, s3.url, 1)
                _add_figures(figures, rows, "dicts", theirs)
                if size is Size.FULL:
                    peers = _in_turns(url, s3.url)
                    for name, result in peers.items():
                        _add_figures(figures, rows, name, result)
                    _add_figures(figures, rows, "tuples", _best("tuples", url, s3.url, 1))
                times = theirs.seconds / ours[-1].seconds
        figures[f"{sizes[1] / 1e6:g}M stream rows a second"] = sizes[1] / ours[1].seconds
    name = f"memory at {sizes[2] / 1e6:g}M over {sizes[0] / 1e6:g}M"
    grown = ours[2].peak_mib / ours[0].peak_mib
    return Report(
        name="export",
        figures=figures,
        targets=[
            Target(name="times the speed of fetching all", measured=times, at_least=AT_LEAST),
            Target(name="resident MiB", measured=ours[1].resident_mib, at_most=RESIDENT),
            *_beside_duckdb(peers),
            # A short run does not fill one row group at its first size, so its memory still grows.
            Target(name=name, measured=grown, at_most=size.pick(GROWTH, 2 * GROWTH, 2 * GROWTH)),
        ],
    )


@dataclass(frozen=True)
class ExportResult:
    """The measurement of one export."""

    seconds: float
    cpu_seconds: float
    """Of this process alone."""
    peak_mib: float
    """Peak memory of the process less its memory before the export."""
    resident_mib: float
    """Peak memory of the process."""
    file_mib: float


def _best(method: str, url: str, endpoint: str, times: int) -> ExportResult:
    return min((_run(method, url, endpoint) for _ in range(times)), key=lambda result: result.seconds)


def _run(method: str, url: str, endpoint: str) -> ExportResult:
    command = [sys.executable, "-m", "bench.export.methods", method, url, endpoint]
    return _result(command)


def _result(command: list[str], folder: str | None = None) -> ExportResult:
    process = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=folder)
    fields: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return ExportResult(**fields)


def _in_turns(url: str, endpoint: str) -> dict[str, ExportResult]:
    """The best result of each way; those of DuckDB only if it can be installed."""
    program = peer.python()
    results: dict[str, list[ExportResult]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(TURNS):
            for method in ("stream", "two connections"):
                results.setdefault(method, []).append(_run(method, url, endpoint))
            for method, target in _TARGETS.items() if program else ():
                arguments = [program or "", "-c", peer.SCRIPT, url, endpoint, TABLE, target]
                results.setdefault(method, []).append(_result(arguments, folder))
    return {name: min(each, key=lambda result: result.seconds) for name, each in results.items()}


def _beside_duckdb(results: dict[str, ExportResult]) -> list[Target]:
    if "duckdb" not in results:
        return []
    ratio = results["stream"].seconds / results["duckdb"].seconds
    return [Target(name="time over that of DuckDB's Postgres extension", measured=ratio, at_most=1.0)]


def _add_figures(figures: dict[str, float], size: int, method: str, result: ExportResult) -> None:
    name = f"{size / 1e6:g}M {method}"
    figures[f"{name} seconds"] = result.seconds
    figures[f"{name} CPU seconds"] = result.cpu_seconds
    figures[f"{name} peak MiB"] = result.peak_mib
    figures[f"{name} resident MiB"] = result.resident_mib
    figures[f"{name} file MiB"] = result.file_mib


def _grow(url: str, size: int) -> None:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(_CREATE)
        cursor.execute(f"SELECT count(*) FROM {TABLE}")
        (rows,) = cursor.fetchone() or (0,)
        cursor.execute(_FILL, (rows + 1, size))
        connection.commit()
        connection.autocommit = True
        cursor.execute(
            f"VACUUM ANALYZE {TABLE}"
        )  # sets the hint bits; otherwise the first reader would write them


_CREATE = f"""
CREATE UNLOGGED TABLE IF NOT EXISTS {TABLE} (
    id bigint PRIMARY KEY, granule_id bigint NOT NULL, name text NOT NULL,
    orca_archive_location text NOT NULL, cumulus_archive_location text NOT NULL, key_path text NOT NULL,
    ingest_time timestamptz NOT NULL, etag text NOT NULL, version text NOT NULL,
    size_in_bytes bigint NOT NULL, hash text, hash_type text, storage_class_id smallint NOT NULL)
"""
_FILL = f"""
INSERT INTO {TABLE}
SELECT i, i / 4, 'file_' || i || '.h5', 'demo-orca-archive', 'demo-protected',
       'data/2026/' || i %% 1000 || '/file_' || i || '.h5',
       timestamptz '2026-01-01' + i * interval '1.000001 second', '"' || md5(i::text) || '"',
       md5((i * 7)::text), i * 7919 %% 1000000000, CASE WHEN i %% 3 = 0 THEN md5((i * 3)::text) END,
       CASE WHEN i %% 3 = 0 THEN 'MD5' END, 2
FROM generate_series(%s::bigint, %s::bigint) AS i
"""
