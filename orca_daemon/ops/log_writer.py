"""Writes log lines to a file descriptor in a thread of its own, so that `put` never waits.

If the reader stops (a stopped `docker logs`, a log router in blocking mode), the buffer fills up; then lines
are dropped and counted.  When writing resumes, a notice with their number is written in their place.
"""

import os
import select
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from threading import Condition, Event, RLock, Thread
from typing import NoReturn

CAPACITY = 4 * 1024 * 1024
"""Bytes that may wait in the buffer: about ten thousand lines."""
RESERVE = 256 * 1024
"""Bytes beyond the capacity for lines that are dropped last: the metrics of an hour."""
LINGER = 0.02
"""Seconds between two batches, so that many lines in quick succession wake the thread once."""
_CHUNK = select.PIPE_BUF
"""Bytes of one write: up to this size a pipe does not mix them with writes of other processes (pipe(7))."""


class LogWriter:
    """Writes lines to `fd` in the order of `put`, in a thread that ends with the process.

    Args:
        fd: an open file descriptor; it stays open.
        notice: makes the line that reports how many lines were dropped.
        capacity: bytes that may wait to be written; None for `CAPACITY`.
    """

    def __init__(self, fd: int, notice: Callable[[int], bytes], capacity: int | None = None) -> None:
        self._fd, self._notice, self._capacity = fd, notice, capacity or CAPACITY
        # Reentrant: the garbage collector may run a destructor that logs while `put` holds the lock.
        self._lock = RLock()
        self._changed = Condition(self._lock)
        self._hurry = Event()
        self._queue: list[bytes | int] = []
        """Lines in order; a number marks where that many lines were dropped."""
        self._waiting = 0
        """Bytes in the queue and in the batch being written."""
        self._missing = 0
        """Lines dropped since the last number in the queue."""
        self._full = False
        self._idle = True
        self._torn = False
        """Whether the last write ended in the middle of a line."""
        self.dropped = 0
        """Lines dropped since the start."""
        Thread(target=self._run, name="log writer", daemon=True).start()

    def put(self, line: bytes) -> None:
        """Queue a line, which ends with a newline; drop it if the buffer is full."""
        with self._lock:
            # A full buffer accepts nothing until half of it is free, so that one notice covers thousands of
            # dropped lines.
            if (self._full and self._crowded) or self._waiting + len(line) > self._capacity:
                self._full = self._crowded
                self._lose(1)
                return
            self._full = False
            self._enqueue(line)

    def put_reserved(self, line: bytes) -> None:
        """As `put`, for a line that is dropped last: `RESERVE` bytes are kept for such lines."""
        with self._lock:
            if self._waiting + len(line) > self._capacity + RESERVE:
                self._lose(1)
            else:
                self._enqueue(line)

    def flush(self, limit: float) -> bool:
        """Wait at most `limit` seconds until the buffer is empty; returns whether all lines were written."""
        self._hurry.set()
        with self._changed:
            done = self._changed.wait_for(lambda: self._idle and not self._queue, limit)
            return done and not self._missing

    def _enqueue(self, line: bytes) -> None:
        self._queue_missing()
        self._queue.append(line)
        self._waiting += len(line)
        if self._idle:
            self._changed.notify_all()

    @property
    def _crowded(self) -> bool:
        return self._waiting > self._capacity // 2

    def _run(self) -> NoReturn:
        while True:
            for chunk in _chunks(self._take()):
                if isinstance(chunk, int):
                    self._report(chunk)
                else:
                    self._write(chunk)
            self._hurry.wait(LINGER)

    def _take(self) -> Sequence[bytes | int]:
        with self._changed:
            self._idle = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._queue)
            self._idle = False
            self._hurry.clear()
            taken, self._queue = self._queue, []
            return taken

    def _write(self, chunk: bytes) -> None:
        rest = self._write_all(chunk)
        with self._changed:
            self._waiting -= len(chunk)
            if rest:
                self._lose(min(rest.count(b"\n"), chunk.count(b"\n")))
            elif not self._crowded:
                self._queue_missing()

    def _report(self, missing: int) -> None:
        if self._write_all(self._notice(missing)):
            with self._lock:
                self._missing += missing

    def _write_all(self, chunk: bytes) -> bytes:
        """Write the chunk, without a time limit.  Returns the part that cannot be written."""
        # After a full disk the last line may be cut off: end it, so that the next one begins a new line.
        data = b"\n" + chunk if self._torn else chunk
        done = 0
        try:
            while done < len(data):
                with suppress(BlockingIOError):
                    done += os.write(self._fd, data[done:])
                    self._torn = data[done - 1 : done] != b"\n"
                    continue
                _await_writable(self._fd)
        except OSError:  # the disk is full, or the reader has closed the pipe
            return data[done:]
        return b""

    def _lose(self, count: int) -> None:
        self._missing += count
        self.dropped += count

    def _queue_missing(self) -> None:
        if self._missing:
            self._queue.append(self._missing)
            self._missing = 0


def _chunks(queue: Sequence[bytes | int]) -> Iterator[bytes | int]:
    """Join lines to chunks of at most `_CHUNK` bytes; yield numbers unchanged."""
    lines: list[bytes] = []
    size = 0
    for item in queue:
        if lines and (isinstance(item, int) or size + len(item) > _CHUNK):
            yield b"".join(lines)
            lines, size = [], 0
        if isinstance(item, int):
            yield item
        else:
            lines.append(item)
            size += len(item)
    if lines:
        yield b"".join(lines)


def _await_writable(fd: int) -> None:
    """Wait until the descriptor accepts more: our parent process may have made it non-blocking."""
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    poll.poll()
