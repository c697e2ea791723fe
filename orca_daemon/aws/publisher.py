"""Sends status updates to the status-update queue, byte for byte as ORCA's own producers do."""

import asyncio
import random
from http import HTTPStatus
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from orca_daemon.aws.s3copy.errors import EXPIRED, code_of, status_of
from orca_daemon.engine.errors import NotYet
from orca_daemon.engine.policy import Backoff
from orca_daemon.wire.outgoing import Outgoing, md5
from orca_daemon.wire.status import Grouping, UpdateFile, update_message

TRIES = 3
"""On top of the client's own retries."""


class PublishError(Exception):
    """The queue refused an update: it does not exist, is forbidden, or answered for another message."""


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
        self._sqs, self._url, self._grouping, self._backoff = sqs, url, grouping, backoff
        self._rng = random.Random()

    async def post(self, update: UpdateFile) -> None:
        """Send one update, and see that the queue has it.

        Raises:
            NotYet: the queue cannot be reached now; the copy that the update is about is not to blame.
            PublishError: the queue refuses the update.
        """
        message = update_message(update, grouping=self._grouping)
        for attempt in range(1, TRIES + 1):
            try:
                await self._send(message)
            except (ClientError, BotoCoreError, OSError) as error:
                if not _transient(error):
                    raise PublishError(f"the status queue refused an update: {error}") from error
                if attempt == TRIES:
                    raise NotYet(f"the status queue cannot be reached: {code_of(error)}") from error
                await asyncio.sleep(self._backoff.delay(attempt, self._rng))
            else:
                return

    async def _send(self, message: Outgoing) -> None:
        answer = await self._sqs.send_message(QueueUrl=self._url, **message.parameters())
        if answer["MD5OfMessageBody"] != md5(message.body):
            raise PublishError("the status queue answered for another message: the MD5 differs")


def _transient(error: Exception) -> bool:
    if not isinstance(error, ClientError):
        return True
    code = code_of(error)
    return status_of(error) >= HTTPStatus.INTERNAL_SERVER_ERROR or "Throttl" in code or code in EXPIRED
