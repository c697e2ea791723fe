"""Further connections that read under the snapshot of one transaction, so that several read one table."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psycopg2

from orca_daemon.db.ranges import OLDEST_SERVER
from orca_daemon.db.session import Session, UnreachableError, shut_down

_SHARING = """
SELECT pg_catalog.pg_backend_pid(),
       coalesce(pg_catalog.has_function_privilege(
           pg_catalog.to_regprocedure('pg_catalog.pg_export_snapshot()'), 'execute'), false)
"""
_SHARE = """
SELECT pg_catalog.pg_export_snapshot(), pg_catalog.pg_postmaster_start_time()::text,
       pg_catalog.pg_current_snapshot()::text
"""
_IMPORT = """
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SET TRANSACTION SNAPSHOT %s;
SET LOCAL idle_in_transaction_session_timeout = 0;
SELECT pg_catalog.pg_postmaster_start_time()::text, pg_catalog.pg_current_snapshot()::text
"""


class NotSharedError(Exception):
    """A connection cannot read under the shared snapshot; the text is the reason."""


@dataclass(frozen=True, slots=True)
class SharedSnapshot:
    """A snapshot that other sessions may import while the exporting transaction is open."""

    name: str
    proof: tuple[str, str]
    """Start of the server and the snapshot itself: another server may have a snapshot of the same name."""


def share(session: Session) -> SharedSnapshot:
    """Export the snapshot of this session's transaction.  Call it outside of savepoints.

    Raises:
        NotSharedError: the server is too old or lacks the function, or a pooler is in between: it need not
            connect us to the same server, and may have no second connection to give while we hold the first.
    """
    if session.info.server_version < OLDEST_SERVER:
        raise NotSharedError("the server is older than Postgres 14")
    with session.cursor() as cursor:
        cursor.execute(_SHARING)
        ((process, allowed),) = cursor.fetchall()
        if session.info.backend_pid != process:
            raise NotSharedError("a pooler is in between")
        if not allowed:
            raise NotSharedError("the role may not call pg_export_snapshot()")
        cursor.execute(_SHARE)
        ((name, started, snapshot),) = cursor.fetchall()
    return SharedSnapshot(str(name), (str(started), str(snapshot)))


class Readers:
    """Connections for the threads that help to read a table.  `stop` may be called from any thread."""

    def __init__(self, open_session: Callable[[], Session], shared: SharedSnapshot, number: int) -> None:
        """`open_session` raises UnreachableError; at most `number` threads use `session` at one time."""
        self._open, self._shared, self.number = open_session, shared, number
        self._lock = threading.Lock()
        self._idle: list[Session] = []
        self._all: list[Session] = []
        self._stopped = False

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session in a transaction with the shared snapshot, which ends with the context.

        Raises:
            NotSharedError: none can be had.
        """
        session = self._import()
        try:
            yield session
        finally:
            with suppress(psycopg2.Error):
                session.rollback()
                with self._lock:
                    self._idle.append(session)

    def stop(self) -> None:
        """End all sessions at once, whatever they do; later ones cannot be opened."""
        with self._lock:
            self._stopped, sessions = True, list(self._all)
            # Under the lock, or a closed session's descriptor could already be that of another socket.
            for session in sessions:
                shut_down(session)
        for session in sessions:
            session.cancel()  # otherwise the server would notice only when it sends the next row

    def close(self) -> None:
        """Close all sessions; no thread uses one any more."""
        for session in list(self._all):
            self._close(session)

    def _close(self, session: Session) -> None:
        with self._lock:
            self._all.remove(session)
            session.close()

    def _import(self) -> Session:
        session = self._taken()
        try:
            with session.cursor() as cursor:
                cursor.execute(_IMPORT, (self._shared.name,))
                proof = cursor.fetchone()
        except psycopg2.Error as error:
            self._close(session)
            raise NotSharedError(error.diag.message_primary or "the connection is lost") from None
        if proof != self._shared.proof:
            self._close(session)
            raise NotSharedError("another server answers at the same address")
        return session

    def _taken(self) -> Session:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        try:
            session = self._open()
        except UnreachableError as error:
            raise NotSharedError(str(error)) from None
        with self._lock:
            self._all.append(session)
            if not self._stopped:
                return session
        session.close()
        raise NotSharedError("the run has ended")
