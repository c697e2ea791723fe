"""Sends spans to a collector by OTLP/HTTP, from a thread of its own, with bounded memory, and counts them."""

import asyncio
import logging
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Tracer

from orca_daemon.ops.tracing import conventions

NAME = "orca-daemon"
"""`service.name`, unless the environment names one."""
QUEUE = 2048
"""Spans that may wait for their export, unless OTEL_BSP_MAX_QUEUE_SIZE is set (its specified default)."""
FLUSH_SECONDS = 2.0
"""How long a stop waits for a collector."""
_log = structlog.get_logger()


@dataclass(slots=True)
class Counts:
    """Spans that have ended, by what became of them.  Several threads write them, under one lock."""

    exported: int = 0
    failed: int = 0
    """Given up by the exporter, which has tried again."""
    dropped: int = 0
    """Not taken, because as many waited as may, or left at a stop."""
    waiting: int = 0
    exporting: int = 0

    def read(self) -> Mapping[str, int]:
        """The final ones by name, for the metric."""
        return {"exported": self.exported, "failed": self.failed, "dropped": self.dropped}


class Tracing:
    """The tracer of the process.

    Args:
        version: of the service.
    """

    def __init__(self, version: str) -> None:
        self.counts = Counts()
        lock = threading.Lock()
        exporter = _CountingExporter(OTLPSpanExporter(), self.counts, lock)
        # The provider reads sampler and limits from the environment itself.  It must not wait at exit.
        self._provider = TracerProvider(resource=_resource(version), shutdown_on_exit=False)
        self._provider.add_span_processor(_BoundedProcessor(exporter, self.counts, lock))
        self.tracer: Tracer = self._provider.get_tracer("orca_daemon", version, schema_url=conventions.SCHEMA)

    async def close(self, seconds: float = FLUSH_SECONDS) -> None:
        """Export what waits, for at most so long; what is left is counted as dropped."""
        loop, over = asyncio.get_running_loop(), asyncio.Event()

        def shut_down() -> None:
            self._provider.shutdown()
            if not loop.is_closed():
                loop.call_soon_threadsafe(over.set)

        # A daemon thread, because the exporter may wait for a collector when the process ends.
        threading.Thread(target=shut_down, name="traces-flush", daemon=True).start()
        try:
            async with asyncio.timeout(seconds):
                await over.wait()
        except TimeoutError:
            self.counts.dropped += self.counts.waiting
            left, self.counts.waiting = self.counts.waiting + self.counts.exporting, 0
            _log.warning("traces.not_flushed", seconds=seconds, spans=left)


class _BoundedProcessor(BatchSpanProcessor):
    """Takes no more spans than may wait, so that every span that is lost is counted."""

    def __init__(self, exporter: SpanExporter, counts: Counts, lock: threading.Lock) -> None:
        self._most = _queue_size()
        super().__init__(exporter, max_queue_size=self._most)
        self._counts, self._lock = counts, lock

    def on_end(self, span: ReadableSpan) -> None:
        """Pass a span on, or drop it."""
        if not (span.context and span.context.trace_flags.sampled):
            return
        with self._lock:
            if self._counts.waiting >= self._most:
                self._counts.dropped += 1
                return
            self._counts.waiting += 1
        super().on_end(span)


class _CountingExporter(SpanExporter):
    """Counts what the exporter does, and logs when it begins and ceases to fail: not each batch."""

    def __init__(self, inside: SpanExporter, counts: Counts, lock: threading.Lock) -> None:
        self._inside, self._counts, self._lock = inside, counts, lock
        self._failing = False
        self._problem = _LastProblem()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export a batch; called by the processor's thread."""
        with self._lock:
            self._counts.waiting = max(self._counts.waiting - len(spans), 0)
            self._counts.exporting += len(spans)
        try:
            result = self._inside.export(spans)
        except Exception as error:  # noqa: BLE001  whatever it is, the spans are lost and work goes on
            self._problem.text, result = type(error).__name__, SpanExportResult.FAILURE
        done = result is SpanExportResult.SUCCESS
        with self._lock:
            self._counts.exporting -= len(spans)
            self._counts.exported += len(spans) * done
            self._counts.failed += len(spans) * (not done)
        if done is self._failing:
            self._failing = not done
            write = _log.info if done else _log.warning
            write("traces.exported" if done else "traces.not_exported", reason=self._problem.text)
        return result

    def shutdown(self) -> None:
        """End the exporter."""
        self._inside.shutdown()


class _LastProblem(logging.Handler):
    """Keeps the last line that OpenTelemetry logged: it logs every batch that fails, as an error."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text = ""
        logger = logging.getLogger("opentelemetry")
        logger.handlers[:] = [self]
        logger.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the text."""
        self.text = record.getMessage()


def _resource(version: str) -> Resource:
    """What names this service in every span; the environment goes before our own names."""
    given = Resource.create()
    named = not str(given.attributes.get(SERVICE_NAME, "")).startswith("unknown_service")
    own = Resource({} if named else {SERVICE_NAME: NAME})
    return Resource({SERVICE_VERSION: version}).merge(given).merge(own)


def _queue_size() -> int:
    text = os.environ.get("OTEL_BSP_MAX_QUEUE_SIZE", "")
    return int(text) if text.isdecimal() and int(text) else QUEUE
