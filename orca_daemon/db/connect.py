"""Opens sessions at an address, and says why one cannot be opened."""

import os
import re
from typing import Any

import psycopg2

from orca_daemon.db.address import DatabaseAddress
from orca_daemon.db.session import Session, UnreachableError, open_session, stated
from orca_daemon.settings import DatabaseSection as DatabaseSettings

__all__ = ["UnreachableError", "cause", "connect", "opened", "parameters"]
_IDLE = 60
_IDLE_STREAM = 600
"""Seconds after which the server ends a transaction that nobody continues; streams write to S3 meanwhile."""


_CAUSE = re.compile(
    r"(?:FATAL: +|failed: (?!FATAL)|(?=could not )|(?=invalid (?:connection option|\w+ value|port)))([^\n]+)"
)
"""Where libpq's text has the cause, behind what it repeats of the address."""


def connect(address: DatabaseAddress, settings: DatabaseSettings, *, statement_timeout: float) -> Session:
    """A session at this place.

    Args:
        address: where.
        settings: limits, in seconds.
        statement_timeout: the longest that a statement may run, in seconds; 0 is no limit, and means that the
            session reads streams, which have to be whole.

    Raises:
        UnreachableError: there is no server, or it refuses us.
    """
    session = stated(
        statement=statement_timeout,
        lock=settings.lock_timeout,
        idle=_IDLE if statement_timeout else _IDLE_STREAM,
        whole=not statement_timeout,
    )
    return opened(address, parameters(address, settings.application_name, settings.connect_timeout), session)


def opened(address: DatabaseAddress, given: dict[str, Any], session: dict[str, str]) -> Session:
    """A session with these parameters of libpq, which states these settings.  Raises Unreachable."""
    try:
        return open_session(given, session)
    except psycopg2.Error as error:
        raise UnreachableError(cause(str(error), address.password)) from None


def parameters(address: DatabaseAddress, application_name: str, connect_timeout: float) -> dict[str, Any]:
    """What libpq is given: address, name and limits of a connection.  The password is among it."""
    return {
        # For a process that is not given the environment.
        **({"password": os.environ["PGPASSWORD"]} if os.environ.get("PGPASSWORD") else {}),
        **address.parameters,
        "connect_timeout": max(2, round(connect_timeout)),
        "application_name": application_name,
        # A server that vanished without a word is noticed within half a minute.
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    }


def cause(text: str, password: str) -> str:
    """Why no connection can be opened, from libpq's text; never the password, whatever the text repeats.

    Of several hosts, each one's reason.
    """
    found = list(dict.fromkeys(match.strip() for match in _CAUSE.findall(text)))
    if not found or (password and any(password in match for match in found)):
        return "no connection can be opened"
    return f"no connection can be opened: {'; '.join(found)}"
