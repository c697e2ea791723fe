"""Requests to S3, few enough at a time and patient with its moods."""

import asyncio
import random
from collections import Counter
from typing import Any

from orca_daemon.aws.s3copy.errors import transient
from orca_daemon.engine.policy import Backoff

PATIENT = 8
"""Tries of what an upload hangs on: hours of parts are not thrown away for a bad minute of S3."""
_LATE = frozenset({"upload_part_copy", "complete_multipart_upload"})
QUICK = 120.0
"""Seconds for a request that moves no bytes; the client's own limit is that of the longest requests."""
SLOWEST = 1024**2
"""Bytes a second below which S3 is not copying but hanging."""


class Requests:
    """Calls of one S3 client, at most `limit` at a time, repeated while the failure is transient.

    This stands above botocore's own retries, whose budget a long storm of SlowDown uses up.
    """

    def __init__(self, s3: Any, *, limit: int, tries: int, backoff: Backoff) -> None:
        self._s3 = s3
        self._permits = asyncio.Semaphore(limit)
        self._tries, self._backoff = tries, backoff
        self._rng = random.Random()
        self.limit = limit
        self.in_flight: Counter[str] = Counter()
        """Requests that S3 is at work on, by operation."""

    async def call(self, operation: str, moving: int = 0, /, **parameters: Any) -> dict[str, Any]:
        """One operation of the client, by its method's name.  Raises what botocore raises.

        Args:
            operation: such as `head_object`.
            moving: bytes that S3 has to copy before it answers.
            parameters: of the operation.
        """
        limit = None if operation == "complete_multipart_upload" else QUICK + moving / SLOWEST
        attempt, tries = 1, max(self._tries, PATIENT) if operation in _LATE else self._tries
        while True:
            try:
                return await self._once(operation, parameters, limit)
            except Exception as error:
                if attempt >= tries or not transient(error):
                    raise
            # Slept without a permit: others may have better luck meanwhile.
            await asyncio.sleep(self._backoff.delay(attempt, self._rng))
            attempt += 1

    async def _once(self, operation: str, parameters: dict[str, Any], limit: float | None) -> dict[str, Any]:
        async with self._permits:
            self.in_flight[operation] += 1
            try:
                async with asyncio.timeout(limit):
                    answer: dict[str, Any] = await getattr(self._s3, operation)(**parameters)
                return answer
            finally:
                self.in_flight[operation] -= 1
