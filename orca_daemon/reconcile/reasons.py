"""Turns errors of the child into failure messages, without the rows that DuckDB and Arrow quote."""

import re
import shutil
import traceback
from collections.abc import Callable
from pathlib import Path

import duckdb
import psycopg2
from pyarrow import ArrowException

from orca_daemon.aws.errors import Meaning
from orca_daemon.db.session import UnreachableError
from orca_daemon.reconcile.binary_copy import UnreadableError
from orca_daemon.reconcile.download import DataFileError, DiskFullError, S3Error
from orca_daemon.reconcile.listing import OTHER_BUCKET, REFUSED
from orca_daemon.reconcile.manifest import ManifestError
from orca_daemon.reconcile.protocol import ComparisonFailure, FailureKind
from orca_daemon.reconcile.refusal import ListingRefusedError
from orca_daemon.reconcile.spark import OtherBucketError, SparkDownError, SparkFailedError

_UNREADABLE = "a data file holds values that cannot be read"
_NO_MEMORY = "the comparison needs more memory than reconcile.memory_mib: raise it"
_DISK = re.compile(r"No space left|max_temp_directory_size|Disk quota")
_BY_MEANING = {Meaning.THROTTLED: FailureKind.THROTTLED, Meaning.DENIED: FailureKind.DENIED}
_WITHOUT_VALUES = ("25", "42", "53", "55", "57")
"""Classes of SQLSTATE whose messages name tables and limits, and never quote values of rows."""

Where = Callable[[int], tuple[str, int]]
"""Maps a line of the listing to its data file, and to the line in that file."""


def failure_of(error: Exception, folder: str, where: Where | None = None) -> ComparisonFailure:  # noqa: PLR0911  a table
    """The failure message for an error, with a reason for operators.

    Args:
        error: the error that ended the comparison.
        folder: the working folder.
        where: locates a line that DuckDB reports; None if the listing is not CSV.
    """
    if isinstance(error, DiskFullError) or (
        isinstance(error, duckdb.Error | OSError | ArrowException) and _DISK.search(str(error))
    ):
        return ComparisonFailure(kind=FailureKind.DISK_FULL, reason=_disk_full(folder))
    if isinstance(error, duckdb.OutOfMemoryException | MemoryError):
        return ComparisonFailure(kind=FailureKind.REJECT, reason=_NO_MEMORY)
    if refusal := _refusal(error, where):
        return ComparisonFailure(kind=FailureKind.REJECT, reason=REFUSED + refusal)
    if isinstance(error, UnreadableError):
        return ComparisonFailure(kind=FailureKind.RETRY, reason=str(error))
    if isinstance(error, S3Error):
        return ComparisonFailure(kind=_BY_MEANING.get(error.meaning, FailureKind.S3), reason=str(error))
    if isinstance(error, psycopg2.Error):
        return ComparisonFailure(
            kind=FailureKind.SQL,
            reason=f"the catalog cannot be read{_message_of(error)}",
            sqlstate=error.pgcode,
        )
    if isinstance(error, SparkDownError):
        return ComparisonFailure(kind=FailureKind.SPARK, reason=str(error))
    if isinstance(error, SparkFailedError):
        return ComparisonFailure(kind=FailureKind.RETRY, reason=str(error))
    if isinstance(error, UnreachableError):
        return ComparisonFailure(kind=FailureKind.SQL, reason=f"the catalog cannot be read: {error}")
    return ComparisonFailure(
        kind=FailureKind.RETRY,
        reason=f"the comparison failed ({type(error).__name__} at {_raised_at(error)})",
    )


def _refusal(error: Exception, where: Where | None) -> str | None:
    """Why the inventory is refused; None if the error does not mean that."""
    if isinstance(error, ListingRefusedError | ManifestError | DataFileError | OtherBucketError):
        return str(error)
    if isinstance(error, duckdb.Error):
        return _data_problem(error, where)
    return _UNREADABLE if isinstance(error, ArrowException) else None


def _data_problem(error: duckdb.Error, where: Where | None) -> str | None:
    """What DuckDB says is wrong with the data, without the values that it quotes."""
    text = str(error)
    # Searches for the whole sentence: a quoted row may contain the beginning of one of our errors.
    if REFUSED + OTHER_BUCKET in text:
        return OTHER_BUCKET
    if where and (match := re.search(r"CSV Error on Line: (\d+)", text)):
        name, line = where(int(match[1]))
        return f"the data file {name} is not sound CSV at line {line}"
    if "parquet" in text.lower() and isinstance(error, duckdb.IOException | duckdb.InvalidInputException):
        return "a data file is not sound Parquet"
    unreadable = isinstance(error, duckdb.ConversionException | duckdb.InvalidInputException)
    return _UNREADABLE if unreadable else None


def _disk_full(folder: str) -> str:
    parent = Path(folder).parent
    try:
        free = f"{shutil.disk_usage(parent).free >> 20:,} MiB are free"
    except OSError:
        free = "how much is free is not known"
    return f"the disk of {parent} (reconcile.work_dir) is full: {free}"


def _message_of(error: psycopg2.Error) -> str:
    """The server's own message, if it cannot quote values."""
    if error.pgcode == "22021":
        return ": key_path or etag holds text that is not UTF-8"
    message = error.diag.message_primary
    return f": {message}" if message and (error.pgcode or "").startswith(_WITHOUT_VALUES) else ""


def _raised_at(error: Exception) -> str:
    """File and line in our code where it was raised."""
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "orca_daemon" in frame.filename]
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "an unknown place"
