"""Permits for requests, as many as a window has room for."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from orca_daemon.aws.s3copy.window import Window

_WEIGHT = 1 / 16
"""Of the newest value in the moving average."""


class Permits:
    """Gives permits in the order of asking; a smaller window takes none away, but gives no new ones."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.used = 0
        self.lag = 0.0
        """Seconds until the event loop resumes a task that was given a permit; a moving average."""
        self._waiting: deque[asyncio.Future[float]] = deque()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Wait for a permit, and hold it."""
        if self.used < self.window.size and not self._waiting:
            self.used += 1
        else:
            await self._turn()
        try:
            yield
        finally:
            self.used -= 1
            self._wake()

    async def _turn(self) -> None:
        turn: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            given = await turn
            self.lag += (time.monotonic() - given - self.lag) * _WEIGHT
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # the permit was given, and is not needed any more
                self.used -= 1
                self._wake()
            with suppress(ValueError):
                self._waiting.remove(turn)
            raise

    def _wake(self) -> None:
        while self._waiting and self.used < self.window.size:
            turn = self._waiting.popleft()
            if not turn.done():
                self.used += 1
                turn.set_result(time.monotonic())
