"""Reads the parts of a table by COPY on several connections, and passes their rows to the encoder."""

import contextvars
import io
import threading
from collections.abc import Sequence

import structlog
from psycopg2 import sql

from orca_daemon.db.readers import NotSharedError, Readers
from orca_daemon.db.session import Session
from orca_daemon.export.encoder import Encoder
from orca_daemon.export.framing import BLOCK, Blocks, Reader

log = structlog.get_logger(__name__)

_MOST = 4
_LARGE = 2 * BLOCK
"""A longer block has very large rows: reading waits until it is encoded, so that only one is in memory."""


def default_readers(processors: int) -> int:
    """Connections that read one table on a machine with so many processors.

    With two, one connection and the encoder keep both busy: a second connection only costs time and memory.
    """
    return min(max(1, processors // 2), _MOST)


class Reading:
    """Reads all parts of one table; each connection takes the first part that no other one has taken.

    So the part whose rows are due in the file is always being read, and nobody waits for a part that waits.
    """

    def __init__(self, table: str, parts: Sequence[sql.Composable], reader: Reader, encoder: Encoder) -> None:
        """`parts` are statements of COPY."""
        self._table, self._parts, self._reader, self._encoder = table, parts, reader, encoder
        self._lock = threading.Lock()
        self._begun = self._sent = 0
        self._reading: set[Session] = set()
        """The sessions in a COPY; others are not cancelled, because they may execute something else."""
        self._failure: BaseException | None = None

    def run(self, own: Session, readers: Readers | None) -> int:
        """Read on `own` and on the readers' sessions; return the number of rows by the server's count.

        Returns or raises when no thread reads any more.  Raises the first error.
        """
        helpers = min(readers.number, len(self._parts) - 1) if readers else 0
        # A thread has a context of its own; log lines have fields from it.
        works = [(contextvars.copy_context().run, self._help, readers) for _ in range(helpers)]
        threads = [
            threading.Thread(target=run, args=arguments, name="export-reader", daemon=True)
            for run, *arguments in works
        ]
        for thread in threads:
            thread.start()
        self._read(own)
        for thread in threads:
            thread.join()
        if self._failure:
            raise self._failure
        return self._sent

    def _help(self, readers: Readers) -> None:
        try:
            with readers.session() as session:
                self._read(session)
        except NotSharedError as error:
            # The other connections read all parts all the same.
            log.warning("export.fewer_readers", table=self._table, reason=str(error))

    def _read(self, session: Session) -> None:
        while (number := self._begin(session)) is not None:
            try:
                self._copy(session, number)
            except BaseException as error:  # noqa: BLE001  `run` raises it
                self._fail(error)
            finally:
                with self._lock:
                    self._reading.discard(session)

    def _begin(self, session: Session) -> int | None:
        with self._lock:
            if self._failure or self._begun == len(self._parts):
                return None
            self._reading.add(session)
            self._begun += 1
            return self._begun - 1

    def _copy(self, session: Session, number: int) -> None:
        def take(block: memoryview) -> None:
            # Must not raise: the connection would be left in mid-COPY and unusable.
            if self._failure is None:
                try:
                    rows = self._reader.read(block)
                    self._encoder.put(number, rows, alone=len(block) > _LARGE)
                except BaseException as error:  # noqa: BLE001  `run` raises it
                    self._fail(error)

        with session.cursor() as cursor, io.BufferedWriter(Blocks(take), BLOCK) as stream:
            cursor.copy_expert(self._parts[number], stream)
            rows = int(cursor.rowcount)
        self._encoder.end(number)
        with self._lock:
            self._sent += rows

    def _fail(self, error: BaseException) -> None:
        """Record the first error, and cancel every COPY."""
        with self._lock:
            if self._failure is None:
                self._failure = error
                self._encoder.stop()
                # Under the lock, so that no session begins another statement meanwhile.
                for session in self._reading:
                    session.cancel()
