"""Status updates: counts that the engine's events do not have."""

from prometheus_client import CollectorRegistry, Counter

from orca_daemon.ops.metrics.labels import PREFIX


class StatusMetrics:
    """Updates of files by the queue `status_update`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.stale = Counter(
            f"{PREFIX}_status_stale_updates_total",
            "Updates that changed nothing because a later update had been stored before.",
            registry=registry,
        )
