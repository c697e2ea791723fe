"""Reads gauges at intervals: depths of queues and dead-letter queues, open recoveries, latest reports."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog

from orca_daemon.aws.sqs import SqsSource
from orca_daemon.db import recoveries, restores
from orca_daemon.db.database import Database
from orca_daemon.engine.errors import SourceError
from orca_daemon.queues.internal_report.comparisons import show_latest
from orca_daemon.queues.services import Services

QUEUE_SECONDS = 30.0
RECOVERY_SECONDS = 60.0
REPORT_SECONDS = 900.0
_log: Any = structlog.get_logger()


class Gauges:
    """Asks the queues and the database at intervals; a failure must not disturb the work."""

    def __init__(
        self, services: Services, database: Database | None, dead_letter_queues: Mapping[str, str | None]
    ) -> None:
        """`database` is None if no queue needs it: then nothing is read from it.

        `dead_letter_queues`: the URL of each queue's dead-letter queue, None if it has none.
        """
        self._services = services
        clients = services.clients

        def sources(urls: Mapping[str, str | None]) -> dict[str, SqsSource]:
            return {name: SqsSource(clients.poll, clients.control, url) for name, url in urls.items() if url}

        self._queues = sources({name: queue.url for name, queue in services.settings.bound.items()})
        self._dead_letter_queues = sources(dead_letter_queues)
        self._database = database
        self.waiting: dict[str, int] = {}
        """By queue, about how many messages wait, as last read."""
        self.retentions: dict[str, float] = {}
        """By queue, its retention in seconds, as last read."""
        self.dead_letter_retentions: dict[str, float] = {}
        """By queue, the retention of its dead-letter queue in seconds, as last read."""

    async def run(self) -> None:
        """Read for ever; a supervised task."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._every(QUEUE_SECONDS, self._depths))
            if database := self._database:
                self._services.metrics.recovery.start_reading(time.time())
                tasks.create_task(self._every(RECOVERY_SECONDS, partial(self._open_recoveries, database)))
                tasks.create_task(self._every(RECOVERY_SECONDS, partial(self._restores, database)))
                tasks.create_task(self._every(REPORT_SECONDS, partial(show_latest, self._services, database)))
            else:
                await asyncio.Event().wait()

    async def _every(self, seconds: float, ask: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await ask()
            except Exception as error:  # noqa: BLE001  the process must not end because a gauge cannot be read
                _log.debug("gauge.unread", error=type(error).__name__)
            await asyncio.sleep(seconds)

    async def _depths(self) -> None:
        metrics = self._services.metrics.queues
        for name, source in self._queues.items():
            with suppress(SourceError):  # the poller logs the same failure
                depth = await source.depth()
                self.waiting[name] = depth.visible + depth.delayed
                self.retentions[name] = depth.retention
                self._services.metrics.steering.retention.labels(name).set(depth.retention)
                metrics.depth(name, visible=depth.visible, inflight=depth.inflight, delayed=depth.delayed)
        for name, source in self._dead_letter_queues.items():
            try:
                depth = await source.depth()
            except SourceError as error:
                _log.debug("gauge.unread", error=type(error).__name__, queue=name, dead_letter_queue=True)
                continue
            self.dead_letter_retentions[name] = depth.retention
            metrics.dead_letter_queue(
                name, messages=depth.messages, retention=depth.retention, wall=time.time()
            )

    async def _open_recoveries(self, database: Database) -> None:
        counts = await database.transact(recoveries.overview)
        self._services.metrics.recovery.set_counts(counts.files, counts.oldest_open, time.time())

    async def _restores(self, database: Database) -> None:
        now = datetime.now(UTC)
        counts = await database.transact(restores.counts, now)
        self._services.metrics.restores.set_counts(
            counts.in_progress, counts.oldest, counts.expiring, now.timestamp()
        )
