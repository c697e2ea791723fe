"""The process that compares: `python -m orca_daemon.reconcile.child`, spoken to by `process`.

It reads a task, takes the job's lock, waits for `Start`, compares, and keeps the lock until its input ends.
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
from orca_daemon.reconcile.catalog import attach_catalog
from orca_daemon.reconcile.protocol import (
    Compared,
    ComparisonFailure,
    Locked,
    Message,
    Remote,
    Signed,
    Staged,
    StageProgress,
    Start,
    Task,
    Unsigned,
    Waiting,
    decode,
    differences,
    encode,
)
from orca_daemon.reconcile.reasons import answer
from orca_daemon.reconcile.sources import ListingSource, source_of

_LOCK_RETRY = 1.0
_REPORT_EVERY = 0.5
"""Seconds between two reports of progress."""
_MEMORY_CHECK_EVERY = 0.02
"""Seconds between two looks at the memory: some megabytes can be written in between."""
_TOLERANCE = 1.25
"""How far memory may go beyond the setting before the child ends itself: estimates are not exact."""
_out_lock = threading.Lock()
_out = sys.stdout


def main() -> None:
    """Do one task, from standard input to standard output."""
    _redirect_stdout()
    task = decode(sys.stdin.readline())
    assert isinstance(task, Task)  # noqa: S101  the daemon and we are of one version
    _prefer_oom_kill()
    threading.Thread(target=_watch_memory, args=(task.memory_mib,), daemon=True).start()
    inbox = Inbox(_send)
    threading.Thread(target=_receive, args=(inbox,), daemon=True).start()
    try:
        with connection_of(task) as lock_holder:
            _take_lock(lock_holder, task.lock)
            _send(Locked(pid=os.getpid()))
            found = compared(task, inbox.go(), _send, inbox.sign)
            if isinstance(found, Compared):
                found = replace(found, peak_mib=peak_mib(), cpu_seconds=round(time.process_time(), 3))
            _send(found)
            if isinstance(found, Compared):
                threading.Event().wait()  # `_receive` ends the process
    except Exception as error:  # noqa: BLE001  every error is an answer
        _send(answer(error, task.folder))
    # Not by returning: a thread that reads from Postgres or S3 would be waited for.
    os._exit(1)


class Inbox:
    """The daemon's messages after the task, for the threads that wait for them."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send = send
        self._go: SimpleQueue[Start] = SimpleQueue()
        self._urls: dict[int, SimpleQueue[str]] = {}

    def put(self, line: Message) -> None:
        """Pass it on."""
        match line:
            case Start():
                self._go.put(line)
            case Signed():
                self._urls[line.place].put(line.url)
            case _:
                raise ValueError("the daemon sends nothing else")

    def go(self) -> list[Remote]:
        """Wait for `Start`, and return the files to compare."""
        return self._go.get().files

    def sign(self, place: int, reason: str) -> str:
        """Another URL of the file at this place, because of `reason`."""
        answers = self._urls.setdefault(place, SimpleQueue())
        self._send(Unsigned(place=place, reason=reason))
        return answers.get()


def compared(
    task: Task, files: list[Remote], send: Callable[[Message], None], sign: Callable[[int, str], str]
) -> Compared | ComparisonFailure:
    """Do the task: fetch, read, join, and write the differences to their file."""
    source: ListingSource | None = None
    try:
        with compare.open_engine(task) as engine, connection_of(task) as connection, ExitStack() as stack:
            source = source_of(task, engine, stack, files, _progress_of_files(files, send), sign)
            send(Staged())
            catalog = attach_catalog(engine, connection, task.catalog, _progress("catalog", send))
            streams = [*source.streams, catalog]
            try:
                with _per_cent(engine, send):
                    found = compare.compare(engine, source.listing, lambda: catalog.rows)
            except Exception:
                # What one of them met explains what DuckDB makes of it.
                for error in (stream.error for stream in streams if stream.error):
                    raise error from None
                raise
            for stream in streams:
                stream.check()
            compare.refuse_empty(found, allowed=task.allow_empty)
            compare.write(engine, source.listing, differences(task.folder))
            examples = source.located(compare.odd_ones(engine)) if found.not_compared else ()
            return replace(found, not_compared_examples=tuple(examples))
    except Exception as error:  # noqa: BLE001  every error is an answer
        return answer(error, task.folder, source.where if source else None)


@contextmanager
def connection_of(task: Task) -> Iterator[Any]:
    """A connection that commits each statement."""
    with closing(open_session(task.database, task.session)) as connection:
        connection.autocommit = True
        yield connection


def _receive(inbox: Inbox) -> None:
    """Pass on what is said; end with the input, which also ends when the daemon dies."""
    with suppress(Exception):  # half a line of a daemon that died
        for line in sys.stdin:
            inbox.put(decode(line))
    os._exit(0)


def _redirect_stdout() -> None:
    """Keep what libraries print out of our messages."""
    global _out  # noqa: PLW0603  the one standard output
    _out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), 1)


def _prefer_oom_kill() -> None:
    """Raise our OOM score, so that the kernel kills this process before the daemon."""
    with suppress(OSError):  # no Linux
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")


def _watch_memory(limit_mib: int) -> None:
    """End the process where a library takes what it is not to have, for data that nobody foresaw."""
    while peak_mib() <= limit_mib * _TOLERANCE:
        time.sleep(_MEMORY_CHECK_EVERY)
    _send(answer(MemoryError(), ""))
    os._exit(1)


def _take_lock(connection: Any, lock: int) -> None:
    # Asked for again and again, not waited for: a statement that waits keeps vacuum from its work.
    reported = False
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", (lock,))
            if cursor.fetchone()[0]:
                return
            if not reported:
                _send(Waiting())
                reported = True
            time.sleep(_LOCK_RETRY)


def _progress_of_files(files: list[Remote], send: Callable[[Message], None]) -> Callable[[int], None]:
    return _progress("listing", send, sum(file.size or 0 for file in files))


def _progress(stage: str, send: Callable[[Message], None], total: int | None = None) -> Callable[[int], None]:
    """Says how far a stage is, but not all the time."""
    last = 0.0

    def arrived(done: int) -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= _REPORT_EVERY or done == total:
            last = now
            send(StageProgress(stage=stage, done=done, total=total))

    return arrived


@contextmanager
def _per_cent(engine: duckdb.DuckDBPyConnection, send: Callable[[Message], None]) -> Iterator[None]:
    """Says meanwhile how far DuckDB thinks that it is."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_REPORT_EVERY):
            if (done := round(engine.query_progress())) > 0:
                send(StageProgress(stage="comparing", done=done, total=100))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def peak_mib() -> int:
    """The most memory that this program had at one time.

    Linux keeps `ru_maxrss` across exec (getrusage(2)): it would include what the daemon had before exec.
    """
    with suppress(OSError):  # no Linux
        for line in Path("/proc/self/status").read_text("ascii", "replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) >> 10
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest >> (20 if sys.platform == "darwin" else 10)


def _send(line: Message) -> None:
    with _out_lock:
        _out.write(encode(line) + "\n")
        _out.flush()


if __name__ == "__main__":
    main()
