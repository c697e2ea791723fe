"""The end of a message that is given up: the route is notified, then the dead letter is sent.

Both may fail.  Then the message stays at the head of its lane, and is tried again.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from orca_daemon.engine.backoff import DEAD_LETTER_RETRY, NOTIFICATION_RETRY, Backoff
from orca_daemon.engine.dead_letter_sender import DeadLetterSender
from orca_daemon.engine.errors import DependencyDown, NotYet, Refused, SourceError, SourceErrorKind
from orca_daemon.engine.in_flight_message import InFlightMessage
from orca_daemon.engine.in_flight_table import InFlightTable
from orca_daemon.engine.lanes import Lanes, Run
from orca_daemon.engine.queue_context import QueueContext
from orca_daemon.engine.verdict import Decision, Next

GiveBack: TypeAlias = Callable[[Run, float], None]
"""Returns the messages of a run to their lanes, for some seconds at least."""
PARK_SECONDS = 900.0
"""How long a message that is given up stays hidden if its queue has no dead-letter queue."""
OVERSIZED = Backoff(base=1.0, cap=PARK_SECONDS, jitter=0.5)
"""By its receives: how long a message stays hidden that is larger than the dead-letter queue takes."""


class DeadLettering:
    """Ends messages of one queue, each in the task of its run."""

    def __init__(
        self,
        context: QueueContext,
        lanes: Lanes,
        in_flight: InFlightTable,
        dead_letter_sender: DeadLetterSender,
        give_back: GiveBack,
    ) -> None:
        self._context = context
        self._lanes = lanes
        self._in_flight = in_flight
        self._dead_letter_sender = dead_letter_sender
        self._give_back = give_back

    async def end(self, run: Run) -> None:
        """Notify for the one message of a run, then set it aside."""
        [message] = run.messages
        if message.lost:
            self._give_back(run, 0.0)
            return
        try:
            succeeded = partial(self._context.dependencies.succeeded, run)
            await self._dead_letter_sender.notify(message, succeeded)
        except Exception as error:  # noqa: BLE001  whatever went wrong, the message is kept
            self._dead_letter_sender.notification_failed(error)
            if await self._notify_again(run, message, error):
                return
            self._dead_letter_sender.abandon(message, error)
        await self._set_aside(run)

    async def _notify_again(self, run: Run, message: InFlightMessage, error: Exception) -> bool:
        """Whether the notification is to be tried once more; then the message waits in its lane."""
        dependencies, tries = self._context.dependencies, self._context.dependencies.rules.notification_tries
        decision = None
        if isinstance(error, DependencyDown | Refused):
            decision = await dependencies.failed(run, error, needs=self._context.route.needs, most=tries)
        elif isinstance(error, NotYet):
            decision = Decision(Next.WAIT, dependencies.not_yet(run))
        if decision is None:
            message.notification_failed()
            pause = NOTIFICATION_RETRY.delay(message.notification_failures, self._context.rng)
            decision = Decision(Next.WAIT, pause)
        if message.notification_failures >= tries or decision.next is not Next.WAIT:
            return False
        self._give_back(run, decision.pause)
        return True

    async def _set_aside(self, run: Run) -> None:
        [(lane, [message])] = run.parts
        try:
            if self._context.facts.dead_letter is None:
                self._in_flight.release([message, *self._lanes.cut(lane)], seconds=PARK_SECONDS)
            else:
                await self._in_flight.dead_letter(lane, message)
        except Exception as error:  # noqa: BLE001  whatever went wrong, the message is kept
            self._dead_letter_sender.failed(message, error)
            if isinstance(error, SourceError) and error.kind is SourceErrorKind.TOO_LARGE:
                # It leaves its group as a dead letter does, and the messages behind it are worked.  If they
                # were given back with it each time, they would run out of receives, and SQS would move them.
                pause = OVERSIZED.delay(message.envelope.receive_count, self._context.rng)
                self._in_flight.release([message], seconds=pause)
            else:
                pause = DEAD_LETTER_RETRY.delay(message.dead_letter_failures, self._context.rng)
                self._give_back(run, pause)
