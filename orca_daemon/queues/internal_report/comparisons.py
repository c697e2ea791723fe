"""Logs and measures a comparison while it runs and afterwards, and then removes expired reports."""

import time
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Literal

import structlog

from orca_daemon.db.database import Database
from orca_daemon.engine.errors import DependencyDown, NotYet, Reject
from orca_daemon.ops.work_in_progress import Work
from orca_daemon.queues.services import Services
from orca_daemon.reconcile.expiry import expire
from orca_daemon.reconcile.protocol import Message, StageProgress, Unsigned, Waiting
from orca_daemon.reconcile.reports import latest
from orca_daemon.reconcile.run import ComparisonOutcome

_Outcome = Literal["success", "rejected", "failed", "down"]
"""How a comparison ended; the label of a metric."""
_LOG_EVERY = 30.0
"""Seconds between two log lines about the progress of a comparison."""
_UNITS = {"listing": "bytes", "catalog": "rows", "comparing": "%"}
_log: Any = structlog.get_logger()


async def instrumented(
    services: Services,
    what: str,
    comparison: Callable[[Callable[[Message], None]], Coroutine[Any, Any, ComparisonOutcome]],
) -> None:
    """Run a comparison of `what`, and log and measure it.  Raises whatever the comparison raises."""
    metrics, began = services.metrics.reconcile, time.monotonic()
    label: _Outcome = "failed"
    metrics.running.inc()
    try:
        with services.work.begin("comparison", what) as work:
            outcome = await comparison(ProgressLogger(work=work))
        label = "success"
    except Reject:
        label = "rejected"
        raise
    except NotYet as error:
        label = "down"
        _log.warning("reconcile.waits", reason=str(error))  # the engine does not log NotYet
        raise
    except DependencyDown:
        label = "down"
        raise
    finally:
        metrics.running.dec()
        metrics.duration.labels(label).observe(time.monotonic() - began)
    _report(services, outcome)
    if outcome.compared is not None and services.database is not None:
        await _expire_reports(services, services.database)


class ProgressLogger:
    """Logs the progress of a comparison, one line in `_LOG_EVERY` seconds at most."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, work: Work | None = None) -> None:
        self._clock, self._work = clock, work
        self._last = clock()

    def __call__(self, message: Message) -> None:
        """Log a message of the child, if it is due."""
        if isinstance(message, StageProgress) and self._work:
            done, total, unit = message.done, message.total, _UNITS.get(message.stage, "")
            self._work.show(stage=message.stage, done=done, total=total, unit=unit)
        if isinstance(message, Waiting):
            _log.info("reconcile.waiting", reason="another process works on this job")
        if isinstance(message, Unsigned):
            _log.info("reconcile.signed_again", reason=message.reason)
        if isinstance(message, StageProgress) and self._clock() - self._last >= _LOG_EVERY:
            self._last = self._clock()
            _log.info("reconcile.progress", **asdict(message))


def _report(services: Services, outcome: ComparisonOutcome) -> None:
    """Log the outcome and put it into the metrics."""
    job, bucket, compared = outcome.job, outcome.bucket, outcome.compared
    if compared is None:
        _log.info("reconcile.nothing_to_do", job=job, bucket=bucket)
        return
    if compared.not_compared:
        _log.warning(
            "reconcile.not_compared",
            job=job,
            bucket=bucket,
            objects=compared.not_compared,
            examples=compared.not_compared_examples,
        )
    _log.info("reconcile.done", job=job, bucket=bucket, seconds=round(outcome.seconds, 3), **asdict(compared))
    services.metrics.reconcile.compared(
        bucket,
        listed=compared.listed,
        catalogued=compared.catalogued,
        not_compared=compared.not_compared,
        seconds=outcome.seconds,
        peak_mib=compared.peak_mib,
    )


async def _expire_reports(services: Services, database: Database) -> None:
    """Update the gauges and remove expired reports.

    Never raises: the report is committed already, and repeating the comparison would not help.
    """
    try:
        await show_latest(services, database)
        if days := services.settings.reconcile.expire_days:
            removed = await expire(database, timedelta(days=days))
            _log.info("reconcile.expired", jobs=removed)
    except Exception as error:  # noqa: BLE001  the docstring has the reason
        _log.warning("reconcile.not_tidied", error=type(error).__name__)


async def show_latest(services: Services, database: Database) -> None:
    """Set the gauges to the latest reports in the database, which another process may have written."""
    for bucket, finished, differences in await database.transact(latest):
        services.metrics.reconcile.show(bucket, finished, differences)
