"""Spreads requests evenly over time, for all messages of this process together."""

import asyncio


class Pace:
    """At most `per_second` calls of `wait` return in a second, after a start without a pause."""

    def __init__(self, per_second: float) -> None:
        self._pause = 1 / per_second
        self._next = 0.0

    async def wait(self) -> None:
        """Return when it is this caller's turn."""
        now = asyncio.get_running_loop().time()
        turn = max(now, self._next)
        self._next = turn + self._pause
        if turn > now:
            await asyncio.sleep(turn - now)
