"""The process that compares: `python -m orca_daemon.reconcile.child`, spoken to by `process`.

It reads a task, takes the job's lock, waits for the word, compares, and keeps the lock until its input ends.
Whatever happens to it, nothing of it is durable.
"""

import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import duckdb

from orca_daemon.db.session import open_session
from orca_daemon.reconcile import compare
from orca_daemon.reconcile.catalog import attach_catalog, stored_listing
from orca_daemon.reconcile.copy_stream import CopyStream
from orca_daemon.reconcile.listing import Listing, listing
from orca_daemon.reconcile.protocol import (
    Compared,
    Go,
    Line,
    Locked,
    Progress,
    Remote,
    Staged,
    Task,
    Waiting,
    decode,
    differences,
    encode,
)
from orca_daemon.reconcile.reasons import answer
from orca_daemon.reconcile.spool import Spool, counter, fetch

_ASK_AGAIN = 1.0
_SAY_AGAIN = 0.5
"""Seconds between two reports of progress."""
_said = threading.Lock()
_mouth = sys.stdout


def main() -> None:
    """Do one task, from standard input to standard output."""
    _keep_quiet()
    task = decode(sys.stdin.readline())
    assert isinstance(task, Task)  # noqa: S101  the daemon and we are of one version
    _be_the_first_to_go()
    word: SimpleQueue[Line] = SimpleQueue()
    threading.Thread(target=_listen, args=(word,), daemon=True).start()
    try:
        with connection_of(task) as keeper:
            _take_lock(keeper, task.lock)
            _say(Locked(pid=os.getpid()))
            go = word.get()
            assert isinstance(go, Go)  # noqa: S101  as above
            found = compared(task, go.files, _say)
            _say(replace(found, peak_mib=_peak_mib(), cpu_seconds=round(time.process_time(), 3)))
            threading.Event().wait()  # `_listen` ends the process
    except Exception as error:  # noqa: BLE001  every error is an answer
        _say(answer(error))
    # Not by returning: a thread that reads from Postgres or S3 would be waited for.
    os._exit(1)


def compared(task: Task, files: list[Remote], say: Callable[[Line], None]) -> Compared:
    """Do the task: fetch, read, join, and write the differences to their file."""
    with compare.open_engine(task) as engine, connection_of(task) as connection, ExitStack() as stack:
        rows, streams = _listing(engine, stack, task, files, say)
        say(Staged())
        streams.append(attach_catalog(engine, connection, task.catalog, _progress("catalog", say)))
        with _per_cent(engine, say):
            found = compare.compare(engine, rows, lambda: streams[-1].rows)
        for stream in streams:
            stream.check()
        compare.refuse_empty(found, allowed=task.allow_empty)
        compare.write(engine, rows, differences(task.folder))
        return found


@contextmanager
def connection_of(task: Task) -> Iterator[Any]:
    """A connection that commits each statement."""
    with closing(open_session(task.database, task.session)) as connection:
        connection.autocommit = True
        yield connection


def _listing(
    engine: duckdb.DuckDBPyConnection,
    stack: ExitStack,
    task: Task,
    files: list[Remote],
    say: Callable[[Line], None],
) -> tuple[Listing, list[CopyStream]]:
    if task.stored is not None:
        rows, stream = stored_listing(engine, stack.enter_context(connection_of(task)), task.stored)
        return rows, [stream]
    arrived = _progress("listing", say, sum(file.size or 0 for file in files))
    spool = Spool(Path(task.folder), task.form, task.ca_bundle, counter(arrived))
    return listing(engine, task.form, task.columns, task.bucket, fetch(files, spool)), []


def _listen(word: SimpleQueue[Line]) -> None:
    """Pass on the first line; end with the input, which also ends when the daemon dies."""
    if line := sys.stdin.readline():
        word.put(decode(line))
        sys.stdin.read()
    os._exit(0)


def _keep_quiet() -> None:
    """Whatever a library prints, it is not part of what we say."""
    global _mouth  # noqa: PLW0603  the one standard output
    _mouth = os.fdopen(os.dup(1), "w", encoding="utf-8")
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), 1)


def _be_the_first_to_go() -> None:
    """When the machine runs out of memory, this process is to go, not the daemon."""
    with suppress(OSError):  # no Linux
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")


def _take_lock(connection: Any, lock: int) -> None:
    # Asked for again and again, not waited for: a statement that waits keeps vacuum from its work.
    said = False
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", (lock,))
            if cursor.fetchone()[0]:
                return
            if not said:
                _say(Waiting())
                said = True
            time.sleep(_ASK_AGAIN)


def _progress(stage: str, say: Callable[[Line], None], total: int | None = None) -> Callable[[int], None]:
    """Says how far a stage is, but not all the time."""
    last = 0.0

    def arrived(done: int) -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= _SAY_AGAIN or done == total:
            last = now
            say(Progress(stage=stage, done=done, total=total))

    return arrived


@contextmanager
def _per_cent(engine: duckdb.DuckDBPyConnection, say: Callable[[Line], None]) -> Iterator[None]:
    """Says meanwhile how far DuckDB thinks that it is."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_SAY_AGAIN):
            if (done := round(engine.query_progress())) > 0:
                say(Progress(stage="comparing", done=done, total=100))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _peak_mib() -> int:
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest >> (20 if sys.platform == "darwin" else 10)


def _say(line: Line) -> None:
    with _said:
        _mouth.write(encode(line) + "\n")
        _mouth.flush()


if __name__ == "__main__":
    main()
