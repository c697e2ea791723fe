"""The two calls at the end of a message that is given up: the route's `gave_up`, and its dead letter."""

import asyncio
import time

from orca_daemon.engine import places
from orca_daemon.engine.events import NotificationAbandoned, Operation, SettlementFailed
from orca_daemon.engine.in_flight_message import InFlightMessage
from orca_daemon.engine.queue_context import QueueContext
from orca_daemon.engine.verdict import reason

NOTIFY_SECONDS = 300.0
"""Seconds that one `gave_up` may take: the limit of the work itself may be many hours."""
LAST_RECEIVE = "the daemon had to give it back on the last receive that its queue allows"
"""The reason for a message that is given up although nothing was wrong with it."""


class DeadLetterSender:
    """Notifies and sends dead letters for one queue; the caller deletes the original."""

    def __init__(self, context: QueueContext) -> None:
        self._context = context

    async def notify(self, message: InFlightMessage, succeeded: places.Succeeded = lambda *_: None) -> None:
        """Call the route's `gave_up`, which may raise anything, unless it has succeeded before.

        `succeeded` is called at once for each operation of it that succeeds at a place.
        """
        gave_up = self._context.route.gave_up
        if gave_up is not None and not message.notified:
            places.listen(succeeded)
            async with asyncio.timeout(NOTIFY_SECONDS):
                await gave_up(message.decoded, message.envelope, message.dead_letter_reason or LAST_RECEIVE)
            message.notification_succeeded()

    def notification_failed(self, error: BaseException) -> None:
        """Report that `gave_up` failed; it is tried again."""
        self._failed(Operation.GAVE_UP, error)

    def abandon(self, message: InFlightMessage, error: BaseException) -> None:
        """Report that `gave_up` is not tried again; the dead letter names the problem, for an operator."""
        problem = reason(error)
        message.notification_abandoned(problem)
        self._context.observe(NotificationAbandoned(self._context.name, message.envelope, problem))

    async def send(self, message: InFlightMessage) -> None:
        """Send a copy to the dead-letter queue.  It may raise; it may be repeated."""
        evidence = self.evidence(message, time.time())
        sent = await self._context.source.send_dead_letter(message.envelope, evidence)
        message.dead_letter_sent(sent)

    def evidence(self, message: InFlightMessage, now: float) -> dict[str, object]:
        """The facts that an operator needs about a dead letter.  `now` is seconds since the epoch."""
        envelope, problem = message.envelope, message.notification_problem
        return {
            "reason": message.dead_letter_reason,
            **({"gave_up": problem} if problem else {}),
            "error": message.error,
            "attempts": message.attempts,
            "queue": self._context.name,
            "route": self._context.route.name,
            "message_id": envelope.id,
            "group": envelope.group,
            "receives": envelope.receive_count,
            "sent_at": envelope.sent_at,
            "first_received_at": envelope.first_received_at,
            "buried_at": round(now, 3),
            **self._context.about,
        }

    def failed(self, message: InFlightMessage, error: Exception) -> None:
        """Report a dead letter that could not be sent, and count it."""
        message.dead_letter_failed()
        self._failed(Operation.DEAD_LETTER, error)

    async def notify_on_last_receive(self, message: InFlightMessage) -> None:
        """Notify for a message that is given back on its last receive, because SQS will move it itself."""
        if not self._context.is_last_receive(message.envelope):
            return
        try:
            await self.notify(message)
        except Exception as error:  # noqa: BLE001  the message leaves all the same
            self.notification_failed(error)

    def _failed(self, operation: Operation, error: BaseException) -> None:
        self._context.observe(SettlementFailed(self._context.name, operation, 1, reason(error)))
