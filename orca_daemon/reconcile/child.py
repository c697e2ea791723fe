"""The process that compares: `python -m orca_daemon.reconcile.child`, started by `process`.

It reads a task, takes the job's lock, waits for `Start`, compares, and keeps the lock until its input ends.
It writes only to its folder, so it can be killed at any time.
"""

import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from orca_daemon.reconcile.catalog_copy import CopiedHashes, connection_of, opened
from orca_daemon.reconcile.progress import progress, progress_of_files, traced
from orca_daemon.reconcile.protocol import (
    Compared,
    ComparisonFailure,
    Fetched,
    Locked,
    Message,
    Part,
    PartStaged,
    Remote,
    Send,
    Sign,
    Signed,
    SparkDone,
    SparkTask,
    Staged,
    Start,
    Task,
    Unsigned,
    Waiting,
    decode,
    encode,
)
from orca_daemon.reconcile.refusal import RepeatedError

if TYPE_CHECKING:
    from orca_daemon.reconcile.spark import Stage


_LOCK_RETRY = 1.0
"""Seconds between two attempts to take the job's lock."""
_MEMORY_CHECK_EVERY = 0.02
"""Seconds between two checks of the memory; the process may grow by some megabytes in between."""
_TOLERANCE = 1.25
"""The child ends itself above this multiple of the setting: DuckDB's own estimates are not exact."""
_out_lock = threading.Lock()
_out = sys.stdout


def main() -> None:
    """Do one task, from standard input to standard output."""
    _redirect_stdout()
    task = decode(sys.stdin.readline())
    assert isinstance(task, Task)  # noqa: S101  daemon and child are of one version
    _prefer_oom_kill()
    _open_many_files()
    threading.Thread(target=_watch_memory, args=(task.memory_mib,), daemon=True).start()
    inbox = Inbox(_send)
    threading.Thread(target=_receive, args=(inbox,), daemon=True).start()
    try:
        with connection_of(task) as lock_holder:
            with traced("lock", _send):
                _take_lock(lock_holder, task.lock)
            _send(Locked(pid=os.getpid()))
            result = compared(task, inbox.start(), _send, inbox.sign, inbox)
            if isinstance(result, Compared):
                result = replace(result, peak_mib=peak_mib(), cpu_seconds=round(time.process_time(), 3))
            _send(result)
            if isinstance(result, Compared):
                threading.Event().wait()  # keeps the lock; `_receive` ends the process
    except Exception as error:  # noqa: BLE001  every error is sent to the daemon
        _send(_failure_of(error, task.folder))
    # `os._exit`, because returning would wait for the threads that read from Postgres or S3.
    os._exit(1)


class Inbox:
    """The daemon's messages after the task; `_receive` puts them in, other threads wait for them."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send = send
        self._start: SimpleQueue[Start] = SimpleQueue()
        self._urls: dict[int, SimpleQueue[str]] = {}
        self._staged: SimpleQueue[PartStaged] = SimpleQueue()
        self._fetched: SimpleQueue[Fetched] = SimpleQueue()

    def deliver(self, message: Message) -> None:
        """Pass a message to the thread that waits for it."""
        match message:
            case Start():
                self._start.put(message)
            case Signed():
                self._urls[message.index].put(message.url)
            case PartStaged():
                self._staged.put(message)
            case Fetched():
                self._fetched.put(message)
            case _:
                raise ValueError("the daemon sends only Start and answers after the task")

    def start(self) -> list[Remote]:
        """Wait for `Start`, and return the files to compare."""
        return self._start.get().files

    def sign(self, index: int, reason: str) -> str:
        """Request a new URL of the file with this index, because of `reason`, and wait for it."""
        urls = self._urls.setdefault(index, SimpleQueue())
        self._send(Unsigned(index=index, reason=reason))
        return urls.get()

    # The methods of `spark.Stage`; one thread uses them.

    def put(self, path: Path, name: str) -> None:
        """Have the daemon move a file to the stage."""
        self._send(Part(path=str(path), name=name))
        self._staged.get()

    def differences(self) -> list[Path]:
        """Have the daemon fetch Spark's differences."""
        self._send(SparkDone())
        return [Path(path) for path in self._fetched.get().paths]


