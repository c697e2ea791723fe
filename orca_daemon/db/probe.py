"""Probes Postgres by a transaction that writes to the tables that the daemon's work writes to.

Its rows are rolled back to a savepoint, so nothing is stored, but the transaction is committed.  So it
detects: an unreachable server, a standby, a read-only session, missing privileges and tables, a full disk,
exhausted transaction ids, and a commit that waits for a replica that does not answer.
"""

import uuid
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from orca_daemon.db.failures import SqlstateMeaning, doubtful, meaning, sqlstate_of
from orca_daemon.db.sql import load

_SQL = load(__package__, "probe.sql")
_TABLES = ("recovery_job", "recovery_file", "reconcile_job")
"""In the order of their foreign keys."""
_CATALOG = ("providers", "collections", "granules", "files")
"""The same; a row of each refers to rows of those before it, so all of them are written, or none."""
_TEMP_FILE_LIMIT = "53400"
"""configuration_limit_exceeded: `temp_file_limit` is less than the probe writes; not a failure."""


class ReadOnlyError(Exception):
    """The session is read-only, and the work writes."""


def ask(connection: Connection, written: Iterable[str] | None, *, must_write: bool) -> None:
    """Write as the work writes; raise if the database cannot do the work.

    Args:
        connection: in a transaction, which the caller commits.
        written: the tables that the work writes; None if they are not known: then those that this role may
            write.
        must_write: whether a read-only session is an error, because a write was refused before.

    Raises:
        ReadOnlyError: the session is read-only; work that only reads may be connected to a replica.
        DBAPIError: the server's answer.
    """
    state = connection.execute(_SQL["state"]).one()
    if state.read_only:
        if must_write or written:
            raise ReadOnlyError
        return
    connection.execute(_SQL["limits"])
    _execute(connection, "spill", {}, harmless=_TEMP_FILE_LIMIT)
    wanted = set(state.writable if written is None else written)
    name = {"name": f"orca-daemon probe {uuid.uuid4()}"}
    savepoint = connection.begin_nested()
    for table in _TABLES:
        if table in wanted:
            _execute(connection, table, name)
    if wanted.issuperset(_CATALOG):
        for table in _CATALOG:
            _execute(connection, table, name)
    savepoint.rollback()


def _execute(connection: Connection, statement: str, values: Mapping[str, str], harmless: str = "") -> None:
    """Execute a statement; a trigger or constraint that refuses the row is not an error of the server."""
    savepoint = connection.begin_nested()
    try:
        connection.execute(_SQL[statement], values)
    except DBAPIError as error:
        code = sqlstate_of(error)
        if code is None or (code != harmless and _is_of_the_server(code)):
            raise
        savepoint.rollback()
    else:
        savepoint.commit()


def _is_of_the_server(code: str) -> bool:
    return doubtful(code) or meaning(code) in {
        SqlstateMeaning.DOWN,
        SqlstateMeaning.UNREADY,
        SqlstateMeaning.AGAIN,
    }
