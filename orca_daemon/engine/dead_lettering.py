"""The end of a message that is given up: whoever waits for it is told, then it goes to the dead-letter queue.

Both may fail.  Then the message stays at the head of its lane, and is tried again.
"""

import random
from collections.abc import Callable
from functools import partial
from typing import Any

from orca_daemon.engine.burial import Burial
from orca_daemon.engine.departure import Hands
from orca_daemon.engine.dependencies import Dependencies, Ruling
from orca_daemon.engine.errors import DependencyDown, NotYet, Refused, SourceError
from orca_daemon.engine.held import Held
from orca_daemon.engine.lanes import Lanes, Run
from orca_daemon.engine.policy import BURYING, TELLING, Backoff
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
        hands: Hands,
        burial: Burial,
        dependencies: Dependencies,
        *,
        give_back: Callable[[Run, float], None],
        rng: random.Random,
    ) -> None:
        self._route, self._facts = route, facts
        self._lanes, self._hands, self._burial = lanes, hands, burial
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
            await self._burial.announce(held, partial(self._dependencies.succeeded, run))
        except Exception as error:  # noqa: BLE001  the message is kept, whatever went wrong
            self._burial.untold(error)
            if await self._tell_again(run, held, error):
                return
            self._burial.abandon(held, error)
        await self._set_aside(run)

    async def _tell_again(self, run: Run, held: Held, error: Exception) -> bool:
        """Whether to try once more to tell of the end of a message, which waits then."""
        rules = self._dependencies.rules
        ruling = Ruling(None)
        if isinstance(error, DependencyDown | Refused):
            ruling = await self._dependencies.failed(run, error, needs=self._route.needs, most=rules.tellings)
        elif isinstance(error, NotYet):
            ruling = Ruling(Next.WAIT, self._dependencies.early(run))
        if ruling.next is None:
            held.untold += 1
            ruling = Ruling(Next.WAIT, TELLING.delay(held.untold, self._rng))
        if held.untold >= rules.tellings or ruling.next is not Next.WAIT:
            return False
        self._give_back(run, ruling.pause)
        return True

    async def _set_aside(self, run: Run) -> None:
        [(lane, [held])] = run.parts
        try:
            if self._facts.dead_letter is None:
                self._hands.release([held, *self._lanes.cut(lane)], seconds=PARK_SECONDS)
            else:
                await self._hands.bury(lane, held)
        except Exception as error:  # noqa: BLE001  the message is kept, whatever went wrong
            self._burial.failed(held, error)
            if isinstance(error, SourceError) and error.kind == "too_large":
                # It leaves the order of its group as a dead letter does: what is behind it is in hand, and
                # goes on.  Given back with it each time, that would use up its receives and be moved too.
                self._hands.release([held], seconds=OVERSIZED.delay(held.envelope.receive_count, self._rng))
            else:
                self._give_back(run, BURYING.delay(held.unburied, self._rng))
