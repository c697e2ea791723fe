"""The end of a delivery: SQS takes a message back after twelve hours, whatever waits for whatever.

What waits is given back an hour before, in order, which costs a receive.  On the last one SQS would move it
to its dead-letter queue, with all that was received as often: so it is dead-lettered, and the rest goes on.
"""

from orca_daemon.engine.charges import Rules
from orca_daemon.engine.in_flight_message import InFlightMessage, Isolation
from orca_daemon.engine.in_flight_table import InFlightTable
from orca_daemon.engine.lanes import Lane, Lanes, Run
from orca_daemon.engine.source import QueueFacts

ITS_LAST = "it was not done in the last delivery that its queue allows"
"""Why a message is dead-lettered that waited for as long as it could."""


class Expiry:
    """Looks for messages of one queue whose delivery ends soon."""

    def __init__(self, rules: Rules, facts: QueueFacts, lanes: Lanes, in_flight: InFlightTable) -> None:
        self._rules, self._facts = rules, facts
        self._lanes, self._in_flight = lanes, in_flight

    def due(self, run: Run, now: float) -> bool:
        """Whether it is too late to begin this run."""
        if run.oldest > now - self._rules.longest_wait:
            return False
        return any(self._is_due(part[0], now) and part[0].dead_letter_reason is None for _, part in run.parts)

    def check(self, now: float, *, nothing_runs: bool) -> list[Lane]:
        """Part with what is due; returns lanes whose head is to be dead-lettered, or was taken away."""
        changed = []
        for lane in self._lanes:
            if not lane.waiting or not self._is_due(lane.waiting[0], now, nothing_runs=nothing_runs):
                continue
            if nothing_runs or not self._is_last(lane.waiting[0]):
                self._in_flight.release(self._lanes.cut(lane))
            else:
                self._end(lane)
                changed.append(lane)
        return changed

    def _is_due(self, held: InFlightMessage, now: float, *, nothing_runs: bool = False) -> bool:
        if held.received > now - self._rules.longest_wait:
            return False
        # What stood behind another for so long is tried at least: it will not be delivered again.
        return nothing_runs or not self._is_last(held) or held.dead_letter_reason is not None or held.stuck

    def _is_last(self, held: InFlightMessage) -> bool:
        most = self._facts.max_receives
        return most is not None and held.envelope.receive_count >= most

    def _end(self, lane: Lane) -> None:
        head = lane.waiting[0]
        if head.dead_letter_reason is not None:
            # It cannot be dead-lettered here, so SQS shall do it; it leaves the order as a dead letter does.
            self._in_flight.release([self._lanes.take_head(lane)])
            return
        waited_for = ", ".join(sorted(place or name for name, place in head.histories or ()))
        head.isolation = Isolation.ALONE
        head.dead_letter_reason = f"{ITS_LAST}: it waited for {waited_for}" if waited_for else ITS_LAST
        head.error, head.cause = "TimeoutError", "unproven"
