"""The process: its build, the lag of its loop, its drain, dropped log lines."""

import platform
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from orca_daemon import __version__
from orca_daemon.engine.events import Drain
from orca_daemon.ops import logs
from orca_daemon.ops.metrics.labels import PREFIX

LAGS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30)


class ProcessMetrics:
    """Facts and health of the process itself."""

    def __init__(self, registry: CollectorRegistry, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        ProcessCollector(registry=registry)
        build = Gauge(
            f"{PREFIX}_build_info",
            "Always 1; the labels are versions of the daemon and of what it runs on.",
            ["version", "python", "aiobotocore", "botocore"],
            registry=registry,
        )
        build.labels(__version__, platform.python_version(), version("aiobotocore"), version("botocore")).set(
            1
        )
        registry.register(_DroppedLines())
        self.loop_lag = Histogram(
            f"{PREFIX}_event_loop_lag_seconds",
            "How late the event loop ran a timer.",
            buckets=LAGS,
            registry=registry,
        )
        self.drain_started = Gauge(
            f"{PREFIX}_drain_started_timestamp_seconds",
            "Unix time at which the drain began; 0 before it.",
            registry=registry,
        )
        self.drain_limit = Gauge(
            f"{PREFIX}_drain_limit_seconds", "Seconds that a drain may take.", registry=registry
        )
        self.drain_duration = Histogram(
            f"{PREFIX}_drain_duration_seconds",
            "Duration of the drain.",
            buckets=(0.5, 1, 5, 10, 20, 30, 40, 50, 60, 120),
            registry=registry,
        )

    def drained(self, event: Drain) -> None:
        """A drain began or ended."""
        if event.phase == "started":
            self.drain_started.set(self._wall())
        elif event.phase == "finished":
            self.drain_duration.observe(event.seconds)


class _DroppedLines(Collector):
    """Reads the log's own count at each scrape, so that the log need not know about metrics."""

    def describe(self) -> Iterator[CounterMetricFamily]:
        """The name, by which a reader of some metrics finds this one."""
        return self.collect()

    def collect(self) -> Iterator[CounterMetricFamily]:
        counter = CounterMetricFamily(
            f"{PREFIX}_log_lines_dropped",
            "Log lines dropped because the reader stopped or the disk was full.",
        )
        counter.add_metric([], logs.dropped())
        yield counter
