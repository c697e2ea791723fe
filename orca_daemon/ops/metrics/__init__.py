"""Everything that Prometheus reads: one class for each subject, all in one registry of our own.

Labels are bounded (queue, handler, outcome, operation, dependency, status): never an id, a key or a text.
"""

import time
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, disable_created_metrics, generate_latest

from orca_daemon.engine.events import (
    Attempted,
    Drain,
    Event,
    Extended,
    NotificationAbandoned,
    Polled,
    Settled,
    SettlementFailed,
)
from orca_daemon.engine.state import EngineState
from orca_daemon.ops.metrics.catalog import CatalogMetrics
from orca_daemon.ops.metrics.copies import CopyMetrics
from orca_daemon.ops.metrics.engine_state import EngineStateMetrics
from orca_daemon.ops.metrics.exports import ExportMetrics
from orca_daemon.ops.metrics.external import AwsMetrics, DatabaseMetrics, QueueMetrics, RecoveryMetrics
from orca_daemon.ops.metrics.messages import MessageMetrics
from orca_daemon.ops.metrics.process import ProcessMetrics
from orca_daemon.ops.metrics.reconcile import ReconcileMetrics
from orca_daemon.ops.metrics.restores import RestoreMetrics
from orca_daemon.ops.metrics.status import StatusMetrics
from orca_daemon.ops.metrics.steering import SteeringMetrics
from orca_daemon.ops.metrics.traces import TraceMetrics
from orca_daemon.ops.metrics.work import WorkMetrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """All metrics of one process."""

    def __init__(
        self,
        queues: Mapping[str, str] | None = None,
        *,
        dependencies: Iterable[str] = ("postgres", "s3"),
        operations: Iterable[str] = (),
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`queues`: each queue's handler; `operations`: the calls to AWS, as `service:Operation`."""
        # Otherwise prometheus_client adds a `_created` series to every counter and histogram.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        queues = queues or {}
        self.registry = CollectorRegistry()
        self._wall, self._monotonic = wall, monotonic
        self._state: Callable[[], EngineState] = EngineState
        self.messages = MessageMetrics(self.registry, queues, wall)
        self.work = WorkMetrics(self.registry, queues, wall)
        self.engine_state = EngineStateMetrics(self.registry, queues, dependencies)
        self.queues = QueueMetrics(self.registry, queues)
        self.process = ProcessMetrics(self.registry, wall)
        self.aws = AwsMetrics(self.registry, operations)
        self.database = DatabaseMetrics(self.registry)
        self.copies = CopyMetrics(self.registry)
        self.exports = ExportMetrics(self.registry, wall)
        self.reconcile = ReconcileMetrics(self.registry)
        self.recovery = RecoveryMetrics(self.registry)
        self.catalog = CatalogMetrics(self.registry)
        self.restores = RestoreMetrics(self.registry)
        self.status = StatusMetrics(self.registry)
        self.steering = SteeringMetrics(self.registry, queues)
        self.traces = TraceMetrics(self.registry)

    def watch(self, state: Callable[[], EngineState]) -> None:
        """Set the function that each scrape reads the gauges from."""
        self._state = state

    def observe(self, event: Event) -> None:
        """Count an event of the engine."""
        match event:
            case Polled():
                self.messages.polled(event)
                self.work.polled(event)
            case Attempted():
                self.work.attempted(event)
            case Settled():
                self.messages.message_settled(event)
            case Extended():
                self.messages.extended(event)
            case SettlementFailed():
                self.messages.not_settled(event)
            case NotificationAbandoned():
                self.messages.notification_abandoned(event)
            case Drain():
                self.process.drained(event)
            case _:
                pass  # scrapes read breakers and pauses from the engine's state

    def refresh(self) -> None:
        """Set the gauges that are read from the engine's state; whoever reads the registry calls it first."""
        self.engine_state.show(self._state(), now=self._monotonic(), wall=self._wall())

    def exposition(self) -> bytes:
        """All series as text, for a scrape."""
        self.refresh()
        return generate_latest(self.registry)
