"""The end of a message that no retry can save: announced, copied to the dead-letter queue with evidence."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from orca_daemon.engine import places
from orca_daemon.engine.events import NotificationAbandoned, Observer, SettlementFailed
from orca_daemon.engine.in_flight_message import InFlightMessage
from orca_daemon.engine.route import Route
from orca_daemon.engine.source import Source
from orca_daemon.engine.verdict import reason

NOTIFY_SECONDS = 300.0
"""Seconds that one `gave_up` may take: the limit of the work itself may be many hours."""
LAST_RECEIVE = "the daemon had to give it back on the last receive that its queue allows"
"""Why a message is given up that nothing was wrong with."""


class DeadLetterSender:
    """Announces and buries condemned messages of one queue; deleting them is the caller's."""

    def __init__(
        self, queue: str, route: Route[Any], source: Source, *, about: Mapping[str, object], observe: Observer
    ) -> None:
        self._queue = queue
        self._route = route
        self._source = source
        self._about = about
        self._observe = observe

    async def notify(self, held: InFlightMessage, succeeded: places.Succeeded = lambda *_: None) -> None:
        """Run the route's `gave_up`, which may raise anything, until it has succeeded once.

        `succeeded` hears at once where an operation of it succeeded.
        """
        if self._route.gave_up is not None and not held.notified:
            places.listen(succeeded)
            async with asyncio.timeout(NOTIFY_SECONDS):
                await self._route.gave_up(
                    held.message, held.envelope, held.dead_letter_reason or LAST_RECEIVE
                )
            held.notified = True

    def notification_failed(self, error: BaseException) -> None:
        """Report that `gave_up` failed; it is tried again."""
        self._observe(SettlementFailed(self._queue, "gave_up", 1, reason(error)))

    def abandon(self, held: InFlightMessage, error: BaseException) -> None:
        """Report that `gave_up` is given up itself: the dead letter says why, and somebody has to look."""
        held.notified, held.notification_problem = True, reason(error)
        self._observe(NotificationAbandoned(self._queue, held.envelope, held.notification_problem))

    async def send(self, held: InFlightMessage) -> None:
        """Send a copy to the dead-letter queue.  It may raise; it may be repeated."""
        await self._source.send_dead_letter(held.envelope, self.evidence(held, time.time()))

    def evidence(self, held: InFlightMessage, now: float) -> dict[str, object]:
        """What an operator wants to know of a dead letter.  `now` is seconds since the epoch."""
        envelope = held.envelope
        return {
            "reason": held.dead_letter_reason,
            **({"gave_up": held.notification_problem} if held.notification_problem else {}),
            "error": held.error,
            "attempts": held.attempts,
            "queue": self._queue,
            "route": self._route.name,
            "message_id": envelope.id,
            "group": envelope.group,
            "receives": envelope.receive_count,
            "sent_at": envelope.sent_at,
            "first_received_at": envelope.first_received_at,
            "buried_at": round(now, 3),
            **self._about,
        }

    def failed(self, held: InFlightMessage, error: Exception) -> None:
        """Report a dead letter that could not be sent, and count."""
        held.dead_letter_failures += 1
        self._observe(SettlementFailed(self._queue, "dead_letter", 1, reason(error)))

    async def notify_on_last_receive(self, held: InFlightMessage, max_receives: int | None) -> None:
        """A message goes back on its last receive: SQS will move it, so the world is told now."""
        if max_receives is None or held.envelope.receive_count < max_receives:
            return
        try:
            await self.notify(held)
        except Exception as error:  # noqa: BLE001  the message leaves all the same
            self.notification_failed(error)
