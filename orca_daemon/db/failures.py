"""What an error of Postgres means for the work that met it, decided by SQLSTATE alone.

The codes are those of PostgreSQL's appendix A.  The question is whose fault it is: that of the message's data
(`REJECT`), of the server or the world (`DOWN`), of schema or role (`UNREADY`, also waited for), of a moment
(`AGAIN`), or one that the code does not show (`RETRY`; `DOUBTFUL` where a probe can).
"""

from enum import Enum

import psycopg2
from psycopg2 import errorcodes
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from orca_daemon.db.address import DEPENDENCY
from orca_daemon.db.session import UnreachableError
from orca_daemon.engine.errors import DependencyDown, Reject

DEMOTED = "25006"
"""read_only_sql_transaction: the server behind this connection is no longer the writer."""
STALE = frozenset({"26000", "0A000", "42P03", "42P05"})
"""Statements that we prepared are gone, are there already, or were planned for columns that changed since: a
pooler gave us another session than ours, or the schema was altered."""
DOUBTFUL = frozenset({"54", "57014"})
"""Too large for a limit of the server: the message's own fault, but a server that ran out of transaction
numbers says the same (varsup.c).  Cancelled: the statement is too slow, or the whole server is."""


class SqlstateMeaning(Enum):
    """What is to be done about a failure."""

    DOWN = "wait for the database"
    UNREADY = "wait until the schema and our privileges are as they were"
    AGAIN = "repeat the transaction at once"
    RETRY = "try again later"
    REJECT = "no retry can help"


class PostgresError(Exception):
    """A transaction failed and may be tried again.  The text names the condition, never values."""

    def __init__(self, sqlstate: str | None, text: str) -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


_CODES = {
    # A sequence has come to its end: not what this message brought.
    "2200H": SqlstateMeaning.DOWN,
    DEMOTED: SqlstateMeaning.DOWN,
    # The session was ended for being slow or idle; what it did is to be done again, and counts as an attempt.
    "25P03": SqlstateMeaning.RETRY,
    "25P04": SqlstateMeaning.RETRY,
    "40003": SqlstateMeaning.DOWN,  # nobody knows how the statement ended
    "55P03": SqlstateMeaning.DOWN,  # others hold the lock, and no message is to blame for that
    "57014": SqlstateMeaning.RETRY,
    "72000": SqlstateMeaning.AGAIN,
    "XX001": SqlstateMeaning.DOWN,  # a damaged table
    "XX002": SqlstateMeaning.DOWN,  # or index
    **dict.fromkeys(STALE, SqlstateMeaning.AGAIN),
}
_CLASSES = {
    "08": SqlstateMeaning.DOWN,
    "21": SqlstateMeaning.REJECT,
    "22": SqlstateMeaning.REJECT,
    "23": SqlstateMeaning.REJECT,
    "28": SqlstateMeaning.DOWN,
    "3D": SqlstateMeaning.DOWN,
    "3F": SqlstateMeaning.UNREADY,
    "40": SqlstateMeaning.AGAIN,
    # Our statements are fixed and tested: the tables are not there (yet, or any more), or not open to us.
    "42": SqlstateMeaning.UNREADY,
    "44": SqlstateMeaning.REJECT,
    "53": SqlstateMeaning.DOWN,
    "54": SqlstateMeaning.REJECT,
    "57": SqlstateMeaning.DOWN,
    "58": SqlstateMeaning.DOWN,
    "F0": SqlstateMeaning.DOWN,
}
_QUOTES_NOTHING = frozenset({"25", "3D", "3F", "42", "53", "54", "55", "57"})
"""Classes whose sentences name tables, limits and reasons, and never what is in a row."""

_EXPLAINED = {
    # What a database of the encoding SQL_ASCII says of its own rows.
    "22021": "text that is not UTF-8",
    "22P05": "a character that the encoding of the database does not have",
}


def meaning(sqlstate: str | None) -> SqlstateMeaning:
    """What this SQLSTATE asks for.  None means that the server did not answer at all.

    What is not in the tables (features, triggers and functions of others, internal errors) may pass.
    """
    if sqlstate is None:
        return SqlstateMeaning.DOWN
    return _CODES.get(sqlstate) or _CLASSES.get(sqlstate[:2], SqlstateMeaning.RETRY)


def doubtful(sqlstate: str | None) -> bool:
    """Whether only a probe can show whose fault it is."""
    return sqlstate is not None and (sqlstate in DOUBTFUL or sqlstate[:2] in DOUBTFUL)


def sqlstate_of(error: BaseException) -> str | None:
    """The SQLSTATE of an error of the driver, or of SQLAlchemy around one."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    return origin.pgcode if isinstance(origin, psycopg2.Error) else None


def is_ours(error: BaseException) -> bool:
    """Whether the error is about the database at all, and not about the work that used it."""
    return isinstance(error, DBAPIError | PoolExhausted | psycopg2.Error | UnreachableError | UnicodeError)


def translate(error: BaseException) -> Exception:
    """The error to raise instead: driver and SQLAlchemy put statements and row values into theirs."""
    if isinstance(error, UnicodeError):
        return Reject(describe(error))
    found = described(error)
    if isinstance(found, PostgresError) and meaning(found.sqlstate) is SqlstateMeaning.UNREADY:
        return DependencyDown(DEPENDENCY, f"the schema or a privilege is missing: {found}")
    return found


def described(error: BaseException) -> Exception:
    """The same for those who do not wait for a schema: that it is not there is their news."""
    if isinstance(error, PoolExhausted):
        return DependencyDown(DEPENDENCY, "no free connection")
    sqlstate = sqlstate_of(error)
    text = describe(error)
    if isinstance(error, UnicodeError):
        return PostgresError("22021", text)
    match meaning(sqlstate):
        case SqlstateMeaning.DOWN:
            return DependencyDown(DEPENDENCY, text)
        case SqlstateMeaning.REJECT:
            return Reject(text)
        case _:
            return PostgresError(sqlstate, text)


def describe(error: BaseException) -> str:
    """Code, name and the identifiers involved; the server's own sentence only where it holds no values."""
    if isinstance(error, UnreachableError):
        return str(error)
    if isinstance(error, UnicodeDecodeError):
        return "the database holds text that is not UTF-8"
    if isinstance(error, UnicodeError):
        return "a value is not text that UTF-8 can hold"
    origin = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(origin, psycopg2.Error) or origin.pgcode is None:
        return "the connection was lost"
    parts = [origin.pgcode, _name(origin.pgcode)]
    diagnostics = origin.diag
    if where := diagnostics.constraint_name or diagnostics.column_name or diagnostics.table_name:
        parts.append(f"on {where}")
    if explained := _EXPLAINED.get(origin.pgcode):
        parts.append(f"({explained})")
    if origin.pgcode[:2] in _QUOTES_NOTHING and diagnostics.message_primary:
        parts.append(f"({diagnostics.message_primary})")
    return " ".join(parts)


def _name(sqlstate: str) -> str:
    try:
        return errorcodes.lookup(sqlstate).lower()
    except KeyError:
        return "unknown condition"
