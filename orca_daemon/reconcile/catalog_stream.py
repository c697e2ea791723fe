"""Streams the catalog's rows of one bucket, read by several connections under one snapshot."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from psycopg2 import sql

from orca_daemon.db.readers import NotSharedError, Readers
from orca_daemon.db.session import Session, shut_down
from orca_daemon.reconcile.binary_copy import Rows, UnreadableError

T = TypeVar("T")

_AHEAD = 8
"""Batches that wait to be compared; if there are more, reading waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form(Generic[T]):
    """What a COPY of the catalog sends, as batches of any kind."""

    batches: Callable[[list[bytes]], Iterable[T]]
    """Makes batches of rows of COPY, in the thread that reads them; raises UnreadableError."""
    rows: Callable[[T], int]
    """How many rows of the catalog a batch has."""
    sent: Callable[[T], int]
    """How many rows of COPY a batch was made of."""


class CatalogStream(Generic[T]):
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
        form: Form[T],
        report: Callable[[int], None],
    ) -> None:
        self.rows = 0
        self.error: BaseException | None = None
        """The first error."""
        self._session, self._readers, self._parts = session, readers, parts
        self._form, self._report = form, report
        self._changed = threading.Condition()
        """Guards what follows."""
        self._waiting: deque[T] = deque()
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

    def head(self, most: int) -> Iterator[T]:
        """The first rows: about `most`, or fewer if `end_head` is called."""
        while self.rows < most and (batch := self._next(lambda: self._head_ends)) is not None:
            yield batch

    def end_head(self) -> None:
        """Let `head` end."""
        with self._changed:
            self._head_ends = True
            self._changed.notify_all()

    def rest(self) -> Iterator[T]:
        """The other rows.  An error of the stream ends it, and is raised."""
        while (batch := self._next(lambda: False)) is not None:
            yield batch
        self._ended = self.error is None and not self._closed
        self.check()

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

    def _next(self, enough: Callable[[], bool]) -> T | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_over() or enough())
            if self.error or self._closed or enough() or not self._waiting:
                return None
            batch = self._waiting.popleft()
            self._changed.notify_all()
        rows = self._form.rows(batch)
        self.rows += rows
        self._came += self._form.sent(batch)
        self._largest = max(self._largest, rows)
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

    def _put(self, batch: T) -> None:
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
