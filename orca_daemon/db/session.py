"""Opens every session with Postgres, and sets the parameters that our work depends on.

Defaults of a role, a database or the environment must not change what values mean, how long work may take, or
whether all rows are returned.  So every session sets these parameters itself; pools, the child that compares,
exports and upgrades all use this list.

Three parameters are left alone.  `default_transaction_read_only`: providers set it when a disk is full.
`search_path`: our statements name schemas, but it resolves tables to export, and functions of triggers that
others put on ORCA's tables.  `synchronous_commit`, unless it is off.
"""

import json
import os
import re
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

import psycopg2
from psycopg2 import extensions
from psycopg2.extensions import connection as Driver  # noqa: N812  a class

from orca_daemon.db.cancel import CancelRequest

_ALWAYS = {
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "iso_8601",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    # Limits of transactions and sessions, since Postgres 17 and 14, are off: our work has its own limits.
    "transaction_timeout": "0",
    "idle_session_timeout": "0",
    # If it were on, the server would end the session on every error, so one bad message would look like an
    # outage.
    "exit_on_error": "off",
    # Protects pg_dump, since Postgres 17; if it is set for a role, views and foreign tables cannot be read.
    "restrict_nonsystem_relation_kind": "",
    "jit": "off",  # costs more than it saves on short statements
}
# `current_setting` is null for a parameter that the server is too old to know; it is skipped.
_STATE = """
SELECT pg_catalog.set_config(name, value, false)
FROM pg_catalog.json_each_text(%s) AS parameter (name, value)
WHERE pg_catalog.current_setting(name, true) IS NOT NULL
UNION ALL
SELECT pg_catalog.set_config('synchronous_commit', 'on', false)
WHERE pg_catalog.current_setting('synchronous_commit') = 'off'
"""
_STRINGS = "standard_conforming_strings"
_CAUSE = re.compile(
    r"(?:FATAL: +|failed: (?!FATAL)|(?=could not )|(?=invalid (?:connection option|\w+ value|port)))([^\n]+)"
)
"""The cause within a message of libpq, after the parts that repeat the address."""


_DATE, _TIMESTAMP, _TIMESTAMPTZ = 1082, 1114, 1184
"""Object ids of types in `pg_type`."""


def _within_python(oid: int, earliest: Any) -> Any:
    """A reader of a date or time type that replaces values outside Python's range by the nearest one.

    The driver does that only for infinity: one row with the year 10000 makes it fail on the whole result.
    """
    read_by_driver = extensions.string_types[oid]

    def read(value: str | bytes | None, cursor: Any) -> Any:
        try:
            return read_by_driver(value, cursor)
        except ValueError:
            return earliest if str(value).endswith("BC") else read_by_driver("infinity", cursor)

    return extensions.new_type((oid,), f"WITHIN_PYTHON_{oid}", read)


_TIMES = (
    _within_python(_DATE, date.min),
    _within_python(_TIMESTAMP, datetime(1, 1, 1)),  # noqa: DTZ001  the type has no time zone
    _within_python(_TIMESTAMPTZ, datetime(1, 1, 1, tzinfo=UTC)),
)


class UnreachableError(Exception):
    """No connection could be opened.  The driver has no SQLSTATE for it, so the text is all that is known."""


class _Waiting:
    """Notes on the session that it waits for the server during the block."""

    __slots__ = ("_session",)

    def __init__(self, session: "Session") -> None:
        self._session = session

    def __enter__(self) -> None:
        self._session.waiting_since = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._session.waiting_since = None


class _Cursor(extensions.cursor):
    """Notes when the server has a statement to answer; SQLAlchemy's events for that cost more."""

    connection: "Session"

    def execute(self, *arguments: Any, **named: Any) -> None:
        with _Waiting(self.connection):
            super().execute(*arguments, **named)

    def executemany(self, *arguments: Any, **named: Any) -> None:
        with _Waiting(self.connection):
            super().executemany(*arguments, **named)

    def copy_expert(self, *arguments: Any, **named: Any) -> None:
        with _Waiting(self.connection):
            super().copy_expert(*arguments, **named)


