"""The record of what operators did: one row for each action, written before it begins and when it ends."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from orca_daemon.db.address import DEPENDENCY
from orca_daemon.db.sql import load
from orca_daemon.engine.errors import DependencyDown

_SQL = load(__package__, "actions.sql")
FRESH = 15.0
"""Seconds without a sign of life after which an action that has not finished was cut short."""
MISSING = "the tables of steering do not exist: run 'orca-daemon db upgrade'"


class Beginning(Enum):
    """What a caller that begins an action has to do."""

    NEW = "do it"
    RESUMED = "do the rest: whoever began it was cut short"
    UNDER_WAY = "nothing: another process does it at this moment"
    FINISHED = "nothing: it was done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One action of an operator.  Times are those of the database's clock."""

    id: UUID
    at: datetime
    """When it was first begun."""
    who: str
    what: str
    """The verb: `pause`, `recover`, `redrive`."""
    filter: Mapping[str, Any]
    """What it is about: queue, job, reason.  JSON, no secrets."""
    wanted: int | None
    """How many things it is about; None if that is not known beforehand."""
    done: int
    seen_at: datetime
    """When it last made progress."""
    finished_at: datetime | None
    error: str | None
    """Why it failed; None if it did not."""
    result: Mapping[str, Any] | None
    """What it did, for whoever asks again with the same id."""


class OtherActionError(Exception):
    """The id belongs to another action."""


def begin(
    connection: Connection, action: UUID, *, who: str, what: str, about: Mapping[str, Any], wanted: int | None
) -> tuple[Action, Beginning]:
    """Record that an action begins, or find out how far the action of this id is.

    Raises:
        OtherActionError: the id belongs to another action.
        DependencyDown: the table does not exist.
    """
    if not connection.scalar(_SQL["exists"]):
        raise DependencyDown(DEPENDENCY, MISSING)
    document = json.loads(json.dumps(about))
    values = {"id": action, "who": who, "what": what, "filter": json.dumps(about), "wanted": wanted}
    new = bool(connection.execute(_SQL["insert"], values).rowcount)
    fields = dict(connection.execute(_SQL["lock"], {"id": action, "fresh": FRESH}).mappings().one())
    under_way = fields.pop("under_way")
    found = Action(**fields)
    if (found.what, found.filter) != (what, document):
        raise OtherActionError(f"the id {action} belongs to another action: {found.what}")
    if new:
        return found, Beginning.NEW
    if found.finished_at is not None:
        return found, Beginning.FINISHED
    if under_way:
        return found, Beginning.UNDER_WAY
    connection.execute(_SQL["resume"], {"id": action})
    return found, Beginning.RESUMED


def progress(connection: Connection, action: UUID, done: int, wanted: int | None = None) -> None:
    """Record how many things are done.  Call it at least every five seconds; nothing if it has finished."""
    connection.execute(_SQL["progress"], {"id": action, "done": done, "wanted": wanted})


def finish(
    connection: Connection,
    action: UUID,
    *,
    done: int,
    wanted: int | None = None,
    error: str | None = None,
    result: Mapping[str, Any] | None = None,
) -> None:
    """Record how an action ended; nothing if it has finished before.  `wanted`: if it is known by now."""
    values = {"id": action, "done": done, "wanted": wanted, "error": error}
    values["result"] = json.dumps(result) if result else None
    connection.execute(_SQL["finish"], values)


def find(connection: Connection, action: UUID) -> Action | None:
    """The action of this id; None if there is none."""
    return next(iter(_read(connection, "find", id=action)), None)


def recent(connection: Connection, *, limit: int, before: datetime | None = None) -> list[Action]:
    """The actions that were begun last, the newest first; an empty list if the table does not exist."""
    return _read(connection, "recent", limit=limit, before=before)


def seen_since(connection: Connection, since: datetime, *, limit: int) -> list[Action]:
    """The actions that made progress after this time, the earliest first."""
    return _read(connection, "seen_since", limit=limit, since=since)


def now(connection: Connection) -> datetime:
    """The time of the database's clock."""
    time: datetime = connection.execute(_SQL["now"]).scalar_one()
    return time


def _read(connection: Connection, statement: str, **values: object) -> list[Action]:
    if not connection.scalar(_SQL["exists"]):
        return []
    return [Action(**row) for row in connection.execute(_SQL[statement], values).mappings()]
