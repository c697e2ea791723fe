"""A thread that turns blocks of CSV into a file, while another one reads the next block from Postgres."""

import queue
import threading
from collections.abc import Callable
from contextlib import suppress

from orca_daemon.export.framing import BLOCK, Reader
from orca_daemon.export.parquet import RowGroups

_AHEAD = 4
"""Blocks that may wait; then reading waits."""
_LARGE = 2 * BLOCK
"""Past this a block is of large rows: reading waits until it is encoded, so that there is one of them."""


class Encoder:
    """Takes the blocks of one table.  The file is opened when there is a row for it."""

    def __init__(
        self, reader: Reader, open_file: Callable[[], RowGroups], progress: Callable[[int], None]
    ) -> None:
        """`progress` is called with the rows so far, from the thread."""
        self._reader, self._open, self._progress = reader, open_file, progress
        self._blocks: queue.Queue[memoryview | None] = queue.Queue(_AHEAD)
        self._file: RowGroups | None = None
        self._thread = threading.Thread(target=self._work, name="export-encoder", daemon=True)
        self.rows = 0
        self.error: BaseException | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def take(self, block: memoryview) -> None:
        """Whole rows, to be encoded.  After an error they are let go."""
        self._blocks.put(block)
        if len(block) > _LARGE:
            self._blocks.join()

    def finish(self) -> int:
        """Wait until all is in the file, its footer too; returns the number of rows.  Raises what failed."""
        self.join()
        if self.error:
            raise self.error
        if self._file:
            self._file.close()
        return self.rows

    def join(self) -> None:
        """End the thread after what it was given."""
        if self._thread.is_alive():
            self._blocks.put(None)
            self._thread.join()

    def abandon(self) -> None:
        """End the thread and leave the file, whose sink takes nothing any more."""
        self.join()
        if self._file:
            with suppress(Exception):
                self._file.abandon()

    def _work(self) -> None:
        while (block := self._blocks.get()) is not None:
            # After an error the queue is emptied all the same: the reading thread must never hang on it.
            if self.error is None:
                try:
                    self._encode(block)
                except BaseException as error:  # noqa: BLE001  raised again by `finish`
                    self.error = error
            self._blocks.task_done()

    def _encode(self, block: memoryview) -> None:
        rows = self._reader.read(block)
        self._file = self._file or self._open()
        self._file.add(rows)
        self.rows += len(rows)
        self._progress(self.rows)
