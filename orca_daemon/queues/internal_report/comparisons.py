"""Logs and measures a comparison while it runs and afterwards, and removes what is old by then."""

import time
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from orca_daemon.db.database import Database
from orca_daemon.engine.errors import DependencyDown, NotYet, Reject
from orca_daemon.queues.services import Services
from orca_daemon.reconcile.expiry import expire
from orca_daemon.reconcile.protocol import Message, StageProgress, Unsigned, Waiting
from orca_daemon.reconcile.queries import latest
from orca_daemon.reconcile.run import ComparisonOutcome

_LOG_EVERY = 30.0
_log: Any = structlog.get_logger()


async def instrumented(
    services: Services,
    comparison: Callable[[Callable[[Message], None]], Coroutine[Any, Any, ComparisonOutcome]],
) -> None:
    """Run a comparison with logs and metrics around it; what it raises is raised again."""
    metrics, began, outcome = services.metrics.reconcile, time.monotonic(), "failed"
    metrics.running.inc()
    try:
        found = await comparison(ProgressLogger())
        outcome = "success"
    except Reject:
        outcome = "rejected"
        raise
    except NotYet as error:  # which the engine does not log
        outcome = "down"
        _log.warning("reconcile.waits", reason=str(error))
        raise
    except DependencyDown:
        outcome = "down"
        raise
    finally:
        metrics.running.dec()
        metrics.duration.labels(outcome).observe(time.monotonic() - began)
    await _afterwards(services, found)


class ProgressLogger:
    """Logs how far a comparison is, now and then."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()

    def __call__(self, message: Message) -> None:
        """Log a message of the child, if it is due."""
        if isinstance(message, Waiting):
            _log.info("reconcile.waiting", reason="another process works on this job")
        if isinstance(message, Unsigned):
            _log.info("reconcile.signed_again", reason=message.reason)
        if isinstance(message, StageProgress) and self._clock() - self._last >= _LOG_EVERY:
            self._last = self._clock()
            _log.info("reconcile.progress", **asdict(message))


async def _afterwards(services: Services, found: ComparisonOutcome) -> None:
    if found.compared is None:
        _log.info("reconcile.nothing_to_do", job=found.job, bucket=found.bucket)
        return
    facts = asdict(found.compared)
    if found.compared.not_compared:
        _log.warning(
            "reconcile.not_compared",
            job=found.job,
            bucket=found.bucket,
            objects=found.compared.not_compared,
            examples=found.compared.not_compared_examples,
        )
    _log.info("reconcile.done", job=found.job, bucket=found.bucket, seconds=round(found.seconds, 3), **facts)
    services.metrics.reconcile.compared(
        found.bucket,
        listed=found.compared.listed,
        catalogued=found.compared.catalogued,
        not_compared=found.compared.not_compared,
        seconds=found.seconds,
        peak_mib=found.compared.peak_mib,
    )
    if services.database is not None:
        await _tidy(services, services.database)


async def _tidy(services: Services, database: Database) -> None:
    """Never an error: the report is committed, and repeating the comparison would not help."""
    try:
        await show_latest(services, database)
        if days := services.settings.reconcile.expire_days:
            removed = await expire(database, datetime.now(UTC) - timedelta(days=days))
            _log.info("reconcile.expired", jobs=removed)
    except Exception as error:  # noqa: BLE001  see above
        _log.warning("reconcile.not_tidied", error=type(error).__name__)


async def show_latest(services: Services, database: Database) -> None:
    """Set the gauges to the latest reports, whoever wrote them."""
    for bucket, finished, differences in await database.transact(latest):
        services.metrics.reconcile.show(bucket, finished, differences)
