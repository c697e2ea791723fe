"""Permits for requests, as many as a window has room for."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from orca_daemon.aws.s3copy.window import Window


class Permits:
    """Gives permits in the order of asking; a smaller window takes none away, but gives no new ones."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.used = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

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
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
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
                turn.set_result(None)
