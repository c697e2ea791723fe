"""The end of a message that is given up: whoever waits for it is told, then it goes to the dead-letter queue.

Both may fail.  Then the message stays at the head of its lane, and is tried again.
"""

import random
from collections.abc import Callable
from functools import partial
from typing import Any

from orca_daemon.engine.backoff import DEAD_LETTER_RETRY, NOTIFICATION_RETRY, Backoff
from orca_daemon.engine.dead_letter_sender import DeadLetterSender
from orca_daemon.engine.dependencies import Dependencies, Ruling
from orca_daemon.engine.errors import DependencyDown, NotYet, Refused, SourceError
from orca_daemon.engine.in_flight_message import InFlightMessage
from orca_daemon.engine.in_flight_table import InFlightTable
from orca_daemon.engine.lanes import Lanes, Run
from orca_daemon.engine.route import Route
from orca_daemon.engine.source import QueueFacts
from orca_daemon.engine.verdict import Next

PARK_SECONDS = 900.0
"""How long a condemned message of a queue without a dead-letter queue stays hidden."""
OVERSIZED = Backoff(base=1.0, cap=PARK_SECONDS, jitter=0.5)
"""By its receives: how long a message stays hidden that is larger than the dead-letter queue takes."""


class DeadLettering:
    """Ends messages of one queue.  `give_back` returns a run to its lanes, for some seconds at least."""

    def __init__(
        self,
        route: Route[Any],
        facts: QueueFacts,
        lanes: Lanes,
        in_flight: InFlightTable,
        dead_letter_sender: DeadLetterSender,
        dependencies: Dependencies,
        *,
        give_back: Callable[[Run, float], None],
        rng: random.Random,
    ) -> None:
        self._route, self._facts = route, facts
        self._lanes, self._in_flight, self._dead_letter_sender = lanes, in_flight, dead_letter_sender
        self._dependencies = dependencies
        self._give_back = give_back
        self._rng = rng

    async def end(self, run: Run) -> None:
        """Tell of the end of the one message of a run, then set it aside."""
        [held] = run.messages
        if held.lost:
            self._give_back(run, 0.0)
            return
        try:
            await self._dead_letter_sender.notify(held, partial(self._dependencies.succeeded, run))
        except Exception as error:  # noqa: BLE001  the message is kept, whatever went wrong
            self._dead_letter_sender.notification_failed(error)
            if await self._notify_again(run, held, error):
                return
            self._dead_letter_sender.abandon(held, error)
        await self._set_aside(run)

    async def _notify_again(self, run: Run, held: InFlightMessage, error: Exception) -> bool:
        """Whether to try once more to tell of the end of a message, which waits then."""
        rules = self._dependencies.rules
        ruling = Ruling(None)
        if isinstance(error, DependencyDown | Refused):
            ruling = await self._dependencies.failed(
                run, error, needs=self._route.needs, most=rules.notification_tries
            )
        elif isinstance(error, NotYet):
            ruling = Ruling(Next.WAIT, self._dependencies.not_yet(run))
        if ruling.next is None:
            held.notification_failures += 1
            ruling = Ruling(Next.WAIT, NOTIFICATION_RETRY.delay(held.notification_failures, self._rng))
        if held.notification_failures >= rules.notification_tries or ruling.next is not Next.WAIT:
            return False
        self._give_back(run, ruling.pause)
        return True

    async def _set_aside(self, run: Run) -> None:
        [(lane, [held])] = run.parts
        try:
            if self._facts.dead_letter is None:
                self._in_flight.release([held, *self._lanes.cut(lane)], seconds=PARK_SECONDS)
            else:
                await self._in_flight.dead_letter(lane, held)
        except Exception as error:  # noqa: BLE001  the message is kept, whatever went wrong
            self._dead_letter_sender.failed(held, error)
            if isinstance(error, SourceError) and error.kind == "too_large":
                # It leaves the order of its group as a dead letter does: what is behind it is in hand, and
                # goes on.  Given back with it each time, that would use up its receives and be moved too.
                self._in_flight.release(
                    [held], seconds=OVERSIZED.delay(held.envelope.receive_count, self._rng)
                )
            else:
                self._give_back(run, DEAD_LETTER_RETRY.delay(held.dead_letter_failures, self._rng))
