"""The route of the status-update queue: one transaction for each run of messages."""

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
"""For so many seconds the `new_job` of another group may be behind an update."""
SINCE = "waiting_since"
"""The fact that says since when a message waits for its `new_job`, for people to read."""
HELD_THEN = "held_seconds_then"
"""The fact that says for how many seconds the message had been in flight then: the wait is measured by it."""


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
    named = {"job_id": message.job_id, "granule_id": message.granule_id}
    return named if message.collection_id is None else named | {"collection_id": message.collection_id}


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
        """One transaction for the run.  An update that no row is meant by waits for it or is rejected."""
        if self._database is None:
            raise RuntimeError("status updates need a database, and none is configured")
        now = self._clock()
        try:
            outcome = await self._database.transact(apply, [delivery.message for delivery in run], now)
        except UnmatchedUpdateError as problem:
            raise verdict(run[problem.position], problem, now) from None
        for position in outcome.stale:
            run[position].facts["stale"] = "true"
        if outcome.stale:
            self._count_stale(len(outcome.stale))


def verdict(delivery: Delivery[StatusMessage], problem: UnmatchedUpdateError, now: datetime) -> Exception:
    """What becomes of a message whose row is not there: a rejection, unless the row may still come."""
    # In ORCA's one group order says that no new_job is coming; between groups there is no order.
    if not problem.may_come or delivery.envelope.group == GROUP:
        return Reject(str(problem))
    delivery.facts.setdefault(SINCE, now.isoformat())
    # Not by the wall clock: one that is set forwards would end the wait of a message that is in order.
    waited = delivery.held_seconds - float(
        delivery.facts.setdefault(HELD_THEN, f"{delivery.held_seconds:.3f}")
    )
    return Reject(str(problem)) if waited >= PATIENCE else NotYet(str(problem))
