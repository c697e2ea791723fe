"""Uploads a file to S3 while it is written; the object appears when the upload is complete."""

from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from orca_daemon.export.bridge import Bridge
from orca_daemon.export.bucket import Bucket

PART = 8 << 20
"""Bytes of the first parts; S3 requires 5 MiB at least, except for the last part."""
IN_FLIGHT = 3
"""Parts that are sent at one time, while the next one fills."""
_STEP = 250


def part_size(number: int) -> int:
    """Bytes of the part with this number, from 1.

    The size grows every `_STEP` parts, because S3 accepts 10,000 parts at most; these hold 1.6 TiB.
    """
    return PART * (1 + (number - 1) // _STEP)


class Upload:
    """A file that a thread writes to S3: by one PutObject if it is small, otherwise as a multipart upload.

    The encoder's thread calls `write`; `finish` and `discard` are called when that thread has ended, or
    ignores what it writes; `abort` runs in the event loop.
    """

    def __init__(self, bucket: Bucket, key: str, bridge: Bridge) -> None:
        self.key = key
        self.closed = False
        self.size = 0
        self._bucket, self._bridge = bucket, bridge
        self._buffer = bytearray()
        self._discarded = False
        self._id: str | None = None
        self._started = 0
        self._in_flight: deque[Future[dict[str, Any]]] = deque()
        self._parts: list[dict[str, Any]] = []

    def write(self, data: Any) -> int:
        """Add bytes; waits while `IN_FLIGHT` parts are being sent."""
        length = len(data)
        if self._discarded:
            return length
        self._buffer += data
        self.size += length
        while len(self._buffer) >= (size := part_size(self._started + 1)):
            self._send(bytes(memoryview(self._buffer)[:size]))
            del self._buffer[:size]
        return length

    def flush(self) -> None:
        """Do nothing: a part is sent when it is full."""

    def close(self) -> None:
        """Do nothing: the file ends by `finish` or `abort`."""

    def finish(self) -> None:
        """Upload the rest and complete the object."""
        self.closed = True
        if self._id is None:
            self._bridge.call(self._bucket.put(self.key, bytes(self._buffer)))
            return
        if self._buffer:
            self._send(bytes(self._buffer))
        while self._in_flight:
            self._parts.append(self._in_flight.popleft().result())
        self._bridge.call(self._bucket.complete(self.key, self._id, self._parts))

    def discard(self) -> None:
        """Ignore all further bytes."""
        self._discarded = True
        self._buffer.clear()

    async def abort(self) -> None:
        """Abort the upload.  If that fails, the bucket's rule for incomplete uploads removes it."""
        self.closed = True
        self.discard()
        for future in self._in_flight:
            future.cancel()
        if self._id is not None:
            with suppress(Exception):
                await self._bucket.abort(self.key, self._id)

    def _send(self, body: bytes) -> None:
        if self._id is None:
            self._id = self._bridge.call(self._bucket.begin(self.key))
        if len(self._in_flight) == IN_FLIGHT:
            self._parts.append(self._in_flight.popleft().result())
        self._started += 1
        self._in_flight.append(self._bridge.begin(self._bucket.part(self.key, self._id, self._started, body)))
