"""Status updates: what the engine cannot see of them."""

from prometheus_client import CollectorRegistry, Counter

from orca_daemon.ops.metrics.labels import PREFIX


class StatusMetrics:
    """Updates of files."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.stale = Counter(
            f"{PREFIX}_status_stale_updates_total",
            "Updates that changed nothing, because a later one was there before them.",
            registry=registry,
        )
