"""status-update queue: writes the progress of recoveries to Postgres, one transaction for each run.

The queue carries two kinds of messages: `NewJob` starts the recovery of a granule with its files,
`UpdateFile` changes the status of one file.  The path of a message:

1. `wire.status.decode` turns its body into one of the two.
2. `StatusUpdate`, below, runs one transaction for up to 100 messages: `Database.transact` retries it after a
   deadlock, `db.pool` gives it a thread and a connection, `db.unit_of_work` commits it.
3. `store.apply`, in that transaction, locks the jobs and reads their files, calls `rules.fold`, which decides
   what to write, and writes it.
4. After the commit the engine deletes the messages from the queue.

ORCA's producers put all messages in one FIFO group; a deployment may use one group for each granule instead.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from orca_daemon.db.database import Database
from orca_daemon.engine.errors import NotYet, Reject
from orca_daemon.engine.message import Delivery
from orca_daemon.engine.route import Route
from orca_daemon.queues.services import Services
from orca_daemon.queues.status_update.rules import UnmatchedUpdateError
from orca_daemon.queues.status_update.store import apply
from orca_daemon.wire.status import GROUP, StatusMessage, decode

PATIENCE = 30.0
"""Seconds for which an update waits for a `new_job` that may be in another group."""
SINCE = "waiting_since"
"""Fact: when the message began to wait for its `new_job`.  Only operators read it."""
HELD_THEN = "held_seconds_then"
"""Fact: `Delivery.held_seconds` when the message began to wait.  The wait is measured from it."""


def route(services: Services) -> Route[StatusMessage]:
    """The status-update queue.  Needs a database."""
    return Route(
        name="status_update",
        decode=lambda envelope: decode(envelope.body, envelope.attributes),
        handle=StatusUpdate(services.database, count_stale=services.metrics.status.stale.inc),
        needs=frozenset({"postgres"}),
        batch=100,
        merge=True,
        time_limit=300.0,
        describe=describe,
    )


def describe(message: StatusMessage) -> Mapping[str, str]:
    """Job and granule, for the log line of a message."""
    facts = {"job_id": message.job_id, "granule_id": message.granule_id}
    return facts if message.collection_id is None else facts | {"collection_id": message.collection_id}


class StatusUpdate:
    """Writes runs of status messages."""

    def __init__(
        self,
        database: Database | None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        count_stale: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._count_stale = count_stale

    async def __call__(self, run: Sequence[Delivery[StatusMessage]], /) -> None:
        """Write the run in one transaction.  If an update matches no row, it waits or is rejected."""
        if self._database is None:
            raise RuntimeError("status updates need a database, and none is configured")
        now = self._clock()
        try:
            outcome = await self._database.transact(apply, [delivery.message for delivery in run], now)
        except UnmatchedUpdateError as error:
            raise verdict(run[error.position], error, now) from None
        for position in outcome.stale:
            run[position].facts["stale"] = "true"
        if outcome.stale:
            self._count_stale(len(outcome.stale))


def verdict(delivery: Delivery[StatusMessage], error: UnmatchedUpdateError, now: datetime) -> Exception:
    """What to raise for an update that matches no row: Reject, or NotYet if the row may still be created."""
    # Within ORCA's one group the new_job would have come first.  Between groups there is no order.
    if not error.may_come or delivery.envelope.group == GROUP:
        return Reject(str(error))
    delivery.facts.setdefault(SINCE, now.isoformat())
    # Measured by the monotonic clock: a wall clock that is set forwards would reject a correct message.
    waited = delivery.held_seconds - float(
        delivery.facts.setdefault(HELD_THEN, f"{delivery.held_seconds:.3f}")
    )
    return Reject(str(error)) if waited >= PATIENCE else NotYet(str(error))
