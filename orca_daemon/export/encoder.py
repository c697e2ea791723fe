"""A thread that turns blocks of CSV into a Parquet file, while another thread reads from Postgres."""

import queue
import threading
from collections.abc import Callable
from contextlib import suppress

from orca_daemon.export.framing import BLOCK, Reader
from orca_daemon.export.parquet import RowGroups

_AHEAD = 4
"""Blocks in the queue; if it is full, reading waits."""
_LARGE = 2 * BLOCK
"""A longer block has very large rows: reading waits until it is encoded, so that only one is in memory."""


class Encoder:
    """Encodes the blocks of one table.  The file is opened with the first row."""

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
        """The first error; the thread sets it, the reading thread checks it."""

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def take(self, block: memoryview) -> None:
        """Queue a block of whole rows.  After an error, blocks are dropped."""
        self._blocks.put(block)
        if len(block) > _LARGE:
            self._blocks.join()

    def finish(self) -> int:
        """Wait until rows and footer are written; return the number of rows.  Raises the first error."""
        self.join()
        if self.error:
            raise self.error
        if self._file:
            self._file.close()
        return self.rows

    def join(self) -> None:
        """End the thread after the blocks that are queued."""
        if self._thread.is_alive():
            self._blocks.put(None)
            self._thread.join()

    def abandon(self) -> None:
        """End the thread and close the file; its sink must already ignore all bytes."""
        self.join()
        if self._file:
            with suppress(Exception):
                self._file.abandon()

    def _work(self) -> None:
        while (block := self._blocks.get()) is not None:
            # After an error, blocks are still taken from the queue, or the reading thread would wait for
            # ever.
            if self.error is None:
                try:
                    self._encode(block)
                except BaseException as error:  # noqa: BLE001  `finish` raises it
                    self.error = error
            self._blocks.task_done()

    def _encode(self, block: memoryview) -> None:
        rows = self._reader.read(block)
        self._file = self._file or self._open()
        self._file.add(rows)
        self.rows += len(rows)
        self._progress(self.rows)