class Session(Driver):
    """A connection whose `cancel` any thread may call at any time, and which blocks no other thread."""

    waiting_since: float | None = None
    """When the statement was sent that the server has not answered yet, by the monotonic clock."""
    used: float | None = None
    """When it was last committed, rolled back or returned to the pool, by the monotonic clock."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.cursor_factory = _Cursor
        self._request = CancelRequest(self.pgconn_ptr or 0)

    def commit(self) -> None:
        """Commit the transaction."""
        with _Waiting(self):
            super().commit()
        self.used = time.monotonic()

    def rollback(self) -> None:
        """Roll the transaction back."""
        # Not without a transaction: the driver would send nothing, but release the interpreter's lock.
        if self.closed or self.status != extensions.STATUS_READY:
            with _Waiting(self):
                super().rollback()
        self.used = time.monotonic()

    def answers(self, fresh: float) -> bool:
        """Whether the server answers; it is not asked if its last answer is at most `fresh` seconds old."""
        if self.used is None or time.monotonic() - self.used < fresh:
            return True
        try:
            with self.cursor() as cursor:
                cursor.execute("SELECT 1")
            # The test began a transaction, in which the isolation level could not be set any more.
            self.rollback()
        except psycopg2.Error:
            return False
        return True

    def cancel(self) -> None:
        """Ask the server to cancel the running statement; see `CancelRequest.send`."""
        self._request.send()


def shut_down(connection: Any) -> None:
    """Shut down the socket, which ends the driver's wait; the driver itself must not be called from here."""
    try:
        with socket.socket(fileno=os.dup(connection.fileno())) as connected:
            connected.shutdown(socket.SHUT_RDWR)
    except (OSError, psycopg2.Error):
        return  # closed already


def session_parameters(*, statement: float, lock: float, idle: float, all_rows: bool) -> dict[str, str]:
    """The parameters that a session sets.

    Args:
        statement: time limit of a statement, in seconds; 0 is no limit.
        lock: time limit of waiting for a lock, in seconds; 0 is no limit.
        idle: time limit of an idle transaction, in seconds; 0 is no limit.
        all_rows: whether rows that row-level security hides are an error, because all rows are needed.
    """
    return {
        **_ALWAYS,
        "statement_timeout": _milliseconds(statement),
        "lock_timeout": _milliseconds(lock),
        "idle_in_transaction_session_timeout": _milliseconds(idle),
        "row_security": "off" if all_rows else "on",
    }


def open_session(parameters: Mapping[str, Any], settings: Mapping[str, str]) -> Session:
    """A connection with these parameters of libpq, in which these settings are set.

    Raises:
        psycopg2.Error: the server cannot be reached, or refuses the connection.
        UnreachableError: the role's settings cannot be overridden.
    """
    connection = _connected(parameters)
    try:
        # By a statement, because poolers refuse the option `-c`; in one round trip, without a transaction.
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(_STATE, (json.dumps(dict(settings)),))
        connection.autocommit = False
    except BaseException:
        connection.close()
        raise
    return connection


def unreachable(error: psycopg2.Error, parameters: Mapping[str, Any]) -> UnreachableError:
    """The error to raise in place of the driver's: the cause, and the server of these parameters of libpq."""
    reason = cause(str(error), str(parameters.get("password") or ""))
    return UnreachableError(f"{reason} ({_server(parameters)})")


def _server(parameters: Mapping[str, Any]) -> str:
    """Host, port and database of libpq's parameters, for operators; no user and no password."""
    named = [f"{name} {parameters[name]}" for name in ("host", "port", "dbname") if parameters.get(name)]
    return ", ".join(named) or "the default server of libpq"


def cause(text: str, password: str) -> str:
    """A sentence with the reason why no connection can be opened, from libpq's text.

    The password is never part of it, whatever libpq quotes.  If there are several hosts, all reasons are
    given.
    """
    reasons = list(dict.fromkeys(match.strip() for match in _CAUSE.findall(text)))
    if not reasons or (password and any(password in reason for reason in reasons)):
        return "no connection can be opened"
    return f"no connection can be opened: {'; '.join(reasons)}"


def _connected(parameters: Mapping[str, Any]) -> Session:
    options = {**parameters, "client_encoding": "UTF8", "connection_factory": Session}
    connection: Session = psycopg2.connect(**options)
    if connection.get_parameter_status(_STRINGS) == "off":
        connection.close()
        connection = _with_standard_strings(options)
    # Again, because a pooler may have ignored the option; the driver sends a statement only if needed.
    connection.set_client_encoding("UTF8")
    for times in _TIMES:
        extensions.register_type(times, connection)
    return connection


def _with_standard_strings(parameters: dict[str, Any]) -> Session:
    """Connect with standard_conforming_strings on from the start, because the driver reads it only then."""
    options = f"{parameters.get('options') or ''} -c {_STRINGS}=on".strip()
    # The same connection without the option was possible just now, so an error means that a pooler refuses
    # it.
    with suppress(psycopg2.Error):
        connection: Session = psycopg2.connect(**{**parameters, "options": options})
        if connection.get_parameter_status(_STRINGS) == "on":
            return connection
        connection.close()
    raise UnreachableError(
        f"{_STRINGS} is off for this role, and a pooler does not let us set it: "
        f"ALTER ROLE … SET {_STRINGS} = on"
    )


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
