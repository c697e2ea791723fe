"""Requests to S3: as many at a time as S3 bears, repeated after transient failures."""

import asyncio
import random
import time
from collections import Counter
from http import HTTPStatus
from typing import Any

from orca_daemon.aws.call_errors import CALL_ERRORS
from orca_daemon.aws.errors import Meaning, code_of, meaning, meaning_of, reason_of, status_of
from orca_daemon.aws.s3_places import S3, at_place, reading, restoring, writing
from orca_daemon.aws.s3copy.permits import Permits
from orca_daemon.aws.s3copy.window import Window
from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.places import succeeded

UPLOAD_TRIES = 8
"""Tries of a request without which an upload fails: one bad minute of S3 must not waste hours of parts."""
_OF_UPLOADS = frozenset({"upload_part_copy", "complete_multipart_upload"})
_READS = frozenset({"head_object", "get_object", "get_object_tagging"})
TIME_LIMIT = 120.0
"""Seconds for a request that copies no bytes; the client's own limit is made for the longest requests."""
SLOWEST = 1024**2
"""Bytes per second; a copy that is slower is taken to hang."""
_PLACE_WORKS = frozenset({Meaning.MISSING, Meaning.REFUSED})
"""Errors that show that the place works."""


class S3RequestError(Exception):
    """A request failed, after its retries; `error` is what botocore raised."""

    def __init__(self, operation: str, place: str, error: BaseException) -> None:
        super().__init__(f"{operation} at {place}: {reason_of(error)}")
        self.operation, self.place, self.error = operation, place, error
        self.code, self.status, self.meaning = code_of(error), status_of(error), meaning_of(error)

    @property
    def answered(self) -> bool:
        """Whether S3 answered, with an error; else there was no response."""
        return bool(self.status)

    @property
    def name(self) -> str:
        """The operation as AWS names it."""
        return "".join(word.capitalize() for word in self.operation.split("_"))


class Requests:
    """Calls of one S3 client, as many at a time as its window allows, repeated after transient failures.

    These retries come on top of botocore's own, whose retry quota a long series of SlowDown uses up.
    """

    def __init__(self, s3: Any, *, window: Window, tries: int, backoff: Backoff) -> None:
        self._s3 = s3
        self._permits = Permits(window)
        self._tries, self._backoff = tries, backoff
        self._rng = random.Random()
        self.window = window
        # botocore repeats a request itself: a SlowDown that is followed by a success is seen only here.
        s3.meta.events.register("response-received.s3", self._slow_down)
        self.in_flight: Counter[str] = Counter()
        """Number of requests that wait for a response, by operation."""

    async def call(self, operation: str, copied: int = 0, /, **parameters: Any) -> dict[str, Any]:
        """Call one operation of the client, and retry it.

        Args:
            operation: name of the client's method, such as `head_object`.
            copied: bytes that S3 has to copy before it answers.
            parameters: parameters of the operation.

        Raises:
            S3RequestError: it failed in a way that a retry does not help, or its tries are used up.
        """
        limit = None if operation == "complete_multipart_upload" else TIME_LIMIT + copied / SLOWEST
        place = _place(operation, parameters["Bucket"])
        attempt, tries = 1, max(self._tries, UPLOAD_TRIES) if operation in _OF_UPLOADS else self._tries
        while True:
            try:
                response = await self._once(operation, parameters, limit)
            except CALL_ERRORS as error:
                failure = S3RequestError(operation, place, error)
                if failure.answered and failure.meaning in _PLACE_WORKS:
                    succeeded(S3, place)
                if attempt >= tries or failure.meaning not in {Meaning.THROTTLED, Meaning.PASSING}:
                    raise failure from error
            else:
                succeeded(S3, place)
                return response
            # The permit is free during the pause, so that other requests can go on.
            await asyncio.sleep(self._backoff.delay(attempt, self._rng))
            attempt += 1

    async def _once(self, operation: str, parameters: dict[str, Any], limit: float | None) -> dict[str, Any]:
        async with self._permits.one():
            self.in_flight[operation] += 1
            try:
                began = time.monotonic()
                async with asyncio.timeout(limit):
                    response: dict[str, Any] = await getattr(self._s3, operation)(**parameters)
                permits = self._permits
                self.window.succeeded(permits.used, time.monotonic() - began, permits.lag)
                return response
            finally:
                self.in_flight[operation] -= 1

    def _slow_down(
        self,
        response_dict: dict[str, Any] | None = None,
        parsed_response: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Make the window smaller if S3 asks to slow down.  A response to HEAD has nothing but the status."""
        error = (parsed_response or {}).get("Error")
        if response_dict is None or not isinstance(error, dict):
            return
        code, status = str(error.get("Code")), response_dict["status_code"]
        if status == HTTPStatus.SERVICE_UNAVAILABLE or meaning(code, status) is Meaning.THROTTLED:
            self.window.slow_down(time.monotonic())


def failed_at_place(failure: S3RequestError) -> Exception:
    """The exception to raise for a failed request, as `s3_places.at_place` says; else the failure itself."""
    assert isinstance(failure.error, Exception)  # noqa: S101  `CALL_ERRORS` has no other
    error = at_place(failure.error, failure.place)
    return failure if error is failure.error else error


def _place(operation: str, bucket: str) -> str:
    if operation == "restore_object":
        return restoring(bucket)
    return reading(bucket) if operation in _READS else writing(bucket)
