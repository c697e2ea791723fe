"""One `process` span for each run: begun when the handler is called, ended with the outcome of the attempt.

It links to the span that sent each message.  Links, not a parent: a run has messages of many senders.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, overload

from opentelemetry.context import Context, attach, get_value, set_value
from opentelemetry.trace import (
    Link,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from orca_daemon.engine.events import Attempted, AttemptOutcome, Event
from orca_daemon.engine.message import Delivery, Envelope
from orca_daemon.engine.route import Route
from orca_daemon.engine.verdict import reason as reason_of
from orca_daemon.ops.tracing import conventions
from orca_daemon.wire.trace_context import TRACEPARENT, of_xray, parsed

TRACE_ID, SPAN_ID = "trace_id", "span_id"
"""Facts of a message, and so fields of its log line, if its run was sampled."""
GIVEN_UP = "given_up"
MOST_VALUES = 100
"""Values of one fact that a span has: a run has up to a hundred messages."""
MOST_CHILDREN = 500
"""Spans below that of a run: a copy of terabytes makes ten thousand calls."""
LONGEST = 1_000
"""Characters of one value."""
_RUN = "orca-daemon-run"
_ROOT = Context()


@dataclass(slots=True)
class TracedRun:
    """A run whose span is in the context of its task."""

    span: Span
    sampled: bool
    message: str | None
    """Id of its message if it has one alone."""
    children: int = 0
    """Calls, transactions and stages so far."""

    def next_parent(self) -> Context | None:
        """The parent of one more span of the run; None if it is not sampled, or has as many as it may."""
        if not self.sampled:
            return None
        self.children += 1
        return set_span_in_context(self.span, _ROOT) if self.children <= MOST_CHILDREN else None


def next_parent() -> Context | None:
    """The same of the run that this task works for; None if there is none, too."""
    run = get_value(_RUN)
    return run.next_parent() if isinstance(run, TracedRun) else None


class RunTracer:
    """Traces the runs of one queue.

    The context stays in the task when the span has ended: what follows there (settlement, the dead letter)
    belongs to the trace.

    Args:
        tracer: makes the spans.
        url: URL of the queue.
    """

    def __init__(self, tracer: Tracer, url: str) -> None:
        self._tracer = tracer
        self._attributes = conventions.messaging(conventions.PROCESS, url)
        self._name = f"{conventions.PROCESS.name} {self._attributes[conventions.DESTINATION]}"

    def traced(self, route: Route[Any]) -> Route[Any]:
        """The route with its handler and its notification inside spans."""
        handle, notify = route.handle, route.gave_up

        async def traced_handle(run: Sequence[Delivery[Any]], /) -> None:
            traced = self._begin([delivery.envelope for delivery in run])
            try:
                await handle(run)
            finally:
                with suppress(Exception):  # no fault of a trace may become one of the work
                    _describe(traced, run, route.describe)

        async def traced_gave_up(message: Any, envelope: Envelope, reason: str, /) -> None:
            span = None if _is_of(get_value(_RUN), envelope) else self._begin([envelope]).span
            try:
                if notify is not None:
                    await notify(message, envelope, reason)
            finally:
                if span is not None:
                    _fail(span, GIVEN_UP, reason)
                    span.end()

        return replace(route, handle=traced_handle, gave_up=traced_gave_up)

    def _begin(self, envelopes: Sequence[Envelope]) -> TracedRun:
        one = len(envelopes) == 1
        number = {conventions.MESSAGE_ID: envelopes[0].id} if one else {conventions.BATCH: len(envelopes)}
        span = self._tracer.start_span(
            self._name,
            # Its task may have been started by another run, and have that one's context.
            context=_ROOT,
            kind=SpanKind.CONSUMER,
            attributes={**self._attributes, **number},
            links=_Links(envelopes),
        )
        run = TracedRun(span, span.is_recording(), envelopes[0].id if one else None)
        attach(set_value(_RUN, run, set_span_in_context(span, _ROOT)))
        return run


def observe(event: Event) -> None:
    """End the span of a run: the engine reports an attempt in the task in which it was made."""
    if not isinstance(event, Attempted):
        return
    if not isinstance(run := get_value(_RUN), TracedRun) or not run.sampled:
        return
    run.span.set_attribute(conventions.OUTCOME, event.outcome.value)
    if event.outcome is not AttemptOutcome.DONE:
        error = event.error
        _fail(run.span, type(error).__name__ if error else event.outcome, reason_of(error) if error else "")
    if left_out := max(run.children - MOST_CHILDREN, 0):
        run.span.set_attribute(conventions.LEFT_OUT, left_out)
    run.span.end()


class _Links(Sequence[Link]):
    """The links of a run, made when somebody reads them: of a span that is not sampled nobody does."""

    def __init__(self, envelopes: Sequence[Envelope]) -> None:
        self._envelopes = envelopes

    @cached_property
    def _made(self) -> list[Link]:
        return [link for envelope in self._envelopes if (link := link_to(envelope))]

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        return len(self._made)

    @overload
    def __getitem__(self, index: int) -> Link: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Link]: ...
    def __getitem__(self, index: int | slice) -> Link | Sequence[Link]:
        return self._made[index]


def link_to(envelope: Envelope) -> Link | None:
    """The link to the span that sent a message; its `traceparent` goes before X-Ray's header."""
    traceparent = envelope.attributes.get(TRACEPARENT)
    ids = parsed(traceparent) if traceparent else None
    if ids is None and envelope.trace:
        ids = of_xray(envelope.trace)
    if ids is None:
        return None
    context = SpanContext(ids.trace, ids.span, is_remote=True, trace_flags=TraceFlags(ids.flags))
    return Link(context, {conventions.MESSAGE_ID: envelope.id})


def ids_of(span: SpanContext) -> dict[str, str]:
    """The ids of a span as log lines have them; none if it is not sampled, as nobody could find it."""
    if not span.trace_flags.sampled:
        return {}
    return {TRACE_ID: f"{span.trace_id:032x}", SPAN_ID: f"{span.span_id:016x}"}


def _is_of(run: object, envelope: Envelope) -> bool:
    return isinstance(run, TracedRun) and run.message == envelope.id


def _describe(
    traced: TracedRun, run: Sequence[Delivery[Any]], describe: Callable[[Any], Mapping[str, str]]
) -> None:
    """Put the facts of the messages on the span, and the span's ids among the facts of each message."""
    if not traced.sampled:
        for delivery in run:
            if delivery.attempt > 1:  # the ids of an earlier attempt
                delivery.facts.pop(TRACE_ID, None)
                delivery.facts.pop(SPAN_ID, None)
        return
    facts = ({**describe(delivery.message), **delivery.facts} for delivery in run)
    traced.span.set_attributes(_attributes(facts))
    ids = ids_of(traced.span.get_span_context())
    for delivery in run:
        delivery.facts.update(ids)


def _attributes(facts: Iterable[Mapping[str, str]]) -> dict[str, str | list[str]]:
    """Each fact as one attribute: a text if all messages have the same value, else a list of the values."""
    values: dict[str, dict[str, None]] = {}
    for each in facts:
        for name, value in each.items():
            known = values.setdefault(name, {})
            if name not in {TRACE_ID, SPAN_ID} and len(known) < MOST_VALUES:
                known[str(value)[:LONGEST]] = None
    return {
        conventions.FACT + name: next(iter(known)) if len(known) == 1 else list(known)
        for name, known in values.items()
        if known
    }


def _fail(span: Span, kind: str, why: str) -> None:
    span.set_attribute(conventions.ERROR, kind)
    span.set_status(Status(StatusCode.ERROR, why or None))
