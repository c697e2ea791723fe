"""Spans on their way to the collector: bounded, counted, and never in the way of the work."""

import asyncio
import time
from typing import Any

import pytest
import structlog

from orca_daemon.ops.metrics import Metrics
from orca_daemon.ops.tracing.export import Tracing
from tests.collector import Collector
from tests.waiting import until


def end_spans(tracing: Tracing, count: int) -> None:
    for _ in range(count):
        tracing.tracer.start_span("s").end()


async def test_the_environment_names_the_service(
    collector: Collector, tracing: Tracing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "ours")
    named = Tracing("2")
    end_spans(tracing, 1)
    end_spans(named, 1)
    await tracing.close()
    await named.close()

    names = [(span.resource["service.name"], span.resource["service.version"]) for span in collector.spans]
    assert sorted(names) == [("orca-daemon", "1.2.3"), ("ours", "2")]


async def test_a_collector_that_fails_is_counted_and_logged_once(
    collector: Collector, tracing: Tracing
) -> None:
    collector.answer = 400
    with structlog.testing.capture_logs() as lines:
        for count in (1, 2):
            end_spans(tracing, 1)
            until(lambda count=count: tracing.counts.failed == count)  # type: ignore[misc]
        collector.answer = 200
        end_spans(tracing, 1)
        until(lambda: tracing.counts.exported == 1)

    told = [(line["event"], line["log_level"]) for line in lines]
    assert told == [("traces.not_exported", "warning"), ("traces.exported", "info")]
    assert "400" in lines[0]["reason"]


async def test_a_slow_collector_costs_spans_and_neither_memory_nor_time(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "600")
    for name, value in collector.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")  # only a full batch is exported: the first 512
    collector.gate.clear()
    tracing, metrics = Tracing("1"), Metrics()
    metrics.traces.watch(tracing.counts.read)
    end_spans(tracing, 512)
    until(lambda: collector.requests == 1)

    end_spans(tracing, 1000)

    assert (tracing.counts.waiting, tracing.counts.dropped) == (600, 400)
    assert 'orca_daemon_trace_spans_total{outcome="dropped"} 400.0' in metrics.exposition().decode()
    began = time.monotonic()
    await tracing.close(0.1)
    assert time.monotonic() - began < 2
    assert tracing.counts.dropped == 1000


async def test_a_stop_exports_what_waits(collector: Collector, tracing: Tracing) -> None:
    end_spans(tracing, 700)
    await asyncio.wait_for(tracing.close(), 10)

    assert (len(collector.spans), tracing.counts.exported) == (700, 700)


def test_every_series_exists_while_traces_are_off() -> None:
    lines = [line for line in Metrics().exposition().decode().splitlines() if "trace_spans_total{" in line]
    expected: Any = [
        f'orca_daemon_trace_spans_total{{outcome="{outcome}"}} 0.0'
        for outcome in ("exported", "failed", "dropped")
    ]
    assert lines == expected
