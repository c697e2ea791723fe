"""A file on its way to S3: parts leave as they fill, and the object appears when it is complete."""

from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from orca_daemon.export.bridge import Bridge
from orca_daemon.export.bucket import Bucket

PART = 8 << 20
"""Bytes of the first parts; S3 takes none below 5 MiB except the last."""
IN_FLIGHT = 3
"""Parts that may be on their way while the next one fills."""
_STEP = 250


def part_size(number: int) -> int:
    """Bytes of the part of this number, from 1: they grow, because S3 takes 10,000 (these hold 1.6 TiB)."""
    return PART * (1 + (number - 1) // _STEP)


class Upload:
    """A file that is written to S3 from a thread.  It is small and put at once, or cut into parts."""

    def __init__(self, bucket: Bucket, key: str, bridge: Bridge) -> None:
        self.key = key
        self.closed = False
        self.size = 0
        self._bucket, self._bridge = bucket, bridge
        self._buffer = bytearray()
        self._discarded = False
        self._id: str | None = None
        self._started = 0
        self._flying: deque[Future[dict[str, Any]]] = deque()
        self._parts: list[dict[str, Any]] = []

    def write(self, data: Any) -> int:
        """Take bytes; waits while enough parts are on their way."""
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
        """Nothing: parts leave when they are full."""

    def close(self) -> None:
        """Nothing: `finish` or `abort` says how it ends."""

    def finish(self) -> None:
        """Upload the rest and make the object appear."""
        self.closed = True
        if self._id is None:
            self._bridge.call(self._bucket.put(self.key, bytes(self._buffer)))
            return
        if self._buffer:
            self._send(bytes(self._buffer))
        while self._flying:
            self._parts.append(self._flying.popleft().result())
        self._bridge.call(self._bucket.complete(self.key, self._id, self._parts))

    def discard(self) -> None:
        """Take nothing any more."""
        self._discarded = True
        self._buffer.clear()

    async def abort(self) -> None:
        """Leave nothing behind.  What S3 refuses, its rule for incomplete uploads clears away."""
        self.closed = True
        self.discard()
        for future in self._flying:
            future.cancel()
        if self._id is not None:
            with suppress(Exception):
                await self._bucket.abort(self.key, self._id)

    def _send(self, body: bytes) -> None:
        if self._id is None:
            self._id = self._bridge.call(self._bucket.begin(self.key))
        if len(self._flying) == IN_FLIGHT:
            self._parts.append(self._flying.popleft().result())
        self._started += 1
        self._flying.append(self._bridge.begin(self._bucket.part(self.key, self._id, self._started, body)))
