"""What steers the daemons: the queues that are paused, and the row in which each daemon says what it does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from orca_daemon.db.schema import STEERING_TABLES
from orca_daemon.db.sql import load

_SQL = load(__package__, "control.sql")
LARGEST_STATE = 16_384
"""Bytes of the column `state` as text; the table refuses more."""
EXPIRY = 3_600.0
"""Seconds after which the row of a daemon that ended without removing it is removed by another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Why a queue is paused in the database."""

    queue: str
    who: str
    why: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonRow:
    """One daemon, as it last described itself."""

    id: UUID
    host: str
    version: str
    started_at: datetime
    seen_at: datetime
    state: Mapping[str, Any]
    silent: float
    """Seconds since `seen_at`, by the database's clock."""


def installed(connection: Connection) -> bool:
    """Whether the tables of steering exist."""
    return not connection.scalar(_SQL["missing"], {"tables": list(STEERING_TABLES)})


def paused(connection: Connection) -> dict[str, Pause]:
    """The queues that are paused, by name."""
    return {row["queue"]: Pause(**row) for row in connection.execute(_SQL["paused"]).mappings()}


def pause(connection: Connection, queues: Sequence[str], who: str, why: str) -> list[str]:
    """Pause the queues; returns those that were not paused before."""
    values = {"queues": list(queues), "who": who, "why": why}
    return sorted(connection.execute(_SQL["pause"], values).scalars())


def resume(connection: Connection, queues: Sequence[str], who: str) -> list[str]:
    """Resume the queues; returns those that were paused before."""
    return sorted(connection.execute(_SQL["resume"], {"queues": list(queues), "who": who}).scalars())


def write_process(
    connection: Connection, daemon: UUID, host: str, version: str, started_at: datetime, state: str
) -> None:
    """Write the row of a daemon, and remove those of daemons that ended long ago.  `state` is JSON."""
    values = {"id": daemon, "host": host, "version": version, "started_at": started_at, "state": state}
    connection.execute(_SQL["write_process"], values)
    connection.execute(_SQL["expire_processes"], {"age": EXPIRY})


def remove_process(connection: Connection, daemon: UUID) -> None:
    """Remove the row of a daemon that ends."""
    connection.execute(_SQL["remove_process"], {"id": daemon})


def processes(connection: Connection) -> list[DaemonRow]:
    """The daemons that wrote within the last hour, in the order of their hosts."""
    return [DaemonRow(**row) for row in connection.execute(_SQL["processes"]).mappings()]
