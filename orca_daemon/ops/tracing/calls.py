"""Spans for what a run does outside: calls of AWS, transactions, stages of a comparison in another process.

Nothing is traced that belongs to no sampled run: receives, heartbeats of leases, probes.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

from opentelemetry.context import attach, detach
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.span import SpanContext, TraceFlags

from orca_daemon.engine.evidence import NAME as EVIDENCE
from orca_daemon.engine.size import size
from orca_daemon.ops.tracing import conventions
from orca_daemon.ops.tracing.runs import next_parent
from orca_daemon.wire.outgoing import LARGEST_MESSAGE
from orca_daemon.wire.trace_context import TRACEPARENT, active, fitting, parsed

Parameters: TypeAlias = Mapping[str, Any]
Call: TypeAlias = Callable[[Parameters], Awaitable[Any]]
ErrorType: TypeAlias = Callable[[BaseException], str | None]
"""Names an error; None for one that is an answer, such as that an object does not exist."""


class CallTracer:
    """Makes calls inside spans, and adds the trace context to the messages that are sent.

    Args:
        tracer: makes the spans.
        error_type: names the errors of AWS.
    """

    def __init__(self, tracer: Tracer, error_type: ErrorType) -> None:
        self._tracer, self._error_type = tracer, error_type

    async def __call__(self, operation: str, parameters: Parameters, call: Call) -> Any:
        """Make one call: `operation` is `service:Operation`."""
        context = next_parent()
        if context is None:
            return await call(_carrying(operation, parameters))
        name, kind, attributes = _described(operation, parameters)
        span = self._tracer.start_span(
            name, context=context, kind=kind, attributes=attributes, links=_links(operation, parameters)
        )
        with _inside(span, self._error_type):
            response = await call(_carrying(operation, parameters))
            _add_ids(span, operation, response)
            return response


@contextmanager
def transaction(tracer: Tracer, function: str, operation: str = "transaction") -> Iterator[None]:
    """Trace a transaction of the run at work; `function` is the full name of the one that works in it."""
    context = next_parent()
    if context is None:
        yield
        return
    attributes = {
        conventions.DB_SYSTEM: conventions.POSTGRESQL,
        conventions.DB_OPERATION: operation,
        conventions.FUNCTION: function,
    }
    span = tracer.start_span(
        f"{operation} {function.rpartition('.')[2]}",
        context=context,
        kind=SpanKind.CLIENT,
        attributes=attributes,
    )
    with _inside(span, lambda error: type(error).__name__):
        yield


def record_stage(tracer: Tracer, name: str, began: int, ended: int) -> None:
    """A span for a stage that is over, of the run at work; nanoseconds since the epoch."""
    context = next_parent()
    if context is not None:
        span = tracer.start_span(conventions.STAGE + name, context=context, start_time=began)
        span.end(ended)


@contextmanager
def _inside(span: Span, error_type: ErrorType) -> Iterator[None]:
    token = attach(set_span_in_context(span))
    try:
        yield
    except BaseException as error:
        if kind := error_type(error):
            span.set_attribute(conventions.ERROR, kind)
            span.set_status(Status(StatusCode.ERROR))
        raise
    finally:
        detach(token)
        span.end()


def _described(operation: str, parameters: Parameters) -> tuple[str, SpanKind, dict[str, str | int]]:
    """Name, kind and attributes of the span of a call."""
    if (messaging := conventions.OPERATIONS.get(operation)) is None:
        name, attributes = conventions.sdk(operation)
        if operation.startswith("s3:"):
            named = conventions.S3_PARAMETERS
            attributes |= {named[key]: value for key, value in parameters.items() if key in named}
        return name, SpanKind.CLIENT, attributes
    attributes = conventions.messaging(messaging, parameters["QueueUrl"])
    if "Entries" in parameters:
        attributes[conventions.BATCH] = len(parameters["Entries"])
    # A producer only if its own context is what the message carries.
    producer = operation == conventions.SEND and TRACEPARENT not in _attributes(parameters)
    kind = SpanKind.PRODUCER if producer else SpanKind.CLIENT
    return f"{messaging.name} {attributes[conventions.DESTINATION]}", kind, attributes


def _links(operation: str, parameters: Parameters) -> list[Link]:
    """The link to the context that a message carries already: a dead letter has that of its sender."""
    if operation != conventions.SEND:
        return []
    own = parsed(str(_attributes(parameters).get(TRACEPARENT, {}).get("StringValue", "")))
    if own is None:
        return []
    return [Link(SpanContext(own.trace, own.span, is_remote=True, trace_flags=TraceFlags(own.flags)))]


def _carrying(operation: str, parameters: Parameters) -> Parameters:
    """The parameters of a send with the active trace context, unless the message has one or no room for it.

    A dead letter gets none: its evidence may fill the message to the last byte, and the trace is in the log.
    """
    if operation != conventions.SEND:
        return parameters
    attributes = _attributes(parameters)
    if TRACEPARENT in attributes or EVIDENCE in attributes:
        return parameters
    free = LARGEST_MESSAGE - size(parameters["MessageBody"], attributes)
    added = fitting(active(), attributes=len(attributes), free=free)
    if not added:
        return parameters
    ours = {name: {"DataType": "String", "StringValue": value} for name, value in added.items()}
    return {**parameters, "MessageAttributes": {**attributes, **ours}}


def _attributes(parameters: Parameters) -> Mapping[str, Mapping[str, object]]:
    return parameters.get("MessageAttributes") or {}


def _add_ids(span: Span, operation: str, response: Any) -> None:
    if not isinstance(response, Mapping):
        return
    if request := (response.get("ResponseMetadata") or {}).get("RequestId"):
        span.set_attribute(conventions.REQUEST_ID, request)
    if operation == conventions.SEND and (message := response.get("MessageId")):
        span.set_attribute(conventions.MESSAGE_ID, message)
