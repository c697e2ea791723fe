"""Gauges that each scrape reads from the engine's state."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Gauge

from orca_daemon.engine.state import EngineState, QueueState
from orca_daemon.ops.metrics.labels import PREFIX, filled

STATES = ("queued", "running", "settling")


class EngineStateMetrics:
    """What is in flight, paused, or down."""

    def __init__(
        self, registry: CollectorRegistry, queues: Iterable[str], dependencies: Iterable[str]
    ) -> None:
        queues, dependencies = tuple(queues), tuple(dependencies)

        def per_queue(name: str, text: str) -> Gauge:
            return filled(Gauge(f"{PREFIX}_{name}", text, ["queue"], registry=registry), queues)

        self.held = filled(
            Gauge(f"{PREFIX}_messages_held", "Messages in flight.", ["queue", "state"], registry=registry),
            queues,
            STATES,
        )
        self.bytes_held = per_queue("message_bytes_held", "Bytes of the bodies in flight.")
        self.permits = per_queue(
            "permits_free",
            "Messages that may still be received before the in-flight limit; 0 while receives wait for it.",
        )
        self.lanes = per_queue("fifo_lanes", "FIFO groups with a message in flight.")
        self.oldest = per_queue(
            "oldest_held_timestamp_seconds",
            "Unix time at which the message longest in flight was received; 0 if there is none.",
        )
        self.age_limit = per_queue(
            "message_age_limit_seconds",
            "Seconds that one attempt at a message may take before it is cancelled.",
        )
        self.unproven = per_queue(
            "unproven_wait_timestamp_seconds",
            "Unix time of the earliest failure at a dependency not charged to its message; 0 if none.",
        )
        self.paused = per_queue("queue_paused", "1 while an operator has paused the intake.")
        self.up = filled(
            Gauge(
                f"{PREFIX}_dependency_up",
                "0 while a dependency is known to be down, else 1.",
                ["dependency"],
                registry=registry,
            ),
            dependencies,
        )
        self.breaker = filled(
            Gauge(
                f"{PREFIX}_breaker_open",
                "1 while a dependency, or a place of it, is down: messages that need it wait.",
                ["dependency"],
                registry=registry,
            ),
            dependencies,
        )
        for dependency in dependencies:
            self.up.labels(dependency).set(1)
        self.draining = Gauge(
            f"{PREFIX}_draining", "1 from SIGTERM to the end of the process.", registry=registry
        )

    def show(self, state: EngineState, *, now: float, wall: float) -> None:
        """Set all gauges; `now` is the monotonic clock's time and `wall` the Unix time of the same moment."""
        self.draining.set(state.draining)
        for name, since in state.breakers.items():
            self.breaker.labels(name).set(since is not None)
            self.up.labels(name).set(since is None)
        for queue in state.queues:
            self.paused.labels(queue.name).set(state.paused or queue.paused)
            self._show_queue(queue, wall - now)

    def _show_queue(self, queue: QueueState, epoch: float) -> None:
        counts = (queue.held - queue.running - queue.settling, queue.running, queue.settling)
        for label, count in zip(STATES, counts, strict=True):
            self.held.labels(queue.name, label).set(max(0, count))
        self.bytes_held.labels(queue.name).set(queue.bytes_held)
        self.permits.labels(queue.name).set(queue.permits_free)
        self.lanes.labels(queue.name).set(queue.groups)
        self.age_limit.labels(queue.name).set(queue.age_limit)
        self.oldest.labels(queue.name).set(_wall(queue.oldest_held, epoch))
        self.unproven.labels(queue.name).set(_wall(queue.unproven_since, epoch))


def _wall(monotonic: float | None, epoch: float) -> float:
    """Unix time of a time of the monotonic clock; 0 for None."""
    return 0 if monotonic is None else monotonic + epoch
