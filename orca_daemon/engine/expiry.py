"""The end of a delivery: SQS takes a message back after twelve hours, even if it still waits for something.

A message that waits is given back an hour before, in order, which costs a receive.  On its last receive SQS
would move it to its dead-letter queue, together with the followers that were received as often: so the daemon
dead-letters it, and the rest goes on.
"""

from orca_daemon.engine.events import Cause
from orca_daemon.engine.in_flight_message import END_MARGIN, InFlightMessage
from orca_daemon.engine.in_flight_table import InFlightTable
from orca_daemon.engine.lanes import Lane, Lanes, Run
from orca_daemon.engine.queue_context import QueueContext

ITS_LAST = "it was not done in the last delivery that its queue allows"
"""Why a message is dead-lettered that waited for as long as it could."""
LAST_CALL = 10.0
"""Seconds before the end of its lease at which a message that could not be tried is given back."""


class Expiry:
    """Looks for messages of one queue whose delivery ends soon."""

    def __init__(self, context: QueueContext, lanes: Lanes, in_flight: InFlightTable) -> None:
        self._longest_wait = context.dependencies.rules.longest_wait
        self._longest_lease = context.dependencies.rules.longest_lease
        self._is_last = context.is_last_receive
        self._lanes, self._in_flight = lanes, in_flight

    def due(self, run: Run, now: float) -> bool:
        """Whether it is too late to begin this run."""
        if run.oldest > now - self._longest_wait:
            return False
        return any(self._is_due(part[0], now) and part[0].dead_letter_reason is None for _, part in run.parts)

    def check(self, now: float, *, nothing_runs: bool) -> list[Lane]:
        """Give back or give up what is due; return the lanes whose head was given up, or was taken away."""
        changed = []
        for lane in self._lanes:
            if not lane.waiting or not self._is_due(lane.waiting[0], now, nothing_runs=nothing_runs):
                continue
            head = lane.waiting[0]
            is_at_fault = head.dead_letter_reason is not None or head.stuck
            if nothing_runs or not (self._is_last(head.envelope) and is_at_fault):
                self._in_flight.release(self._lanes.cut(lane))
            else:
                self._end(lane)
                changed.append(lane)
        return changed

    def _is_due(self, message: InFlightMessage, now: float, *, nothing_runs: bool = False) -> bool:
        if message.received > now - self._longest_wait:
            return False
        if nothing_runs or not self._is_last(message.envelope) or self._ends(message, now):
            return True
        # A message that only stood behind others is tried once, because it will not be delivered again.
        return message.dead_letter_reason is not None or message.stuck

    def _ends(self, message: InFlightMessage, now: float) -> bool:
        """Whether there is no time left to try a message: SQS takes it back in a moment."""
        return message.received <= now - self._longest_lease + END_MARGIN + LAST_CALL

    def _end(self, lane: Lane) -> None:
        head = lane.waiting[0]
        if head.dead_letter_reason is not None:
            # It cannot be dead-lettered here, so SQS has to do it; it leaves its group as a dead letter does.
            self._in_flight.release([self._lanes.take_head(lane)])
            return
        waited_for = ", ".join(sorted(place or name for name, place in head.histories or ()))
        why = f"{ITS_LAST}: it waited for {waited_for}" if waited_for else ITS_LAST
        head.give_up(why, "TimeoutError", Cause.UNPROVEN)
