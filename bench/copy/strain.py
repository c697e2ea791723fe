"""What work costs the process that does it: memory, and how late the event loop gets to other things."""

import asyncio
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

TICK = 0.01
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Strain:
    """Watches its process between entry and exit."""

    def __init__(self) -> None:
        self._lags: list[float] = []
        self._start = self._peak = 0
        self.processor = 0.0
        """Seconds of processor time, which a busy machine does not lengthen."""

    async def __aenter__(self) -> Self:
        self._start = self._peak = _resident()
        self.processor = -time.process_time()
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        self.processor += time.process_time()

    async def _watch(self) -> None:
        now = asyncio.get_running_loop().time
        while True:
            due = now() + TICK
            await asyncio.sleep(TICK)
            self._lags.append(now() - due)
            self._peak = max(self._peak, _resident())

    @property
    def grown(self) -> float:
        """MiB that the process grew by at most."""
        return (self._peak - self._start) / 1024**2

    def lag(self, share: float) -> float:
        """Seconds that this share of the ticks was not later than."""
        ordered = sorted(self._lags) or [0.0]
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * _PAGE
