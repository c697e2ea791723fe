"""Load that work puts on its own process: memory, CPU time and lag of the event loop."""

import asyncio
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

TICK = 0.01
_PAGE = os.sysconf("SC_PAGE_SIZE")


class ProcessLoad:
    """Measures its own process during the `async with` block."""

    def __init__(self) -> None:
        self._lags: list[float] = []
        self._start = self._peak = 0
        self.cpu_seconds = 0.0
        """CPU time, which does not depend on how busy the machine is."""

    async def __aenter__(self) -> Self:
        self._start = self._peak = _resident()
        self.cpu_seconds = -time.process_time()
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        self.cpu_seconds += time.process_time()

    async def _watch(self) -> None:
        now = asyncio.get_running_loop().time
        while True:
            due = now() + TICK
            await asyncio.sleep(TICK)
            self._lags.append(now() - due)
            self._peak = max(self._peak, _resident())

    @property
    def peak_growth_mib(self) -> float:
        """MiB from the memory at the start to the peak."""
        return (self._peak - self._start) / 1024**2

    def lag(self, share: float) -> float:
        """Quantile of the event loop's lag in seconds: `share` of the ticks were late by at most this."""
        ordered = sorted(self._lags) or [0.0]
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * _PAGE
