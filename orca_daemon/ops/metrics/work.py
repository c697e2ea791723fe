"""Polls and handlers: receives and calls of handlers, by outcome."""

import time
from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from orca_daemon.engine.events import Attempted, AttemptOutcome, Polled, PollOutcome
from orca_daemon.ops.metrics.labels import PREFIX, SECONDS, filled, series_of

POLLS = tuple(PollOutcome)
ATTEMPTS = tuple(AttemptOutcome)


class WorkMetrics:
    """Results of pollers and handlers.  `queues` maps each queue to the name of its handler."""

    def __init__(
        self, registry: CollectorRegistry, queues: Mapping[str, str], wall: Callable[[], float] = time.time
    ) -> None:
        self._handlers = queues
        self._wall = wall
        self.polls = filled(
            Counter(
                f"{PREFIX}_polls",
                "Receives that returned, by outcome.",
                ["queue", "outcome"],
                registry=registry,
            ),
            queues,
            POLLS,
        )
        self.last_poll = filled(
            Gauge(
                f"{PREFIX}_last_poll_success_timestamp_seconds",
                "Unix time of the last successful receive, with or without messages; 0 before the first.",
                ["queue"],
                registry=registry,
            ),
            queues,
        )
        self.duration = Histogram(
            f"{PREFIX}_handler_duration_seconds",
            "Duration of one call of a handler with a run of messages, by outcome.",
            ["queue", "handler", "outcome"],
            buckets=SECONDS,
            registry=registry,
        )
        self.errors = Counter(
            f"{PREFIX}_handler_errors",
            "Calls of a handler that failed, by outcome.",
            ["queue", "handler", "error_class"],
            registry=registry,
        )
        self.run_messages = filled(
            Histogram(
                f"{PREFIX}_run_messages",
                "Messages in one call of a handler.",
                ["queue"],
                buckets=(1, 2, 5, 10, 20, 50, 100),
                registry=registry,
            ),
            queues,
        )
        for queue, handler in queues.items():
            filled(self.duration, [queue], [handler], ATTEMPTS)
            filled(self.errors, [queue], [handler], ATTEMPTS[1:])
        # What every run counts.
        self._duration, self._run_messages = series_of(self.duration), series_of(self.run_messages)

    def polled(self, event: Polled) -> None:
        """A receive returned."""
        self.polls.labels(event.queue, event.outcome).inc()
        if event.outcome in {PollOutcome.MESSAGES, PollOutcome.EMPTY}:
            self.last_poll.labels(event.queue).set(self._wall())

    def attempted(self, event: Attempted) -> None:
        """A handler returned."""
        handler = self._handlers.get(event.queue, event.queue)
        self._duration(event.queue, handler, event.outcome).observe(event.seconds)
        self._run_messages(event.queue).observe(len(event.envelopes))
        if event.outcome is not AttemptOutcome.DONE:
            self.errors.labels(event.queue, handler, event.outcome).inc()
