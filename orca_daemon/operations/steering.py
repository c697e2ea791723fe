"""Steering of all daemons by way of the database: pause and resume queues, and see what the daemons do."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from orca_daemon.db import actions, control, recoveries
from orca_daemon.db.actions import MISSING, Action, Beginning
from orca_daemon.db.address import DEPENDENCY
from orca_daemon.db.control import DaemonRow, Pause
from orca_daemon.db.database import Database
from orca_daemon.engine.errors import DependencyDown
from orca_daemon.operations.daemons import Consumed, Work, fleet
from orca_daemon.operations.errors import UnknownQueueError
from orca_daemon.operations.waiting import QueueDepth

READ_EVERY = 40
"""Seconds: no depth that a daemon says is older; it asks every 30 s, and writes every 10 s."""


@dataclass(frozen=True, slots=True)
class Steered:
    """What a pause or a resume did."""

    queues: tuple[str, ...]
    """The queues that were named."""
    changed: tuple[str, ...]
    """Those whose state was another one before."""
    beginning: Beginning
    """`FINISHED` if this action was done before: then `changed` is what it did then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatus(Consumed):
    """One queue, over all daemons that were heard lately, and by the database."""

    name: str
    pause: Pause | None
    """Its pause in the database."""
    dead: int | None = None
    """About how many dead letters it has; None if SQS does not tell, or it has no dead-letter queue."""
    problem: str | None = None
    """Why SQS does not tell; then `waiting` is what a daemon read, within the last `READ_EVERY` seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What the daemons of one database do."""

    now: datetime
    """By the database's clock."""
    queues: list[QueueStatus]
    daemons: list[DaemonRow]
    """Those that wrote within the last hour; `silent` says which of them are gone."""
    work: list[Work]
    actions: list[Action]
    """The latest actions of operators, the newest first."""
    failed_files: int
    """Files that failed in the last 24 hours, at most `recoveries.MOST`."""


async def pause(
    database: Database, queue: str | Sequence[str], who: str, why: str, action_id: UUID
) -> Steered:
    """Pause a queue, or several, for all daemons; a queue that is paused already keeps its first pause.

    Raises:
        OtherActionError: the id belongs to another action.
        DependencyDown: the database is away, or was not upgraded; SIGUSR2 pauses single daemons.
        PostgresError, Reject: it cannot be written.
    """
    queues, change = _names(queue), partial(control.pause, who=who, why=why)
    return await database.transact(_steer, action_id, who, "pause", {"queues": queues, "why": why}, change)


async def resume(database: Database, queue: str | Sequence[str], who: str, action_id: UUID) -> Steered:
    """Resume a queue, or several.  Settings and signals may still pause it.

    Raises as `pause` does.
    """
    queues, change = _names(queue), partial(control.resume, who=who)
    return await database.transact(_steer, action_id, who, "resume", {"queues": queues}, change)


async def status(
    database: Database, counts: Mapping[str, QueueDepth] = MappingProxyType({}), *, actions_shown: int = 10
) -> Status:
    """Read what the daemons said last, what is paused, the latest actions, and how many files failed.

    `counts` is what SQS says of queues: it is newer than what the daemons say.

    Raises:
        DependencyDown: the database is away, or was not upgraded.
        PostgresError: it cannot be read.
    """
    return await database.transact(_status, counts, actions_shown)


async def known_queues(database: Database, configured: Iterable[str]) -> list[str]:
    """The queues of these settings, and those that any daemon serves or the database pauses."""
    return sorted({*configured, *(queue.name for queue in (await status(database)).queues)})


def check_known(queue: str, known: Sequence[str]) -> None:
    """Raise UnknownQueueError if there is no such queue: a typing error must not look like a pause."""
    if queue not in known:
        raise UnknownQueueError(queue, known)


def _names(queue: str | Sequence[str]) -> list[str]:
    return [queue] if isinstance(queue, str) else sorted(set(queue))


def _steer(
    connection: Connection,
    action: UUID,
    who: str,
    what: str,
    about: Mapping[str, Any],
    change: Callable[[Connection, Sequence[str]], list[str]],
) -> Steered:
    """Record and do it in one transaction, so that an interruption leaves neither."""
    queues = about["queues"]
    found, beginning = actions.begin(connection, action, who=who, what=what, about=about, wanted=len(queues))
    if beginning in {Beginning.NEW, Beginning.RESUMED}:
        changed = change(connection, queues)
        actions.finish(connection, action, done=len(changed), result={"changed": changed})
    else:
        changed = (found.result or {}).get("changed", [])
    return Steered(tuple(queues), tuple(changed), beginning)


def _status(connection: Connection, counts: Mapping[str, QueueDepth], actions_shown: int) -> Status:
    if not control.installed(connection):
        raise DependencyDown(DEPENDENCY, MISSING)
    rows, pauses = control.processes(connection), control.paused(connection)
    heard = fleet(rows)
    return Status(
        now=actions.now(connection),
        queues=[
            _queue(name, heard.queues.get(name, Consumed()), pauses.get(name), counts.get(name, QueueDepth()))
            for name in sorted({*heard.queues, *pauses, *counts})
        ],
        daemons=rows,
        work=[work for daemon in heard.alive for work in daemon.work],
        actions=actions.recent(connection, limit=actions_shown),
        failed_files=recoveries.failed_lately(connection),
    )


def _queue(name: str, consumed: Consumed, pause_: Pause | None, counted: QueueDepth) -> QueueStatus:
    causes = {*consumed.paused_by, *(("database",) if pause_ else ())}
    said = {**asdict(consumed), "paused_by": tuple(sorted(causes))}
    if counted.waiting is not None:
        said["waiting"] = counted.waiting
    return QueueStatus(**said, name=name, pause=pause_, dead=counted.dead, problem=counted.problem)
