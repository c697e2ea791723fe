"""Opens sessions at an address; if that fails, the error has the server, the cause and no password."""

import os
from typing import Any

import psycopg2

from orca_daemon.db.address import DatabaseAddress
from orca_daemon.db.session import Session, UnreachableError, open_session, session_parameters, unreachable
from orca_daemon.settings import DatabaseSection as DatabaseSettings

__all__ = ["UnreachableError", "connect", "opened", "parameters"]
_IDLE = 60
_IDLE_STREAM = 600
"""Seconds after which the server ends an idle transaction; streams are idle while they write to S3."""


def connect(address: DatabaseAddress, settings: DatabaseSettings, *, statement_timeout: float) -> Session:
    """A session at this address.

    Args:
        address: the address.
        settings: limits, in seconds.
        statement_timeout: time limit of a statement, in seconds; 0 is no limit, and means that the session
            reads streams, which must include all rows.

    Raises:
        UnreachableError: the server cannot be reached, or refuses the connection.
    """
    session = session_parameters(
        statement=statement_timeout,
        lock=settings.lock_timeout,
        idle=_IDLE if statement_timeout else _IDLE_STREAM,
        all_rows=not statement_timeout,
    )
    return opened(parameters(address, settings.application_name, settings.connect_timeout), session)


def opened(libpq: dict[str, Any], session: dict[str, str]) -> Session:
    """A session with these parameters of libpq, in which these settings are set.  Raises UnreachableError."""
    try:
        return open_session(libpq, session)
    except psycopg2.Error as error:
        raise unreachable(error, libpq) from None


def parameters(address: DatabaseAddress, application_name: str, connect_timeout: float) -> dict[str, Any]:
    """Parameters of libpq: address, name and limits of a connection.  They include the password."""
    return {
        # libpq reads PGPASSWORD itself, but the child that compares does not get it in its environment.
        **({"password": os.environ["PGPASSWORD"]} if os.environ.get("PGPASSWORD") else {}),
        **address.parameters,
        "connect_timeout": max(2, round(connect_timeout)),
        "application_name": application_name,
        # Detects a server that vanished, without closing the connection, within half a minute.
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    }
