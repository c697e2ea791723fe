"""Fetches the data files of an inventory to disk, and verifies them.

A listing of many files does not begin again because one request failed: what may pass is tried again here for
a while, and a signature that S3 does not accept any more is replaced by one that the daemon makes.
"""

import hashlib
import os
import random
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path
from threading import Lock

from orca_daemon.aws.errors import Meaning
from orca_daemon.reconcile.download import (
    ANSWER_ERRORS,
    DataFileError,
    DiskFullError,
    chunks,
    failure,
)
from orca_daemon.reconcile.protocol import Remote

_TOGETHER = 4
_CORRUPT_TRIES = 5
"""A broken connection looks like a short file: only what stays so is the file's fault."""
PATIENCE = {Meaning.PASSING: 60.0, Meaning.THROTTLED: 600.0, Meaning.CREDENTIALS: 600.0, Meaning.CLOCK: 600.0}
"""Seconds for which a file is tried again that S3 does not serve; then the daemon waits, and begins anew."""
_LONGEST_PAUSE = 15.0

Sign = Callable[[int, str], str]
"""Asks the daemon for another URL of the file at a place, because of what S3 answered."""


@dataclass(frozen=True, slots=True)
class Spool:
    """Where files come from and go to.

    Args:
        folder: where they go.
        form: `CSV`, `Parquet` or `ORC`.
        ca_bundle: file with the authorities to trust; None for the system's.
        most: the most bytes that a file may have of which the manifest gives no size.
        count: called with bytes that came; negative, where they were for nothing.
        sign: asks for another URL.
    """

    folder: Path
    form: str
    ca_bundle: str | None
    most: int
    count: Callable[[int], None]
    sign: Sign

    def fetch(self, place: int, file: Remote) -> Path:
        """Get one file, checked against its size and MD5.

        Raises:
            DataFileError: it is not there, or not the one that the manifest names.
            S3Error: S3 does not give it to us, now or at all.
            DiskFullError: the disk is full.
        """
        path = self.folder / f"{place:06}.{self.form.lower()}"
        pauses, corrupt, began = _pauses(), 0, time.monotonic()
        while True:
            try:
                self._download(file, path)
            except DataFileError:
                corrupt += 1
                if corrupt == _CORRUPT_TRIES:
                    raise
            except ANSWER_ERRORS as error:
                found = failure(error, file.key)
                if found.meaning in {Meaning.MISSING, Meaning.REFUSED}:
                    raise DataFileError(str(found)) from None
                if time.monotonic() - began >= PATIENCE.get(found.meaning, 0):
                    raise found from None
                if found.meaning in {Meaning.CREDENTIALS, Meaning.CLOCK}:
                    file = replace(file, url=self.sign(place, str(found)))
            else:
                return path
            time.sleep(next(pauses))

    def _download(self, file: Remote, path: Path) -> None:
        digest, size = hashlib.md5(usedforsecurity=False), 0
        trust = ssl.create_default_context(cafile=self.ca_bundle) if file.url.startswith("https") else None
        most = self.most if file.size is None else file.size
        try:
            with _created(path) as target:
                for chunk in chunks(file.url, trust):
                    digest.update(chunk)
                    _keep(target, chunk)
                    size += len(chunk)
                    self.count(len(chunk))
                    if size > most:
                        break
            _verify(file, size, digest.hexdigest(), most)
        except BaseException:
            self.count(-size)
            raise


def fetch(files: Sequence[Remote], spool: Spool, prepare: Callable[[Path, str], Path]) -> list[Path]:
    """Get all files, a few at a time, and prepare each one.  Raises what either raises."""

    def one(place: int, file: Remote) -> Path:
        return prepare(spool.fetch(place, file), file.key)

    with ThreadPoolExecutor(_TOGETHER, thread_name_prefix="fetch") as threads:
        return list(threads.map(one, range(len(files)), files))


def counter(arrived: Callable[[int], None]) -> Callable[[int], None]:
    """Adds up what several threads count, and reports the sum."""
    total, lock = 0, Lock()

    def count(size: int) -> None:
        nonlocal total
        with lock:
            total += size
            arrived(total)

    return count


def _pauses() -> Iterator[float]:
    """Seconds between the tries of a file, growing."""
    longest = 0.2
    while True:
        yield random.uniform(0, longest)
        longest = min(2 * longest, _LONGEST_PAUSE)


# Told apart in these two: errors of the disk and of the network are of one class.


def _created(path: Path) -> FileIO:
    try:
        return FileIO(path, "wb")
    except OSError as error:
        raise DiskFullError(os.strerror(error.errno or 0)) from None


def _keep(target: FileIO, chunk: bytes) -> None:
    rest = memoryview(chunk)
    try:
        while rest:
            rest = rest[target.write(rest) :]
    except OSError as error:
        raise DiskFullError(os.strerror(error.errno or 0)) from None


def _verify(file: Remote, size: int, md5: str, most: int) -> None:
    if size > most:
        raise DataFileError(f"the data file {file.key} has more than {most} bytes")
    if file.size is not None and size != file.size:
        raise DataFileError(f"the data file {file.key} has {size} bytes, the manifest says {file.size}")
    if file.md5 is not None and md5 != file.md5:
        raise DataFileError(f"the MD5 of the data file {file.key} is not the one that the manifest names")
