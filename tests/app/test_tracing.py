"""Traces that cannot be had do not stop the daemon, and the log says why."""

import sys
from contextlib import AsyncExitStack

import pytest
import structlog

from orca_daemon.app.tracing import Traces
from orca_daemon.ops.metrics import Metrics
from orca_daemon.settings import Settings


@pytest.mark.parametrize(
    ("variables", "missing", "reason"),
    [
        pytest.param({}, "", None, id="off"),
        pytest.param(
            {"OTEL_TRACES_EXPORTER": "otlp"}, "export", "pip install 'orca-daemon[otel]'", id="extra"
        ),
        pytest.param({"OTEL_TRACES_EXPORTER": "console"}, "", "only otlp is supported", id="exporter"),
        pytest.param(
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "4096"},
            "",
            "OpenTelemetry refuses its variables",
            id="value",
        ),
    ],
)
async def test_what_prevents_traces_is_a_warning(
    variables: dict[str, str], missing: str, reason: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    if missing:
        monkeypatch.setitem(sys.modules, f"orca_daemon.ops.tracing.{missing}", None)
    traces = Traces()

    async with AsyncExitStack() as stack:
        with structlog.testing.capture_logs() as lines:
            traces.start(stack, Metrics().traces)

    assert [line["event"] for line in lines] == ([] if reason is None else ["traces.off"])
    assert all(reason in line["reason"] for line in lines if reason)
    assert traces.around_runs([], Settings()) == []
