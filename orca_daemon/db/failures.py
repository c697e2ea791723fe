"""Maps errors of Postgres, by SQLSTATE alone, to what the work has to do.

The codes are those of PostgreSQL's appendix A.  Each means that the cause is the message's data (`REJECT`),
the server or the network (`DOWN`), the schema or the role (`UNREADY`, which is also waited for), a conflict
with another transaction (`AGAIN`), or unknown (`RETRY`; `DOUBTFUL` if a probe can find out).
"""

from enum import Enum

import psycopg2
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from orca_daemon.db.address import DEPENDENCY
from orca_daemon.db.sentences import sentence
from orca_daemon.db.session import UnreachableError
from orca_daemon.engine.errors import DependencyDown, Reject

DEMOTED = "25006"
"""read_only_sql_transaction: the server behind this connection is no longer the writer."""
STALE = frozenset({"26000", "0A000", "42P03", "42P05"})
"""Our prepared statements are missing, exist already, or were planned for columns that have changed: a pooler
gave us another session, or the schema was altered."""
DOUBTFUL = frozenset({"54", "57014"})
"""54, a limit of the server is exceeded: by the message's data, or because transaction ids have run out
(varsup.c).  57014, cancelled: the statement is too slow, or the whole server is."""


class SqlstateMeaning(Enum):
    """What to do about a failure."""

    DOWN = "wait for the database"
    UNREADY = "wait until the schema and our privileges are as they were"
    AGAIN = "repeat the transaction at once"
    RETRY = "try again later"
    REJECT = "no retry can help"


class PostgresError(Exception):
    """A transaction failed and may be retried.  The text names the condition, never values."""

    def __init__(self, sqlstate: str | None, text: str) -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


_CODES = {
    # A sequence is exhausted, which is not the fault of the message, although class 22 is.
    "2200H": SqlstateMeaning.DOWN,
    DEMOTED: SqlstateMeaning.DOWN,
    # The server ended a session that was slow or idle: the work is repeated, and that counts as an attempt.
    "25P03": SqlstateMeaning.RETRY,
    "25P04": SqlstateMeaning.RETRY,
    "40003": SqlstateMeaning.DOWN,  # it is unknown whether the statement completed
    "55P03": SqlstateMeaning.DOWN,  # another session holds the lock, which is not the fault of the message
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
    # Our statements are fixed and tested, so tables or privileges are missing (not created yet, or removed).
    "42": SqlstateMeaning.UNREADY,
    "44": SqlstateMeaning.REJECT,
    "53": SqlstateMeaning.DOWN,
    "54": SqlstateMeaning.REJECT,
    "57": SqlstateMeaning.DOWN,
    "58": SqlstateMeaning.DOWN,
    "F0": SqlstateMeaning.DOWN,
}
_WITHOUT_VALUES = frozenset({"25", "3D", "3F", "42", "53", "54", "55", "57"})
"""Classes whose messages name tables, limits and reasons, and never quote values of rows."""


def meaning(sqlstate: str | None) -> SqlstateMeaning:
    """What to do about this SQLSTATE.  None means that the server did not answer at all.

    Codes outside the tables (missing features, triggers and functions of others, internal errors) are
    retried.
    """
    if sqlstate is None:
        return SqlstateMeaning.DOWN
    return _CODES.get(sqlstate) or _CLASSES.get(sqlstate[:2], SqlstateMeaning.RETRY)


def doubtful(sqlstate: str | None) -> bool:
    """Whether only a probe can show if the message or the server is the cause."""
    return sqlstate is not None and (sqlstate in DOUBTFUL or sqlstate[:2] in DOUBTFUL)


def sqlstate_of(error: BaseException) -> str | None:
    """The SQLSTATE of a driver's error, or of SQLAlchemy's error around one."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    return origin.pgcode if isinstance(origin, psycopg2.Error) else None


def is_ours(error: BaseException) -> bool:
    """Whether the error comes from the database, and not from the code that uses it."""
    return isinstance(error, DBAPIError | PoolExhausted | psycopg2.Error | UnreachableError | UnicodeError)


def translate(error: BaseException) -> Exception:
    """The error to raise in its place, without the statements and values that the driver's errors have."""
    if isinstance(error, UnicodeError):
        return Reject(describe(error))
    translated = described(error)
    if isinstance(translated, PostgresError) and meaning(translated.sqlstate) is SqlstateMeaning.UNREADY:
        return DependencyDown(DEPENDENCY, f"the schema or a privilege is missing: {translated}")
    return translated


def described(error: BaseException) -> Exception:
    """The same for callers that do not wait for a missing schema, but report it."""
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
    """A sentence about the error; it has the server's own message only if that cannot quote values."""
    if isinstance(error, UnreachableError):
        return str(error)
    if isinstance(error, UnicodeDecodeError):
        return "the database holds text that is not UTF-8"
    if isinstance(error, UnicodeError):
        return "a value is not text that UTF-8 can hold"
    origin = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(origin, psycopg2.Error) or origin.pgcode is None:
        return "the connection was lost"
    words = origin.diag.message_primary if origin.pgcode[:2] in _WITHOUT_VALUES else None
    return sentence(origin.pgcode, place=_place(origin), message=words or "")


def _place(error: psycopg2.Error) -> str:
    """The constraint, column or table that an error is about."""
    about = error.diag
    named = {"constraint": about.constraint_name, "column": about.column_name, "table": about.table_name}
    return next((f"{kind} {name}" for kind, name in named.items() if name), "")
