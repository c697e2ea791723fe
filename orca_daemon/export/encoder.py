"""A thread that writes rows into a Parquet file in the order of the table's parts, while others read."""

import threading
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import suppress

import pyarrow as pa

from orca_daemon.export.parquet import RowGroups

_AHEAD = 32 << 20
"""Bytes of rows that wait for the thread; if there are more, reading waits."""


class StoppedError(Exception):
    """The encoder takes no more rows."""


class Encoder:
    """Encodes the rows of one table.  The file is opened with the first row.

    Args:
        open_file: opens it.
        progress: called with the rows so far, from the thread.
        parts: number of the table's parts; rows of a part are written after those of the parts before it.
    """

    def __init__(
        self, open_file: Callable[[], RowGroups], progress: Callable[[int], None], parts: int = 1
    ) -> None:
        self._open, self._progress, self._parts = open_file, progress, parts
        self._file: RowGroups | None = None
        self._changed = threading.Condition()
        """Guards what follows."""
        self._waiting: defaultdict[int, deque[pa.Table]] = defaultdict(deque)
        self._ended: set[int] = set()
        self._due = self._bytes = 0
        """The part whose rows are written now; the bytes that wait."""
        self._busy = self._stopped = False
        self._thread = threading.Thread(target=self._work, name="export-encoder", daemon=True)
        self.rows = 0
        self.error: BaseException | None = None
        """The first error of the thread."""

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, part: int, rows: pa.Table, *, alone: bool = False) -> None:
        """Queue rows of a part; waits while too many bytes wait.

        Args:
            part: from 0.
            rows: the next rows of the part.
            alone: return when they are written.

        Raises:
            StoppedError: the thread has ended; if it failed, the cause is its error.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._has_room(part))
            self._check()
            self._waiting[part].append(rows)
            self._bytes += rows.nbytes
            self._changed.notify_all()
            if alone:
                self._changed.wait_for(lambda: self._stopped or not (self._bytes or self._busy))
                self._check()

    def end(self, part: int) -> None:
        """No more rows of this part come."""
        with self._changed:
            self._ended.add(part)
            self._changed.notify_all()

    def finish(self) -> int:
        """Wait until rows and footer are written; return the number of rows.  Raises the thread's error.

        All parts must have ended.
        """
        self._thread.join()
        if self.error:
            raise self.error
        if self._file:
            self._file.close()
        return self.rows

    def stop(self) -> None:
        """Take no more rows, and let the thread end."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """End the thread and close the file; its sink must already ignore all bytes."""
        self.stop()
        self._thread.join()
        if self._file:
            with suppress(Exception):
                self._file.abandon()

    def _has_room(self, part: int) -> bool:
        # The part that is due always has room for one table: the rows of later parts, which may fill all the
        # room, wait for it.
        return self._bytes < _AHEAD or (part == self._due and not self._waiting[part])

    def _check(self) -> None:
        if self._stopped:
            raise self.error or StoppedError

    def _work(self) -> None:
        while (rows := self._next()) is not None:
            try:
                self._encode(rows)
            except BaseException as error:  # noqa: BLE001  `put` and `finish` raise it
                self.error = error
                self.stop()

    def _next(self) -> pa.Table | None:
        """The rows to be written next; None if there are none left."""
        with self._changed:
            self._busy = False
            self._changed.notify_all()
            while not (self._stopped or self._due == self._parts):
                if waiting := self._waiting[self._due]:
                    rows = waiting.popleft()
                    self._bytes -= rows.nbytes
                    self._busy = True
                    return rows
                if self._due in self._ended:
                    self._due += 1
                    self._changed.notify_all()
                else:
                    self._changed.wait()
            return None

    def _encode(self, rows: pa.Table) -> None:
        self._file = self._file or self._open()
        self._file.add(rows)
        self.rows += len(rows)
        self._progress(self.rows)
