"""Spans of traces that have ended, by what became of them."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from orca_daemon.ops.metrics.labels import PREFIX

OUTCOMES = ("exported", "failed", "dropped")


class TraceMetrics(Collector):
    """Reads the exporter's own counts at each scrape; all are 0 while traces are off."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._read: Callable[[], Mapping[str, int]] = dict
        registry.register(self)

    def watch(self, read: Callable[[], Mapping[str, int]]) -> None:
        """Set the function that each scrape reads the counts from, by outcome."""
        self._read = read

    def collect(self) -> Iterator[CounterMetricFamily]:
        """The counts, for a scrape."""
        counter = CounterMetricFamily(
            f"{PREFIX}_trace_spans",
            "Spans of sampled traces: exported, failed to be, or dropped because too many waited.",
            labels=["outcome"],
        )
        counts = self._read()
        for outcome in OUTCOMES:
            counter.add_metric([outcome], counts.get(outcome, 0))
        yield counter
