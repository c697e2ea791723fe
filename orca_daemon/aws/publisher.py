"""Sends messages to a queue of ours: status updates, byte for byte like ORCA's own producers, and others."""

import asyncio
import random
from typing import Any

from orca_daemon.aws.call_errors import CALL_ERRORS
from orca_daemon.aws.errors import Meaning, meaning_of, message_of, reason_of
from orca_daemon.engine import places
from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.errors import DependencyDown, NotYet
from orca_daemon.wire.outgoing import Outgoing
from orca_daemon.wire.queue_url import normalised
from orca_daemon.wire.status import Grouping, UpdateFile, update_message

SQS = "sqs"
"""Name of the dependency; its places are the queues that updates are posted to."""
TRIES = 3
"""Tries of one post; the client's own retries come on top."""


class PublishError(Exception):
    """The queue refuses the message, and would refuse it again."""


class Publisher:
    """Posts to one queue.  Posting an update twice does no harm: readers compare its time."""

    def __init__(
        self,
        sqs: Any,
        url: str,
        *,
        grouping: Grouping = Grouping.QUEUE,
        backoff: Backoff = Backoff(),  # noqa: B008  frozen
        name: str = "status queue",
    ) -> None:
        """`name` is how sentences call the queue."""
        self._sqs, self._url, self._grouping, self._backoff = sqs, normalised(url), grouping, backoff
        self._rng = random.Random()
        self._name = name
        self._place = f"send {self._url.rpartition('/')[2]}"

    async def post(self, update: UpdateFile) -> None:
        """Send one update.  Raises as `send` does."""
        await self.send(update_message(update, grouping=self._grouping))

    @property
    def grouping(self) -> Grouping:
        """The message groups of status messages on this queue."""
        return self._grouping

    async def send(self, message: Outgoing) -> None:
        """Send one message, and wait until SQS confirms it.

        Raises:
            NotYet: the queue cannot be reached now; the work that the message reports is not to blame.
            DependencyDown: the queue does not exist, or access is denied; the work is not to blame either.
            PublishError: the queue refuses the message.
        """
        for attempt in range(1, TRIES + 1):
            try:
                await self._sqs.send_message(QueueUrl=self._url, **message.parameters())
            except CALL_ERRORS as error:
                meaning = meaning_of(error)
                if meaning in {Meaning.DENIED, Meaning.MISSING}:
                    raise DependencyDown(SQS, reason_of(error), place=self._place) from error
                if not meaning.passes:
                    text = ": ".join(part for part in (reason_of(error), message_of(error)) if part)
                    raise PublishError(f"the {self._name} refused a message: {text}") from error
                if attempt == TRIES:
                    raise NotYet(f"the {self._name} cannot be reached: {reason_of(error)}") from error
                await asyncio.sleep(self._backoff.delay(attempt, self._rng))
            else:
                places.succeeded(SQS, self._place)
                return
