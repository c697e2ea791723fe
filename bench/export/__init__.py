"""Exporting a table, against fetching all its rows and building the file, which is what the seed does.

Each way runs in a process of its own on the same Postgres and S3, from the connection to the object; the
start of the process and its imports are not counted.  The table is the catalog's `files`.
"""

import json
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import boto3
import psycopg2

from bench.report import Report, Target
from bench.size import Size
from orca_daemon.local.moto import CREDENTIALS, REGION, Moto
from orca_daemon.local.postgres import Postgres

BUCKET, TABLE = "exports", "files"
SHORT, FULL = (100_000, 300_000, 600_000), (1_000_000, 3_000_000, 10_000_000)
TINY = (1_000, 3_000, 6_000)
"""The memory at the first and last size must be equal; times are compared at the middle one."""
AT_LEAST = 4.0
GROWTH = 1.15


def measure(size: Size) -> Report:
    """The table grows from size to size."""
    os.environ.update(CREDENTIALS)
    figures: dict[str, float] = {}
    ours: list[Done] = []
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
            _note(figures, rows, "stream", ours[-1])
            if rows == sizes[1]:
                theirs = _best("dicts", url, s3.url, 1)
                _note(figures, rows, "dicts", theirs)
                if size is Size.FULL:
                    _note(figures, rows, "tuples", _best("tuples", url, s3.url, 1))
                times = theirs.seconds / ours[-1].seconds
        figures[f"{sizes[1] / 1e6:g}M stream rows a second"] = sizes[1] / ours[1].seconds
    name = f"memory at {sizes[2] / 1e6:g}M over {sizes[0] / 1e6:g}M"
    grown = ours[2].peak_mib / ours[0].peak_mib
    return Report(
        name="export",
        figures=figures,
        targets=[
            Target(name="times the speed of fetching all", measured=times, at_least=AT_LEAST),
            # A short run does not fill one row group at its first size.
            Target(name=name, measured=grown, at_most=size.pick(GROWTH, 2 * GROWTH, 2 * GROWTH)),
        ],
    )


@dataclass(frozen=True)
class Done:
    """One export."""

    seconds: float
    peak_mib: float
    """The most memory that the process had, less what it had before it began."""
    file_mib: float


def _best(way: str, url: str, endpoint: str, times: int) -> Done:
    return min((_run(way, url, endpoint) for _ in range(times)), key=lambda done: done.seconds)


def _run(way: str, url: str, endpoint: str) -> Done:
    command = [sys.executable, "-m", "bench.export.ways", way, url, endpoint]
    result = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return Done(**found)


def _note(figures: dict[str, float], size: int, way: str, done: Done) -> None:
    name = f"{size / 1e6:g}M {way}"
    figures[f"{name} seconds"] = done.seconds
    figures[f"{name} peak MiB"] = done.peak_mib
    figures[f"{name} file MiB"] = done.file_mib


def _grow(url: str, size: int) -> None:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(_CREATE)
        cursor.execute(f"SELECT count(*) FROM {TABLE}")
        (rows,) = cursor.fetchone() or (0,)
        cursor.execute(_FILL, (rows + 1, size))
        connection.commit()
        connection.autocommit = True
        cursor.execute(f"VACUUM ANALYZE {TABLE}")  # what is read first sets hint bits for who comes second


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
