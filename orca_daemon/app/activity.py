"""What the engine's events say about each queue: how fast it is worked, how old its backlog may be."""

import time
from collections import Counter
from collections.abc import Callable, Mapping

from orca_daemon.engine.events import Event, Polled, PollOutcome, Settled, SettledOutcome


class Activity:
    """An observer of the engine's events."""

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._counts: Counter[tuple[str, str]] = Counter()
        self._shown: Counter[tuple[str, str]] = Counter()
        self._since = monotonic()
        self._read_up_to: dict[str, float] = {}
        """By queue: what was sent earlier has been received.  Unix time."""

    def observe(self, event: Event) -> None:
        """Count an event."""
        match event:
            case Polled(outcome=PollOutcome.MESSAGES):
                self._counts[event.queue, "received"] += len(event.messages)
                self._read_up_to[event.queue] = min(each.sent_at for each in event.messages)
            case Polled(outcome=PollOutcome.EMPTY):
                self.emptied(event.queue)
            case Settled(outcome=SettledOutcome.DELETED):
                self._counts[event.queue, "finished"] += 1
            case Settled(outcome=SettledOutcome.DEAD_LETTERED):
                self._counts[event.queue, "dead_lettered"] += 1
            case _:
                pass

    def emptied(self, queue: str) -> None:
        """No message waits on this queue now."""
        self._read_up_to[queue] = self._wall()

    def oldest_waiting(self, queue: str) -> float | None:
        """About when the oldest message that may wait on the queue was sent; None if it was never read.

        SQS does not tell it, but receives come roughly in the order of sending.
        """
        return self._read_up_to.get(queue)

    def rates(self) -> Mapping[str, Mapping[str, float]]:
        """By queue, messages per second since the last call: received, finished, dead-lettered."""
        now = self._monotonic()
        seconds, self._since = max(now - self._since, 0.001), now
        grown, self._shown = self._counts - self._shown, self._counts.copy()
        queues = {queue for queue, _ in self._counts}
        return {
            queue: {
                f"{what}_per_second": round(grown[queue, what] / seconds, 2)
                for what in ("received", "finished", "dead_lettered")
            }
            for queue in queues
        }
