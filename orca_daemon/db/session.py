"""How every session of ours with Postgres is opened, and what it states by itself.

What a role, a database or the environment is set to must not change what rows mean, how long work may take,
or whether all rows are there.  The one list is here: for pools, the child that compares, exports, upgrades.

Three things are left as they are found.  `default_transaction_read_only`: providers set it when a disk is
full, and mean it.  `search_path`: our statements name schemas; tables to export are found by it, and so are
the helpers of triggers that others put on ORCA's tables.  `synchronous_commit`, unless it is off.
"""

import json
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
    # Limits of whole transactions and sessions, since Postgres 17 and 14: work has limits of its own.
    "transaction_timeout": "0",
    "idle_session_timeout": "0",
    # With it, whatever the server refuses reads as a lost connection: one bad message looks like an outage.
    "exit_on_error": "off",
    # pg_dump's own protection, since Postgres 17; set for a role, it refuses views and foreign tables.
    "restrict_nonsystem_relation_kind": "",
    "jit": "off",  # costs more than it saves on statements as short as ours
}
# A setting that the server is too old to know has no value.
_STATE = """
SELECT pg_catalog.set_config(name, value, false)
FROM pg_catalog.json_each_text(%s) AS given (name, value)
WHERE pg_catalog.current_setting(name, true) IS NOT NULL
UNION ALL
SELECT pg_catalog.set_config('synchronous_commit', 'on', false)
WHERE pg_catalog.current_setting('synchronous_commit') = 'off'
"""
_STRINGS = "standard_conforming_strings"


_DATE, _TIMESTAMP, _TIMESTAMPTZ = 1082, 1114, 1184
"""Numbers of types in `pg_type`."""


def _within_python(oid: int, earliest: Any) -> Any:
    """Reads a type of times as the driver does; one that Python has no words for becomes the nearest.

    The driver does so with infinity, but one row of the year 10000 makes it refuse all that come with it.
    """
    usual = extensions.string_types[oid]

    def read(value: str | bytes | None, cursor: Any) -> Any:
        try:
            return usual(value, cursor)
        except ValueError:
            return earliest if str(value).endswith("BC") else usual("infinity", cursor)

    return extensions.new_type((oid,), f"WITHIN_PYTHON_{oid}", read)


_TIMES = (
    _within_python(_DATE, date.min),
    _within_python(_TIMESTAMP, datetime(1, 1, 1)),  # noqa: DTZ001  it has none
    _within_python(_TIMESTAMPTZ, datetime(1, 1, 1, tzinfo=UTC)),
)


class UnreachableError(Exception):
    """No connection could be opened.  The driver gives no SQLSTATE here: the text is all there is."""


class Session(Driver):
    """A connection whose `cancel` can be called from any thread, at any time, and holds up nobody else."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._request = CancelRequest(self.pgconn_ptr or 0)

    def cancel(self) -> None:
        """Ask the server to cancel what runs; see `CancelRequest.send`."""
        self._request.send()


def stated(*, statement: float, lock: float, idle: float, whole: bool) -> dict[str, str]:
    """What a session is to state.

    Args:
        statement: seconds that a statement may take; 0 is no limit.
        lock: seconds that it may wait for a lock; 0 is no limit.
        idle: seconds that a transaction may do nothing; 0 is no limit.
        whole: whether rows that row-level security hides are an error, and not simply missing.
    """
    return {
        **_ALWAYS,
        "statement_timeout": _milliseconds(statement),
        "lock_timeout": _milliseconds(lock),
        "idle_in_transaction_session_timeout": _milliseconds(idle),
        "row_security": "off" if whole else "on",
    }


def open_session(parameters: Mapping[str, Any], settings: Mapping[str, str]) -> Session:
    """A connection to the place that libpq's parameters name, which has stated these settings.

    Raises:
        psycopg2.Error: there is no server, or it refuses us.
        UnreachableError: the role's settings cannot be overridden.
    """
    connection = _connected(parameters)
    try:
        # By a statement, because poolers in between refuse options; in one round trip, without a transaction.
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(_STATE, (json.dumps(dict(settings)),))
        connection.autocommit = False
    except BaseException:
        connection.close()
        raise
    return connection


def _connected(parameters: Mapping[str, Any]) -> Session:
    given = {**parameters, "client_encoding": "UTF8", "connection_factory": Session}
    connection: Session = psycopg2.connect(**given)
    if connection.get_parameter_status(_STRINGS) == "off":
        connection.close()
        connection = _quoting_as_usual(given)
    # A pooler may have taken no notice of what was asked for; the driver asks again where it has to.
    connection.set_client_encoding("UTF8")
    for times in _TIMES:
        extensions.register_type(times, connection)
    return connection


def _quoting_as_usual(given: dict[str, Any]) -> Session:
    """Connect with the setting on from the start: the driver reads it once, and then quotes accordingly."""
    options = f"{given.get('options') or ''} -c {_STRINGS}=on".strip()
    # Without the option, the same connection was opened just now.
    with suppress(psycopg2.Error):
        connection: Session = psycopg2.connect(**{**given, "options": options})
        if connection.get_parameter_status(_STRINGS) == "on":
            return connection
        connection.close()
    raise UnreachableError(
        f"{_STRINGS} is off for this role, and a pooler does not let us set it: "
        f"ALTER ROLE … SET {_STRINGS} = on"
    )


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
