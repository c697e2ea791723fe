"""Streams the catalog's rows of one bucket, read by several connections under one snapshot."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import pyarrow as pa
from psycopg2 import sql

from orca_daemon.db.readers import NotSharedError, Readers
from orca_daemon.db.session import Session, shut_down
from orca_daemon.reconcile.copied_rows import Form, Rows, UnreadableError

_AHEAD = 8
"""Batches that wait to be compared; if there are more, reading waits."""


class CatalogStream:
    """Reads all parts of the catalog; each connection takes the first part that no other one has taken.

    The rows can be read once: first from `head`, which ends when the rest is wanted from elsewhere, then from
    `rest`.

    Args:
        session: in the transaction with the snapshot; in use until the stream ends.
        readers: further connections; None if there are none.
        parts: statements of COPY in the binary format.
        form: what they send.
        report: called with the number of rows so far, by the thread that reads the batches.
    """

    def __init__(
        self,
        session: Session,
        readers: Readers | None,
        parts: Sequence[sql.Composable],
        form: Form,
        report: Callable[[int], None],
    ) -> None:
        self.rows = 0
        self.error: BaseException | None = None
        """The first error."""
        self._session, self._readers, self._parts = session, readers, parts
        self._form, self._report = form, report
        self._changed = threading.Condition()
        """Guards what follows."""
        self._waiting: deque[pa.RecordBatch] = deque()
        self._begun = self._sent = self._came = self._largest = 0
        """Parts that were begun; rows of all COPYs by Postgres's count, and those that were read; rows of the
        largest batch so far."""
        self._reading: set[Session] = set()
        """The sessions in a COPY; others are not cancelled, because they may execute something else."""
        self._head_ends = self._ended = self._closed = False
        helpers = min(readers.number, len(parts) - 1) if readers else 0
        works = [self._own, *[self._help] * helpers]
        self._threads = [threading.Thread(target=work, name="catalog", daemon=True) for work in works]
        self._alive = len(works)

    def start(self) -> None:
        """Begin to read."""
        for thread in self._threads:
            thread.start()

    def head(self, most: int) -> pa.RecordBatchReader:
        """The first rows: about `most`, or fewer if `end_head` is called."""
        return pa.RecordBatchReader.from_batches(self._form.schema, self._head(most))

    def end_head(self) -> None:
        """Let `head` end."""
        with self._changed:
            self._head_ends = True
            self._changed.notify_all()

    def rest(self) -> pa.RecordBatchReader:
        """The other rows.  An error of the stream ends it."""
        return pa.RecordBatchReader.from_batches(self._form.schema, self._rest())

    def expected(self) -> int:
        """The most rows that there may be, if no part has more than the largest one so far.

        Not by the average: if another bucket's rows are in the first parts, these have none.
        """
        return self.rows + (len(self._parts) - self._came) * self._largest

    def check(self) -> None:
        """Check that all rows were read.

        Raises:
            psycopg2.Error: Postgres did not send all rows.
            UnreadableError: rows cannot be read, or are missing.
        """
        if self.error is not None:
            raise self.error
        if not self._ended:
            raise UnreadableError("the catalog was not read to its end")
        if self._came != self._sent:
            raise UnreadableError(
                f"Postgres sent {self._sent} rows of the catalog by its count, and {self._came} came"
            )

    def abandon(self) -> None:
        """Let all readers of the rows end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def close(self) -> None:
        """End all reading; afterwards no thread uses the session."""
        self.abandon()
        if not self._ended:
            if self._readers:
                self._readers.stop()
            shut_down(self._session)
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _head(self, most: int) -> Iterator[pa.RecordBatch]:
        while self.rows < most and (batch := self._next(lambda: self._head_ends)) is not None:
            yield batch

    def _rest(self) -> Iterator[pa.RecordBatch]:
        while (batch := self._next(lambda: False)) is not None:
            yield batch
        self._ended = self.error is None and not self._closed
        self.check()

    def _next(self, enough: Callable[[], bool]) -> pa.RecordBatch | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_over() or enough())
            if self.error or self._closed or enough() or not self._waiting:
                return None
            batch = self._waiting.popleft()
            self._changed.notify_all()
        self.rows += batch.num_rows
        self._came += self._form.sent(batch)
        self._largest = max(self._largest, batch.num_rows)
        self._report(self.rows)
        return batch

    def _is_over(self) -> bool:
        return self.error is not None or self._closed or not self._alive

    def _own(self) -> None:
        self._read(self._session)
        self._done()

    def _help(self) -> None:
        assert self._readers is not None  # noqa: S101  helpers are started only with readers
        # If the snapshot cannot be shared, the other connections read all parts all the same.
        with suppress(NotSharedError), self._readers.session() as session:
            self._read(session)
        self._done()

    def _done(self) -> None:
        with self._changed:
            self._alive -= 1
            self._changed.notify_all()

    def _read(self, session: Session) -> None:
        while (part := self._begin(session)) is not None:
            try:
                self._copy(session, part)
            except BaseException as error:  # noqa: BLE001  `check` raises it in the thread that compares
                self._fail(error)
            finally:
                with self._changed:
                    self._reading.discard(session)

    def _begin(self, session: Session) -> sql.Composable | None:
        with self._changed:
            if self.error or self._closed or self._begun == len(self._parts):
                return None
            self._reading.add(session)
            self._begun += 1
            return self._parts[self._begun - 1]

    def _copy(self, session: Session, part: sql.Composable) -> None:
        rows = Rows(self._take)
        with session.cursor() as cursor:
            cursor.copy_expert(part, rows)
            rows.close()
            with self._changed:
                self._sent += int(cursor.rowcount)

    def _take(self, rows: list[bytes]) -> None:
        if self.error or self._closed:
            return
        try:
            for batch in self._form.batches(rows):
                self._put(batch)
        except BaseException as error:  # noqa: BLE001  `check` raises it in the thread that compares
            self._fail(error)

    def _put(self, batch: pa.RecordBatch) -> None:
        with self._changed:
            self._changed.wait_for(lambda: len(self._waiting) < _AHEAD or self.error or self._closed)
            self._waiting.append(batch)
            self._changed.notify_all()

    def _fail(self, error: BaseException) -> None:
        """Record the first error, and cancel every COPY."""
        with self._changed:
            if self.error is None and not self._closed:
                self.error = error
                self._changed.notify_all()
                # Under the lock, so that no session begins another statement meanwhile.
                for session in self._reading:
                    session.cancel()
