"""Actions of operators, each recorded under an id: with the same id it happens once, and can be resumed.

The id is the form's or the command's own.  Whoever acts begins the action, does the work if `to_do` says so,
reports progress at least every five seconds, and finishes it:

    action = await actions.begin(database, id, who=who, what="redrive", about={"queue": queue}, wanted=n)
    if action.to_do:
        ...
        await actions.progress(database, id, done)
        await actions.finish(database, id, done=done)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from orca_daemon.db import actions
from orca_daemon.db.actions import Action, Beginning, OtherActionError
from orca_daemon.db.database import Database

__all__ = [
    "Action",
    "Beginning",
    "Begun",
    "OtherActionError",
    "begin",
    "find",
    "finish",
    "progress",
    "recent",
]


@dataclass(frozen=True, slots=True)
class Begun:
    """An action, and what is left to do of it."""

    action: Action
    beginning: Beginning

    @property
    def to_do(self) -> bool:
        """Whether the caller has to act.  After `RESUMED`, a part may be done: `action.done` were counted."""
        return self.beginning in {Beginning.NEW, Beginning.RESUMED}


async def begin(
    database: Database,
    action_id: UUID,
    *,
    who: str,
    what: str,
    about: Mapping[str, Any],
    wanted: int | None = None,
) -> Begun:
    """Record an action before it begins, or find out how far the action of this id is.

    Args:
        database: where it is recorded.
        action_id: of the form or the command; the same id again is the same action.
        who: acts; a name for people.
        what: the verb: `pause`, `recover`, `redrive`.
        about: what it is about, as JSON without secrets; the column `filter`.
        wanted: how many things it is about, if that is known.

    Raises:
        OtherActionError: the id belongs to an action with another verb or filter.
        DependencyDown: the database is away, or was not upgraded.
        PostgresError, Reject: it cannot be recorded.
    """
    begun = await database.transact(actions.begin, action_id, who=who, what=what, about=about, wanted=wanted)
    return Begun(*begun)


async def progress(database: Database, action_id: UUID, done: int, wanted: int | None = None) -> None:
    """Record how many things are done, and a sign of life.

    After `actions.FRESH` seconds without one, another process may resume the action.
    """
    await database.transact(actions.progress, action_id, done, wanted)


async def finish(
    database: Database,
    action_id: UUID,
    *,
    done: int,
    wanted: int | None = None,
    error: str | None = None,
    result: Mapping[str, Any] | None = None,
) -> None:
    """Record how the action ended; `result` is shown to whoever asks again with the same id.

    `wanted`: how many things it was about, if that was not known when it began.
    """
    await database.transact(actions.finish, action_id, done=done, wanted=wanted, error=error, result=result)


async def find(database: Database, action_id: UUID) -> Action | None:
    """The action of this id; None if there is none."""
    return await database.transact(actions.find, action_id)


async def recent(database: Database, *, limit: int = 20, before: datetime | None = None) -> list[Action]:
    """The actions that were begun last (before a time), the newest first."""
    return await database.transact(actions.recent, limit=limit, before=before)
