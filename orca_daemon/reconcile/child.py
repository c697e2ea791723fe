"""The process that compares: `python -m orca_daemon.reconcile.child`, spoken to by `process`.

It reads a task, takes the job's lock, waits for the word, compares, and keeps the lock until its input ends.
Whatever happens to it, nothing of it is durable.
"""

import os
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
from pyarrow import ArrowException

from orca_daemon.db.address import Address
from orca_daemon.db.connect import Unreachable, connect
from orca_daemon.db.failures import Meaning, describe, meaning, sqlstate_of
from orca_daemon.reconcile import compare
from orca_daemon.reconcile.catalog import attach_catalog, stored_listing
from orca_daemon.reconcile.copy_stream import CopyStream
from orca_daemon.reconcile.listing import REFUSED, Listing, listing
from orca_daemon.reconcile.manifest import ManifestError
from orca_daemon.reconcile.protocol import (
    Compared,
    Counts,
    Event,
    Failed,
    Locked,
    Progress,
    Staged,
    Task,
    Waiting,
)
from orca_daemon.reconcile.spool import Unavailable, Unsound, fetch
from orca_daemon.settings import Database as DatabaseSettings

_ASK_AGAIN = 1.0
_SAY_AGAIN = 0.5
"""Seconds between two reports of progress."""
_said = threading.Lock()


def main() -> None:
    """Do one task, from standard input to standard output."""
    task = Task.model_validate_json(sys.stdin.readline())
    _be_the_first_to_go()
    word = threading.Event()
    threading.Thread(target=_listen, args=(word,), daemon=True).start()
    try:
        with _connection(task) as keeper:
            _take_lock(keeper, task)
            _say(Locked())
            word.wait()
            _say(_compared(task))
            threading.Event().wait()  # `_listen` ends the process
    except Exception as error:  # noqa: BLE001  every error is an answer
        _say(_answer(error))
    # Not by returning: a thread that reads from Postgres or S3 would be waited for.
    sys.stdout.flush()
    os._exit(1)


def _listen(word: threading.Event) -> None:
    """Go on at the first line; end with the input, which also ends when the daemon dies."""
    if sys.stdin.readline():
        word.set()
        sys.stdin.read()
    os._exit(0)


def _be_the_first_to_go() -> None:
    """When the machine runs out of memory, this process is to go, not the daemon."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:  # noqa: PTH123  a kernel file
            score.write("1000")
    except OSError:
        return  # no Linux


@contextmanager
def _connection(task: Task) -> Iterator[Any]:
    settings = DatabaseSettings(
        connect_timeout=task.connect_timeout, application_name=f"{task.application_name} reconcile"
    )
    with closing(connect(Address(**task.address), settings, statement_timeout=0)) as connection:
        connection.autocommit = True
        yield connection


def _take_lock(connection: Any, task: Task) -> None:
    # Asked for again and again, not waited for: a statement that waits keeps vacuum from its work.
    said = False
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", (task.lock,))
            if cursor.fetchone()[0]:
                return
            if not said:
                _say(Waiting())
                said = True
            time.sleep(_ASK_AGAIN)


def _compared(task: Task) -> Compared:
    engine = compare.open_engine(task)
    with _connection(task) as of_catalog, _connection(task) as of_listing:
        rows, streams = _listing(engine, of_listing, task)
        _say(Staged())
        streams.append(attach_catalog(engine, of_catalog, task, _progress("catalog")))
        counts = compare.compare(engine, rows, lambda: streams[-1].rows)
        for stream in streams:
            stream.check()
        _refuse_empty(task, counts)
        path = task.work_dir / "differences.csv"
        compare.write(engine, rows, path)
    return Compared(counts=counts, path=path)


def _listing(
    engine: duckdb.DuckDBPyConnection, connection: Any, task: Task
) -> tuple[Listing, list[CopyStream]]:
    if task.inventory is None:
        rows, stream = stored_listing(engine, connection, task)
        return rows, [stream]
    inventory = task.inventory
    total = sum(file.size or 0 for file in inventory.files)
    paths = fetch(inventory, task.work_dir, _progress("listing", total))
    return listing(engine, inventory.form, inventory.columns, task.bucket, paths), []


def _refuse_empty(task: Task, counts: Counts) -> None:
    if counts.listed == 0 and counts.catalogued > 0 and not task.allow_empty:
        raise compare.Refused(
            f"it lists no object, but the catalog has {counts.catalogued} of this bucket; "
            "if that is true, allow it by the setting reconcile.allow_empty"
        )


def _progress(stage: Any, total: int | None = None) -> Callable[[int], None]:
    """Says how far a stage is, but not all the time."""
    last = 0.0

    def arrived(done: int) -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= _SAY_AGAIN or done == total:
            last = now
            _say(Progress(stage=stage, done=done, total=total))

    return arrived


def _say(event: Event) -> None:
    with _said:
        sys.stdout.write(event.model_dump_json() + "\n")
        sys.stdout.flush()


def _answer(error: Exception) -> Failed:
    """What the daemon is told.  Texts of DuckDB and Arrow repeat rows, so none of them is passed on."""
    if found := _refusal(error):
        return Failed(kind="reject", reason=REFUSED + found)
    if isinstance(error, Unavailable):
        return Failed(kind="s3", reason=str(error))
    if isinstance(error, Unreachable | psycopg2.Error):
        down = isinstance(error, Unreachable) or meaning(sqlstate_of(error)) is Meaning.DOWN
        return Failed(kind="postgres" if down else "retry", reason=describe(error))
    if isinstance(error, duckdb.OutOfMemoryException):
        return Failed(
            kind="reject",
            reason="out of memory or disk: raise reconcile.memory_mib, or free reconcile.work_dir",
        )
    return Failed(kind="retry", reason=f"the comparison failed ({type(error).__name__} at {_place(error)})")


def _place(error: Exception) -> str:
    """Where in our code: the text of the error may hold values of rows, so it is not passed on."""
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "orca_daemon" in frame.filename]
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "an unknown place"


def _refusal(error: Exception) -> str | None:
    """Why the inventory is no good, where that is what the error means."""
    text = str(error)
    if isinstance(error, compare.Refused | ManifestError | Unsound):
        return text
    if isinstance(error, duckdb.Error) and REFUSED in text:
        return text.split(REFUSED, 1)[1].splitlines()[0]
    if match := re.search(r"CSV Error on Line: (\d+)", text):
        return f"a data file is not sound CSV at line {match[1]}"
    if isinstance(error, duckdb.IOException):
        return next(
            (f"a data file is not sound {form}" for form in ("gzip", "Parquet") if _says(text, form)), None
        )
    if isinstance(error, duckdb.ConversionException | duckdb.InvalidInputException | ArrowException):
        return "a data file holds values that cannot be read"
    return None


def _says(text: str, word: str) -> bool:
    return word.lower() in text.lower()


if __name__ == "__main__":
    main()