def compared(
    task: Task,
    files: list[Remote],
    send: Send,
    sign: Sign,
    stage: "Stage | None" = None,
) -> Compared | ComparisonFailure:
    """Do the task: fetch, read, join, and write the differences to a file."""
    try:
        if task.spark is not None and stage is not None:
            return _compared_in_spark(task, task.spark, files, send, sign, stage)
        # Outside of `except`, which would keep what the first attempt has in memory.
        with suppress(RepeatedError):
            return _compared_here(task, files, send, sign)
        # Hashes of two keys may be the same: with 10 million keys, in one of 400,000 comparisons.
        return _compared_here(task, files, send, sign, salt="again")
    except Exception as error:  # noqa: BLE001  every error is sent to the daemon
        return _failure_of(error, task.folder)


def _compared_here(
    task: Task,
    files: list[Remote],
    send: Send,
    sign: Sign,
    salt: str = "",
) -> Compared | ComparisonFailure:
    """Let Postgres begin to read, and compare.

    Columns are not read yet: their thread would be the first to import Arrow, which some versions do not
    survive (apache/arrow#50471).
    """
    with opened(task, progress("catalog", send)) as copied:
        if isinstance(copied, CopiedHashes):
            copied.stream.start()
        # Here, because this import takes a third of a second, in which Postgres reads already.
        from orca_daemon.reconcile import comparison

        return comparison.compared(task, copied, files, send, sign, salt)


def _compared_in_spark(
    task: Task,
    options: SparkTask,
    files: list[Remote],
    send: Send,
    sign: Sign,
    stage: "Stage",
) -> Compared:
    from orca_daemon.reconcile import spark

    reports = progress_of_files(files, send), progress("catalog", send)
    with traced("spark", send):
        return spark.compared(task, options, files, stage, lambda: send(Staged()), sign, *reports)


def _failure_of(error: Exception, folder: str) -> ComparisonFailure:
    from orca_daemon.reconcile.reasons import failure_of

    return failure_of(error, folder)


def _receive(inbox: Inbox) -> None:
    """Read messages until the input ends, then end the process; the input also ends if the daemon dies."""
    with suppress(Exception):  # a daemon that died may leave half a line
        for line in sys.stdin:
            inbox.deliver(decode(line))
    os._exit(0)


def _redirect_stdout() -> None:
    """Send what libraries print to /dev/null, so that standard output has only our messages."""
    global _out  # noqa: PLW0603  a process has one standard output
    _out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    with Path(os.devnull).open("w", encoding="utf-8") as null:
        os.dup2(null.fileno(), 1)


def _prefer_oom_kill() -> None:
    """Raise our OOM score, so that the kernel kills this process before the daemon."""
    with suppress(OSError):  # only Linux has this file
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")


def _open_many_files() -> None:
    """Raise the limit of open files as far as the system allows: a catalog on disk is in many."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS has a limit that it does not tell
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _watch_memory(limit_mib: int) -> None:
    """End the process if it takes more memory than the setting allows: data may surprise a library."""
    while peak_mib() <= limit_mib * _TOLERANCE:
        time.sleep(_MEMORY_CHECK_EVERY)
    try:
        _send(_failure_of(MemoryError(), ""))
    finally:
        os._exit(1)


def _take_lock(connection: Any, lock: int) -> None:
    # Polled, because a statement that waits for hours holds a snapshot, which keeps vacuum from its work.
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


def peak_mib() -> int:
    """The most memory that this program had at one time.

    Linux keeps `ru_maxrss` across exec (getrusage(2)): it would include what the daemon had before exec.
    """
    with suppress(OSError):  # only Linux has this file
        for line in Path("/proc/self/status").read_text("ascii", "replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) >> 10
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest >> (20 if sys.platform == "darwin" else 10)


def _send(message: Message) -> None:
    with _out_lock:
        _out.write(encode(message) + "\n")
        _out.flush()


if __name__ == "__main__":
    main()
