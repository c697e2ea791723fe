"""Fetches the data files of an inventory to disk, and vouches for them."""

import hashlib
import os
import random
import ssl
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPException
from io import FileIO
from pathlib import Path
from threading import Lock
from urllib.error import HTTPError
from urllib.request import urlopen

from orca_daemon.reconcile.protocol import Remote

_TOGETHER = 4
_TRIES = 5
_CHUNK = 1 << 20
_SILENCE = 60
"""Seconds without a byte after which a connection is given up."""
_LATER = frozenset({408, 429})
_SERVER_ERROR = 500


class Unsound(Exception):  # noqa: N818  a verdict on a file
    """A data file is not what the manifest says, or cannot be read."""


class NoRoom(Exception):  # noqa: N818  a state of the disk
    """A file cannot be written."""


class Unavailable(Exception):  # noqa: N818  a state of the world
    """S3 cannot be reached, or does not serve us now."""


@dataclass(frozen=True, slots=True)
class Spool:
    """Where files come from and go to.

    Args:
        folder: where they go.
        form: `CSV`, `Parquet` or `ORC`; the last becomes Parquet.
        ca_bundle: file with the authorities to trust; None for the system's.
        count: told of bytes that came; negative, where they were for nothing.
    """

    folder: Path
    form: str
    ca_bundle: str | None
    count: Callable[[int], None]

    def fetch(self, place: int, file: Remote) -> Path:
        """Get one file, checked against its size and MD5.

        Raises:
            Unsound: it is not there, or not the one that the manifest names.
            Unavailable: S3 cannot be reached.
            NoRoom: the disk is full.
        """
        path = self.folder / f"{place:06}.{self.form.lower()}"
        for attempt in range(1, _TRIES + 1):
            try:
                self._download(file, path)
                break
            except (HTTPError, HTTPException, OSError, Unsound) as error:
                # A broken connection looks like a short file: only what stays so is the file's fault.
                if attempt == _TRIES or not _passes(error):
                    raise _named(error, file) from None
                time.sleep(random.uniform(0, 0.1 * 2**attempt))
        if self.form == "ORC":
            return as_parquet(path, file.key)
        if file.md5 is None and self.form == "CSV":
            unpack(path, file.key)
        return path

    def _download(self, file: Remote, path: Path) -> None:
        digest, size = hashlib.md5(usedforsecurity=False), 0
        trust = ssl.create_default_context(cafile=self.ca_bundle) if file.url.startswith("https") else None
        try:
            with urlopen(file.url, timeout=_SILENCE, context=trust) as body, FileIO(path, "wb") as target:  # noqa: S310  signed by the daemon
                while chunk := body.read(_CHUNK):
                    digest.update(chunk)
                    _keep(target, chunk)
                    size += len(chunk)
                    self.count(len(chunk))
            _vouch(file, size, digest.hexdigest())
        except BaseException:
            self.count(-size)
            raise


def fetch(files: Sequence[Remote], spool: Spool) -> list[Path]:
    """Get all files, a few at a time.  Raises what `Spool.fetch` raises."""
    with ThreadPoolExecutor(_TOGETHER, thread_name_prefix="fetch") as threads:
        return list(threads.map(spool.fetch, range(len(files)), files))


def counter(arrived: Callable[[int], None]) -> Callable[[int], None]:
    """Adds up what several threads count, and tells the sum."""
    total, lock = 0, Lock()

    def count(size: int) -> None:
        nonlocal total
        with lock:
            total += size
            arrived(total)

    return count


def unpack(path: Path, key: str) -> None:
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
        raise Unsound(f"the data file {key} is not sound gzip") from None
    if not engine.eof:
        raise Unsound(f"the data file {key} is cut off")


def as_parquet(path: Path, key: str) -> Path:
    """The rows of an ORC file in a format that DuckDB reads, stripe by stripe."""
    from pyarrow import ArrowException, orc, parquet

    target = path.with_suffix(".parquet")
    # ORC counts nanoseconds, which DuckDB's functions do not take.
    options = {"compression": "lz4", "coerce_timestamps": "us", "allow_truncated_timestamps": True}
    try:
        source = orc.ORCFile(path)
        with parquet.ParquetWriter(target, source.schema, **options) as writer:
            for stripe in range(source.nstripes):
                writer.write_batch(source.read_stripe(stripe))
    except (ArrowException, OSError, ValueError) as error:
        raise Unsound(f"the data file {key} cannot be read as ORC ({type(error).__name__})") from None
    path.unlink()
    return target


def _keep(target: FileIO, chunk: bytes) -> None:
    # Told apart here: errors of the disk and of the network are of one class.
    rest = memoryview(chunk)
    try:
        while rest:
            rest = rest[target.write(rest) :]
    except OSError as error:
        raise NoRoom(os.strerror(error.errno or 0)) from None


def _vouch(file: Remote, size: int, md5: str) -> None:
    if file.size is not None and size != file.size:
        raise Unsound(f"the data file {file.key} has {size} bytes, the manifest says {file.size}")
    if file.md5 is not None and md5 != file.md5:
        raise Unsound(f"the MD5 of the data file {file.key} is not the one that the manifest names")


def _passes(error: Exception) -> bool:
    """Whether the same again may go better."""
    return not isinstance(error, HTTPError) or error.code in _LATER or error.code >= _SERVER_ERROR


def _named(error: Exception, file: Remote) -> Exception:
    if isinstance(error, Unsound):
        return error
    if isinstance(error, HTTPError) and not _passes(error):
        return Unsound(f"the data file {file.key} cannot be fetched: S3 answers {error.code}")
    if isinstance(error, OSError) and error.filename is not None and not isinstance(error, HTTPError):
        return error  # our own disk
    return Unavailable(f"the data file {file.key} cannot be fetched ({type(error).__name__})")
