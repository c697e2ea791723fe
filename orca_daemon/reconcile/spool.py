"""Fetches the data files of an inventory to disk, and vouches for them."""

import hashlib
import random
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pyarrow import ArrowException, orc, parquet

from orca_daemon.reconcile.manifest import DataFile
from orca_daemon.reconcile.protocol import Inventory

_TOGETHER = 4
_TRIES = 4
_CHUNK = 1 << 20
_SERVER_ERROR = 500


class Unsound(Exception):  # noqa: N818  a verdict on a file
    """A data file is not what the manifest says, or cannot be read."""


class Unavailable(Exception):  # noqa: N818  a state of the world
    """S3 cannot be reached, or does not serve us now."""


def fetch(inventory: Inventory, folder: Path, arrived: Callable[[int], None]) -> list[Path]:
    """Download all files, a few at a time, each checked against its size and MD5; ORC becomes Parquet.

    Args:
        inventory: which files.
        folder: where they go.
        arrived: told the number of bytes so far.

    Raises:
        Unsound: a file is missing, or has another size or MD5 than the manifest says.
        Unavailable: S3 is down.
    """
    client = _client(inventory)
    total, lock = 0, Lock()

    def count(size: int) -> None:
        nonlocal total
        with lock:
            total += size
            arrived(total)

    def one(place: int, file: DataFile) -> Path:
        path = folder / f"{place:06}.{inventory.form.lower()}"
        _fetched(client, inventory.bucket, file, path, count)
        if inventory.form == "ORC":
            return _as_parquet(path, file)
        if file.md5 is None and inventory.form == "CSV":
            _unpack(path, file)
        return path

    with ThreadPoolExecutor(_TOGETHER, thread_name_prefix="fetch") as threads:
        return list(threads.map(one, range(len(inventory.files)), inventory.files))


def _client(inventory: Inventory) -> Any:
    return boto3.client(
        "s3",
        region_name=inventory.region,
        endpoint_url=inventory.endpoint_url,
        config=Config(
            max_pool_connections=_TOGETHER,
            connect_timeout=5,
            read_timeout=60,
            retries={"total_max_attempts": 4, "mode": "standard"},
            # Ours is the manifest's MD5; botocore would hash everything a second time.
            response_checksum_validation="when_required",
        ),
    )


def _fetched(client: Any, bucket: str, file: DataFile, path: Path, count: Callable[[int], None]) -> None:
    for attempt in range(1, _TRIES + 1):
        try:
            _download(client, bucket, file, path, count)
        except (BotoCoreError, OSError, Unsound) as error:
            # A broken connection looks like a short file: only what stays so is the file's fault.
            if attempt == _TRIES:
                raise _named(error, file) from None
            time.sleep(random.uniform(0, 0.5 * 2**attempt))
        except ClientError as error:
            raise _refused(error, file) from None
        else:
            return


def _download(client: Any, bucket: str, file: DataFile, path: Path, count: Callable[[int], None]) -> None:
    digest, size = hashlib.md5(usedforsecurity=False), 0
    body = client.get_object(Bucket=bucket, Key=file.key)["Body"]
    try:
        with body, path.open("wb") as target:
            for chunk in body.iter_chunks(_CHUNK):
                digest.update(chunk)
                target.write(chunk)
                size += len(chunk)
                count(len(chunk))
        _vouch(file, size, digest.hexdigest())
    except BaseException:
        count(-size)
        raise


def _vouch(file: DataFile, size: int, md5: str) -> None:
    if file.size is not None and size != file.size:
        raise Unsound(f"the data file {file.key} has {size} bytes, the manifest says {file.size}")
    if file.md5 is not None and md5 != file.md5:
        raise Unsound(f"the MD5 of the data file {file.key} is not the one that the manifest names")


def _unpack(path: Path, file: DataFile) -> None:
    """Check what gzip itself knows of a file that nobody else vouches for: DuckDB ignores its checksum."""
    engine = zlib.decompressobj(31)
    try:
        with path.open("rb") as packed:
            while chunk := packed.read(_CHUNK):
                while chunk:
                    engine = zlib.decompressobj(31) if engine.eof else engine
                    engine.decompress(chunk)
                    chunk = engine.unused_data
    except zlib.error:
        raise Unsound(f"the data file {file.key} is not sound gzip") from None
    if not engine.eof:
        raise Unsound(f"the data file {file.key} is cut off")


def _as_parquet(path: Path, file: DataFile) -> Path:
    """The same rows in a format that DuckDB reads, stripe by stripe."""
    target = path.with_suffix(".parquet")
    try:
        source = orc.ORCFile(path)
        # ORC counts nanoseconds, which DuckDB's functions do not take.
        options = {"compression": "lz4", "coerce_timestamps": "us", "allow_truncated_timestamps": True}
        with parquet.ParquetWriter(target, source.schema, **options) as writer:
            for stripe in range(source.nstripes):
                writer.write_batch(source.read_stripe(stripe))
    except (ArrowException, OSError, ValueError) as error:
        raise Unsound(f"the data file {file.key} cannot be read as ORC ({type(error).__name__})") from None
    path.unlink()
    return target


def _named(error: Exception, file: DataFile) -> Exception:
    if isinstance(error, Unsound):
        return error
    if isinstance(error, OSError) and error.errno is not None and error.filename is not None:
        return error  # our own disk
    return Unavailable(f"the data file {file.key} cannot be fetched ({type(error).__name__})")


def _refused(error: ClientError, file: DataFile) -> Exception:
    code = error.response.get("Error", {}).get("Code", "")
    if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= _SERVER_ERROR:
        return Unavailable(f"the data file {file.key} cannot be fetched ({code})")
    return Unsound(f"the data file {file.key} cannot be fetched: S3 says {code}")
