"""How much later than asked the event loop runs a timer: what a blocking call costs everybody else."""

import asyncio
from collections.abc import Callable


class LoopLag:
    """The latest measurement, in seconds; `run` is a supervised task."""

    def __init__(self, observe: Callable[[float], None] = lambda _: None, interval: float = 1.0) -> None:
        self._observe = observe
        self._interval = interval
        self.latest = 0.0

    async def run(self) -> None:
        """Measure for ever."""
        now = asyncio.get_running_loop().time
        while True:
            due = now() + self._interval
            await asyncio.sleep(self._interval)
            self.latest = max(0.0, now() - due)
            self._observe(self.latest)
