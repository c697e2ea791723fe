"""Requests to S3, few enough at a time and patient with its moods."""

import asyncio
import random
from collections import Counter
from typing import Any

from orca_daemon.aws.call_errors import CALL_ERRORS
from orca_daemon.aws.errors import Meaning, code_of, meaning_of, reason_of, status_of
from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.places import succeeded

PATIENT = 8
"""Tries of what an upload hangs on: hours of parts are not thrown away for a bad minute of S3."""
_LATE = frozenset({"upload_part_copy", "complete_multipart_upload"})
_READS = frozenset({"head_object", "get_object", "get_object_tagging"})
QUICK = 120.0
"""Seconds for a request that moves no bytes; the client's own limit is that of the longest requests."""
SLOWEST = 1024**2
"""Bytes a second below which S3 is not copying but hanging."""
_ANSWERS = frozenset({Meaning.MISSING, Meaning.REFUSED})
"""Errors that are S3's answer to the question: the place works."""


class S3RequestError(Exception):
    """A request failed for good; `error` is what botocore raised."""

    def __init__(self, operation: str, place: str, error: BaseException) -> None:
        super().__init__(f"{operation} at {place}: {reason_of(error)}")
        self.operation, self.place, self.error = operation, place, error
        self.code, self.status, self.meaning = code_of(error), status_of(error), meaning_of(error)

    @property
    def answered(self) -> bool:
        """Whether S3 answered, with an error."""
        return bool(self.status)

    @property
    def name(self) -> str:
        """The operation as AWS names it."""
        return "".join(word.capitalize() for word in self.operation.split("_"))


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
        """One operation of the client, by its method's name.

        Args:
            operation: such as `head_object`.
            moving: bytes that S3 has to copy before it answers.
            parameters: of the operation.

        Raises:
            S3RequestError: it failed, and would at once again.
        """
        limit = None if operation == "complete_multipart_upload" else QUICK + moving / SLOWEST
        place = f"{'read' if operation in _READS else 'write'} {parameters['Bucket']}"
        attempt, tries = 1, max(self._tries, PATIENT) if operation in _LATE else self._tries
        while True:
            try:
                answer = await self._once(operation, parameters, limit)
            except CALL_ERRORS as error:
                failure = S3RequestError(operation, place, error)
                if failure.meaning in _ANSWERS:
                    succeeded("s3", place)
                if attempt >= tries or failure.meaning not in {Meaning.THROTTLED, Meaning.PASSING}:
                    raise failure from error
            else:
                succeeded("s3", place)
                return answer
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
