"""Asks Postgres whether it does what the work needs: a transaction that writes where the work writes.

Its rows are rolled back, so nothing stays behind; its commit is a real one.  What it meets: a server that is
away or a standby, a session that is read-only, privileges and tables that are gone, a full disk, transaction
numbers that ran out, a commit that waits for a replica which never answers.
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
_SMALL_FILES_ONLY = "53400"
"""configuration_limit_exceeded: `temp_file_limit` is less than the probe writes, which proves nothing."""


class ReadOnlyError(Exception):
    """The session takes no writes, and the work has some."""


def ask(connection: Connection, written: Iterable[str] | None, *, insist: bool) -> None:
    """Raise what the database answers to a write of the kind that the work does.

    Args:
        connection: in a transaction, which the caller commits.
        written: the tables that the work writes; None where nobody knows: those that this role may write.
        insist: whether a session that is read-only will not do, because a write was refused before.

    Raises:
        ReadOnlyError: the session is read-only.  Who only reads may well be connected to a replica.
        DBAPIError: the server's answer.
    """
    state = connection.execute(_SQL["state"]).one()
    if state.read_only:
        if insist or written:
            raise ReadOnlyError
        return
    connection.execute(_SQL["limits"])
    _tried(connection, "spill", {}, harmless=_SMALL_FILES_ONLY)
    wanted = set(state.writable if written is None else written)
    name = {"name": f"orca-daemon probe {uuid.uuid4()}"}
    savepoint = connection.begin_nested()
    for table in _TABLES:
        if table in wanted:
            _tried(connection, table, name)
    savepoint.rollback()


def _tried(connection: Connection, statement: str, values: Mapping[str, str], harmless: str = "") -> None:
    """Execute.  That a trigger or a constraint of others refuses the row is an answer, too."""
    savepoint = connection.begin_nested()
    try:
        connection.execute(_SQL[statement], values)
    except DBAPIError as error:
        code = sqlstate_of(error)
        if code is None or (code != harmless and _blames_the_server(code)):
            raise
        savepoint.rollback()
    else:
        savepoint.commit()


def _blames_the_server(code: str) -> bool:
    return doubtful(code) or meaning(code) in {
        SqlstateMeaning.DOWN,
        SqlstateMeaning.UNREADY,
        SqlstateMeaning.AGAIN,
    }
