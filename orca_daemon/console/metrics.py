"""What Prometheus reads of the console: requests, their duration, actions, refused requests."""

import platform

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from orca_daemon import __version__

_PREFIX = "orca_daemon_console"
_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30)
"""Buckets around what is promised: 20 ms for a status request, 300 ms for a page."""


class ConsoleMetrics:
    """All metrics of one console.  Labels are bounded: a route's template, never its values."""

    def __init__(self) -> None:
        # Otherwise prometheus_client adds a `_created` series to every counter and histogram.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        Gauge(
            f"{_PREFIX}_build_info",
            "Always 1; the labels are versions.",
            ["version", "python"],
            registry=self.registry,
        ).labels(__version__, platform.python_version()).set(1)
        self.requests = Counter(
            f"{_PREFIX}_requests_total",
            "Requests answered, by the template of the path and by status.",
            ["page", "method", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            f"{_PREFIX}_request_seconds",
            "Time until the answer was complete.",
            ["page"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.actions = Counter(
            f"{_PREFIX}_actions_total",
            "Confirmed actions, by name and outcome: done, failed, or repeated (done before, so not again).",
            ["action", "outcome"],
            registry=self.registry,
        )
        self.refused = Counter(
            f"{_PREFIX}_refused_total",
            "Requests refused before any page: wrong host, wrong token, too many attempts, and the like.",
            ["reason"],
            registry=self.registry,
        )
        self.connections = Gauge(
            f"{_PREFIX}_database_connections_in_use", "Connections in use.", registry=self.registry
        )

    def exposition(self) -> bytes:
        """All series as text, for a scrape."""
        return generate_latest(self.registry)
