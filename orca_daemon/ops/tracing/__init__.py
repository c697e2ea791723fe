"""Traces, in as far as they need no library: whether they are on, and stages that other processes did.

The standard variables alone switch them on.  While they are off, nothing of OpenTelemetry is imported, and no
code of `runs`, `calls` and `export` lies in the path of a message.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

Record: TypeAlias = Callable[[str, int, int], None]
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
PROTOCOL = "http/protobuf"
"""The one protocol of OTLP that we have an exporter for."""
_record: Record | None = None


class Wanted(NamedTuple):
    """Whether the environment asks for traces; `problem` says why they cannot be had although it does."""

    on: bool
    problem: str = ""


def wanted(variables: Mapping[str, str]) -> Wanted:
    """Judge the environment (OpenTelemetry: environment variable specification).

    Traces are on if an endpoint is named or `OTEL_TRACES_EXPORTER` is `otlp`, and nothing switches them off.
    An empty value counts as unset.
    """
    listed = variables.get("OTEL_TRACES_EXPORTER", "").split(",")
    exporters = [name.strip() for name in listed if name.strip()]
    if variables.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or exporters == ["none"]:
        return Wanted(on=False)
    if not exporters and not any(variables.get(name) for name in _ENDPOINTS):
        return Wanted(on=False)
    if exporters and "otlp" not in exporters:
        return Wanted(on=False, problem=f"OTEL_TRACES_EXPORTER={','.join(exporters)}: only otlp is supported")
    name = next((name for name in _PROTOCOLS if variables.get(name)), None)
    if name and variables[name] != PROTOCOL:
        return Wanted(on=False, problem=f"{name}={variables[name]}: only {PROTOCOL} is supported")
    return Wanted(on=True)


def record_with(record: Record | None) -> None:
    """Set what `record` calls, while traces are on: a process has one tracer."""
    global _record  # noqa: PLW0603  the docstring has the reason
    _record = record


def record(name: str, began: int, ended: int) -> None:
    """Record a stage that another process did for the run that is at work; nanoseconds since the epoch."""
    if _record is not None:
        _record(name, began, ended)
