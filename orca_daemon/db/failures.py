"""What an error of Postgres means for the work that met it, decided by SQLSTATE alone."""

from enum import Enum

import psycopg2
from psycopg2 import errorcodes
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from orca_daemon.db.address import DEPENDENCY
from orca_daemon.db.connect import Unreachable
from orca_daemon.engine.errors import DependencyDown, Reject

DEMOTED = "25006"
"""read_only_sql_transaction: the server behind this connection is no longer the writer."""
UNPREPARED = "26000"
"""invalid_sql_statement_name: a pooler in between gave us another connection than the one we prepared."""
WRITES_REFUSED = frozenset({DEMOTED, "53100"})
"""Also disk_full.  Such a server answers all the same, so an answer does not mean that it is well."""


class Meaning(Enum):
    """What is to be done about a failure."""

    DOWN = "wait for the database"
    AGAIN = "repeat the transaction at once"
    RETRY = "try again later"
    REJECT = "no retry can help"


class Failed(Exception):  # noqa: N818  a statement's outcome
    """A transaction failed and may be tried again.  The text names the condition, never values."""

    def __init__(self, sqlstate: str | None, text: str) -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


def meaning(sqlstate: str | None) -> Meaning:
    """What this SQLSTATE asks for.  None means that the server did not answer at all."""
    match sqlstate:
        case None | "25006" | "28P01" | "28000" | "57P01" | "57P02" | "57P03":
            return Meaning.DOWN
        case "40001" | "40P01" | "26000":
            return Meaning.AGAIN
        case _ if sqlstate[:2] in {"08", "53"}:
            return Meaning.DOWN
        case _ if sqlstate[:2] in {"22", "23"}:
            return Meaning.REJECT
        case _:
            return Meaning.RETRY


def sqlstate_of(error: BaseException) -> str | None:
    """The SQLSTATE of an error of the driver, or of SQLAlchemy around one."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    return origin.pgcode if isinstance(origin, psycopg2.Error) else None


def is_ours(error: BaseException) -> bool:
    """Whether the error is about the database at all, and not about the work that used it."""
    return isinstance(error, DBAPIError | PoolExhausted | psycopg2.Error | Unreachable)


def translate(error: BaseException) -> Exception:
    """The error to raise instead: driver and SQLAlchemy put statements and row values into theirs."""
    if isinstance(error, PoolExhausted):
        return DependencyDown(DEPENDENCY, "no free connection")
    sqlstate = sqlstate_of(error)
    text = describe(error)
    match meaning(sqlstate):
        case Meaning.DOWN:
            return DependencyDown(DEPENDENCY, text)
        case Meaning.REJECT:
            return Reject(text)
        case _:
            return Failed(sqlstate, text)


def describe(error: BaseException) -> str:
    """Code, name and the identifiers involved; the server's own sentence only where it holds no values."""
    if isinstance(error, Unreachable):
        return str(error)
    origin = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(origin, psycopg2.Error) or origin.pgcode is None:
        return "the connection was lost"
    parts = [origin.pgcode, _name(origin.pgcode)]
    diagnostics = origin.diag
    if where := diagnostics.constraint_name or diagnostics.column_name or diagnostics.table_name:
        parts.append(f"on {where}")
    if origin.pgcode.startswith("42") and diagnostics.message_primary:
        parts.append(f"({diagnostics.message_primary})")
    return " ".join(parts)


def _name(sqlstate: str) -> str:
    try:
        return errorcodes.lookup(sqlstate).lower()
    except KeyError:
        return "unknown condition"
