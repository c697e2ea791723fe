"""What the daemon is told of an error: those of DuckDB and Arrow repeat rows, so no text is passed on."""

import re
import traceback
from pathlib import Path

import duckdb
import psycopg2
from pyarrow import ArrowException

from orca_daemon.reconcile.compare import Refused
from orca_daemon.reconcile.listing import REFUSED
from orca_daemon.reconcile.manifest import ManifestError
from orca_daemon.reconcile.protocol import Failed
from orca_daemon.reconcile.spool import NoRoom, Unavailable, Unsound

_UNREADABLE = "a data file holds values that cannot be read"
_NO_ROOM = "out of memory or disk: raise reconcile.memory_mib, or free space where reconcile.work_dir is"


def answer(error: Exception) -> Failed:
    """The failure, in words for an operator."""
    if isinstance(error, NoRoom | duckdb.OutOfMemoryException | MemoryError) or "No space left" in str(error):
        return Failed(kind="reject", reason=_NO_ROOM)
    if found := _refusal(error):
        return Failed(kind="reject", reason=REFUSED + found)
    if isinstance(error, Unavailable):
        return Failed(kind="s3", reason=str(error))
    if isinstance(error, psycopg2.Error):
        return Failed(kind="sql", reason="the catalog cannot be read", sqlstate=error.pgcode)
    return Failed(kind="retry", reason=f"the comparison failed ({type(error).__name__} at {_place(error)})")


def _refusal(error: Exception) -> str | None:
    """Why the inventory is no good, where that is what the error means."""
    text = str(error)
    if isinstance(error, Refused | ManifestError | Unsound):
        return text
    if isinstance(error, duckdb.Error) and REFUSED in text:
        return text.split(REFUSED, 1)[1].splitlines()[0]
    if match := re.search(r"CSV Error on Line: (\d+)", text):
        return f"a data file is not sound CSV at line {match[1]}"
    if isinstance(error, duckdb.ConversionException | ArrowException):
        return _UNREADABLE
    if isinstance(error, duckdb.IOException | duckdb.InvalidInputException):
        forms = (form for form in ("gzip", "Parquet") if form.lower() in text.lower())
        unknown = _UNREADABLE if isinstance(error, duckdb.InvalidInputException) else None
        return next((f"a data file is not sound {form}" for form in forms), unknown)
    return None


def _place(error: Exception) -> str:
    """Where in our code it was raised."""
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "orca_daemon" in frame.filename]
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "an unknown place"
