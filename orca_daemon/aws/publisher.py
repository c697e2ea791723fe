"""Sends status updates to the status-update queue, byte for byte as ORCA's own producers do."""

import asyncio
import random
from typing import Any

from orca_daemon.aws.call_errors import CALL_ERRORS
from orca_daemon.aws.errors import Meaning, meaning_of, message_of, reason_of
from orca_daemon.engine import places
from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.errors import DependencyDown, NotYet
from orca_daemon.wire.queue_url import normalised
from orca_daemon.wire.status import Grouping, UpdateFile, update_message

SQS = "sqs"
"""Name of the dependency; its places are queues that the work posts to."""
TRIES = 3
"""On top of the client's own retries."""


class PublishError(Exception):
    """The queue takes no such message."""


class Publisher:
    """Posts to one queue.  Posting an update twice does no harm: its reader knows its time."""

    def __init__(
        self,
        sqs: Any,
        url: str,
        *,
        grouping: Grouping = Grouping.QUEUE,
        backoff: Backoff = Backoff(),  # noqa: B008  frozen
    ) -> None:
        self._sqs, self._url, self._grouping, self._backoff = sqs, normalised(url), grouping, backoff
        self._rng = random.Random()
        self._place = f"send {self._url.rpartition('/')[2]}"

    async def post(self, update: UpdateFile) -> None:
        """Send one update, and see that the queue has it.

        Raises:
            NotYet: the queue cannot be reached now; the copy that the update is about is not to blame.
            DependencyDown: the queue does not exist, or denies to send; that is no fault of the copy either.
            PublishError: the queue refuses the update.
        """
        message = update_message(update, grouping=self._grouping)
        for attempt in range(1, TRIES + 1):
            try:
                await self._sqs.send_message(QueueUrl=self._url, **message.parameters())
            except CALL_ERRORS as error:
                meant = meaning_of(error)
                if meant in {Meaning.DENIED, Meaning.MISSING}:
                    raise DependencyDown(SQS, reason_of(error), place=self._place) from error
                if not meant.passes:
                    text = ": ".join(part for part in (reason_of(error), message_of(error)) if part)
                    raise PublishError(f"the status queue refused an update: {text}") from error
                if attempt == TRIES:
                    raise NotYet(f"the status queue cannot be reached: {reason_of(error)}") from error
                await asyncio.sleep(self._backoff.delay(attempt, self._rng))
            else:
                places.succeeded(SQS, self._place)
                return
