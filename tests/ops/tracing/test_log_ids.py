"""The ids of the span at work, in log lines."""

import io
import json

import structlog
from opentelemetry.trace import use_span

from orca_daemon.ops import logs
from orca_daemon.ops.tracing.export import Tracing
from orca_daemon.ops.tracing.log_ids import add_ids


async def test_lines_of_a_run_have_its_ids_and_lines_of_messages_only_their_own(tracing: Tracing) -> None:
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    logs.process_first(add_ids)
    log = structlog.get_logger()
    span = tracing.tracer.start_span("s")

    log.info("before")
    with use_span(span, end_on_exit=True):
        log.info("attempt.failed")
        log.info("message.deleted", trace_id="of its run")

    before, attempt, message = (json.loads(line) for line in stream.getvalue().splitlines())
    context = span.get_span_context()
    assert "trace_id" not in before
    assert (attempt["trace_id"], attempt["span_id"]) == (
        f"{context.trace_id:032x}",
        f"{context.span_id:016x}",
    )
    assert (message["trace_id"], "span_id" in message) == ("of its run", False)
