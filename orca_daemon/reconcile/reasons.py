"""What the daemon learns about an error; those of DuckDB and Arrow repeat rows, so their text stays here."""

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
from orca_daemon.reconcile.compare import ListingRefusedError
from orca_daemon.reconcile.copy_stream import UnreadableError
from orca_daemon.reconcile.download import DataFileError, DiskFullError, S3Error
from orca_daemon.reconcile.listing import OTHER_BUCKET, REFUSED
from orca_daemon.reconcile.manifest import ManifestError
from orca_daemon.reconcile.protocol import ComparisonFailure

_UNREADABLE = "a data file holds values that cannot be read"
_NO_MEMORY = "the comparison needs more memory than reconcile.memory_mib: raise it"
_DISK = re.compile(r"No space left|max_temp_directory_size|Disk quota")
_BY_MEANING = {Meaning.THROTTLED: "throttled", Meaning.DENIED: "denied"}
_QUOTES_NOTHING = ("25", "42", "53", "55", "57")
"""Classes of SQLSTATE whose sentences name tables and limits, and never what is in a row."""

Where = Callable[[int], tuple[str, int]]
"""The data file of a line of the listing, and the line in it."""


def answer(error: Exception, folder: str, where: Where | None = None) -> ComparisonFailure:  # noqa: PLR0911  a table
    """The failure, in words for an operator.

    Args:
        error: what ended the comparison.
        folder: where it wrote.
        where: finds a line that DuckDB complains about; None where the listing is not CSV.
    """
    if isinstance(error, DiskFullError) or (
        isinstance(error, duckdb.Error | OSError | ArrowException) and _DISK.search(str(error))
    ):
        return ComparisonFailure(kind="room", reason=_disk_full(folder))
    if isinstance(error, duckdb.OutOfMemoryException | MemoryError):
        return ComparisonFailure(kind="reject", reason=_NO_MEMORY)
    if found := _refusal(error, where):
        return ComparisonFailure(kind="reject", reason=REFUSED + found)
    if isinstance(error, UnreadableError):
        return ComparisonFailure(kind="retry", reason=str(error))
    if isinstance(error, S3Error):
        return ComparisonFailure(kind=_BY_MEANING.get(error.meaning, "s3"), reason=str(error))
    if isinstance(error, psycopg2.Error):
        return ComparisonFailure(
            kind="sql", reason=f"the catalog cannot be read{_message_of(error)}", sqlstate=error.pgcode
        )
    if isinstance(error, UnreachableError):
        return ComparisonFailure(kind="sql", reason=str(error))
    return ComparisonFailure(
        kind="retry", reason=f"the comparison failed ({type(error).__name__} at {_place(error)})"
    )


def _refusal(error: Exception, where: Where | None) -> str | None:
    """Why the inventory is no good, where that is what the error means."""
    if isinstance(error, ListingRefusedError | ManifestError | DataFileError):
        return str(error)
    if isinstance(error, duckdb.Error):
        return _complaint(error, where)
    return _UNREADABLE if isinstance(error, ArrowException) else None


def _complaint(error: duckdb.Error, where: Where | None) -> str | None:
    """What DuckDB says of the data, without the data."""
    text = str(error)
    # By the whole sentence: what a row says may look like the beginning of one of ours.
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
    place = Path(folder).parent
    try:
        free = f"{shutil.disk_usage(place).free >> 20:,} MiB are free"
    except OSError:
        free = "how much is free is not known"
    return f"the disk of {place} (reconcile.work_dir) is full: {free}"


def _message_of(error: psycopg2.Error) -> str:
    """The server's own sentence, where it holds no values."""
    if error.pgcode == "22021":
        return ": key_path or etag holds text that is not UTF-8"
    sentence = error.diag.message_primary
    return f": {sentence}" if sentence and (error.pgcode or "").startswith(_QUOTES_NOTHING) else ""


def _place(error: Exception) -> str:
    """Where in our code it was raised."""
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "orca_daemon" in frame.filename]
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "an unknown place"
