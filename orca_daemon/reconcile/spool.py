"""Fetches the data files of an inventory to disk, and verifies them.

A failed request is repeated here for some time, so that a comparison of many files need not start again.  If
S3 no longer accepts a signature, the daemon is asked for a new URL.
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
from orca_daemon.reconcile.protocol import Remote, Sign, Task

_THREADS = 4
"""Data files that are fetched at one time."""
_CORRUPT_TRIES = 5
"""A broken connection looks like a short file, so a file is called corrupt only after several downloads."""
PATIENCE = {Meaning.PASSING: 60.0, Meaning.THROTTLED: 600.0, Meaning.CREDENTIALS: 600.0, Meaning.CLOCK: 600.0}
"""Seconds for which a download is retried; then the comparison fails, and the message is retried."""
_LONGEST_PAUSE = 15.0
"""Seconds between two tries."""


@dataclass(frozen=True, slots=True)
class Spool:
    """Downloads data files to a folder.

    Args:
        folder: the folder.
        form: `CSV`, `Parquet` or `ORC`.
        ca_bundle: file with the certificate authorities to trust; None for the system's.
        most: the most bytes of a file if the manifest does not give its size.
        count: called with the number of bytes received; negative if a download failed and they do not count.
        sign: requests a new URL.
    """

    folder: Path
    form: str
    ca_bundle: str | None
    most: int
    count: Callable[[int], None]
    sign: Sign

    @classmethod
    def of(cls, task: Task, report: Callable[[int], None], sign: Sign) -> "Spool":
        """The spool of a task; `report` is called with the number of bytes fetched so far."""
        most = task.listing_gib << 30
        return cls(Path(task.folder), task.form, task.ca_bundle, most, counter(report), sign)

    def fetch(self, index: int, file: Remote) -> Path:
        """Download one file, and check its size and MD5.

        Raises:
            DataFileError: it does not exist, or is not the one that the manifest names.
            S3Error: S3 does not deliver it.
            DiskFullError: the disk is full.
        """
        path = self.folder / f"{index:06}.{self.form.lower()}"
        pauses, corrupt, began = _pauses(), 0, time.monotonic()
        while True:
            try:
                self._download(file, path)
            except DataFileError:
                corrupt += 1
                if corrupt == _CORRUPT_TRIES:
                    raise
            except ANSWER_ERRORS as error:
                failed = failure(error, file.key)
                if failed.meaning in {Meaning.MISSING, Meaning.REFUSED}:
                    raise DataFileError(str(failed)) from None
                if time.monotonic() - began >= PATIENCE.get(failed.meaning, 0):
                    raise failed from None
                if failed.meaning in {Meaning.CREDENTIALS, Meaning.CLOCK}:
                    file = replace(file, url=self.sign(index, str(failed)))
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
                    _write(target, chunk)
                    size += len(chunk)
                    self.count(len(chunk))
                    if size > most:
                        break
            _verify(file, size, digest.hexdigest(), most)
        except BaseException:
            self.count(-size)
            raise


def fetch(files: Sequence[Remote], spool: Spool, prepare: Callable[[Path, str], Path]) -> list[Path]:
    """Fetch all files, `_THREADS` at a time, and prepare each one.  Raises the errors of either."""

    def fetch_one(index: int, file: Remote) -> Path:
        return prepare(spool.fetch(index, file), file.key)

    with ThreadPoolExecutor(_THREADS, thread_name_prefix="fetch") as threads:
        return list(threads.map(fetch_one, range(len(files)), files))


def counter(report: Callable[[int], None]) -> Callable[[int], None]:
    """A function that adds up the counts of several threads, and reports the sum."""
    total, lock = 0, Lock()

    def count(size: int) -> None:
        nonlocal total
        with lock:
            total += size
            report(total)

    return count


def _pauses() -> Iterator[float]:
    """Seconds between the tries of a file, growing."""
    longest = 0.2
    while True:
        yield random.uniform(0, longest)
        longest = min(2 * longest, _LONGEST_PAUSE)


# Errors of the disk and of the network are both OSErrors; these two functions mark those of the disk.


def _created(path: Path) -> FileIO:
    try:
        return FileIO(path, "wb")
    except OSError as error:
        raise DiskFullError(os.strerror(error.errno or 0)) from None


def _write(target: FileIO, chunk: bytes) -> None:
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
