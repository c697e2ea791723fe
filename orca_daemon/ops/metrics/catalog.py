"""The catalog: counts that the engine's events do not have."""

from prometheus_client import CollectorRegistry, Counter

from orca_daemon.ops.metrics.labels import PREFIX


class CatalogMetrics:
    """Messages of the queue `catalog`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.stale = Counter(
            f"{PREFIX}_catalog_stale_messages_total",
            "Messages of which a part changed nothing because a newer version of it had been stored before.",
            registry=registry,
        )
