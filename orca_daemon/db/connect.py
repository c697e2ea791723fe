"""Opens a connection of the driver, with its limits set."""

import re
from typing import Any

import psycopg2

from orca_daemon.db.address import Address
from orca_daemon.settings import Database as DatabaseSettings

_SESSION = "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS given (name, value)"
_IDLE = 60
_IDLE_STREAM = 600
"""Seconds after which the server ends a transaction that nobody continues; streams write to S3 meanwhile."""


_SAID = re.compile(
    r"(?:FATAL: +|failed: (?!FATAL)|(?=could not translate host)|(?=invalid (?:connection option|\w+ value)))"
    r"([^\n]+)"
)
"""Where libpq's text has the cause, behind what it repeats of the address."""


class Unreachable(Exception):  # noqa: N818  a state of the world
    """No connection could be opened.  The driver gives no SQLSTATE here: the text is all there is."""


def connect(address: Address, settings: DatabaseSettings, *, statement_timeout: float) -> Any:
    """A connection to this place.

    Args:
        address: where.
        settings: limits, in seconds.
        statement_timeout: the longest that a statement may run, in seconds; 0 is no limit.

    Raises:
        Unreachable: there is no server, or it refuses us.
    """
    try:
        connection = psycopg2.connect(**parameters(address, settings))
    except psycopg2.Error as error:
        raise Unreachable(cause(str(error), address.password)) from None
    _limit(connection, settings, statement_timeout)
    return connection


def parameters(address: Address, settings: DatabaseSettings) -> dict[str, Any]:
    """What libpq is given: address, name and limits of a connection.  The password is among it."""
    return {
        **address.parameters,
        "connect_timeout": max(2, round(settings.connect_timeout)),
        "application_name": settings.application_name,
        # A server that vanished without a word is noticed within half a minute.
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    }


def cause(text: str, password: str) -> str:
    """Why no connection can be opened, from libpq's text; never the password, whatever the text repeats."""
    found = _SAID.search(text)
    if found is None or (password and password in found[1]):
        return "no connection can be opened"
    return f"no connection can be opened: {found[1].strip()}"


def _limit(connection: Any, settings: DatabaseSettings, statement_timeout: float) -> None:
    # By a statement, not as options of the connection: poolers in between refuse those.
    given = {
        "statement_timeout": _milliseconds(statement_timeout),
        "lock_timeout": _milliseconds(settings.lock_timeout),
        "idle_in_transaction_session_timeout": _milliseconds(_IDLE if statement_timeout else _IDLE_STREAM),
        "timezone": "UTC",
        "jit": "off",  # costs more than it saves on statements as short as ours
    }
    with connection, connection.cursor() as cursor:
        cursor.execute(_SESSION, (list(given), list(given.values())))


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
