"""Writes the metrics for CloudWatch once a minute, from the opening of the port to the end of the process."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import structlog

from orca_daemon.ops.emf.lines import Identity, lines
from orca_daemon.ops.emf.measures import NEEDED, WINDOW
from orca_daemon.ops.emf.samples import History, Samples
from orca_daemon.ops.metrics import Metrics

SECONDS = 60.0
_log: Any = structlog.get_logger()


class Emitter:
    """Reads the registry and passes lines to `put`, which must not wait."""

    def __init__(
        self,
        metrics: Metrics,
        identity: Identity,
        put: Callable[[str], None],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._metrics, self._identity, self._put, self._wall = metrics, identity, put, wall
        self._minutes: deque[Samples] = deque(maxlen=WINDOW + 1)

    def emit(self) -> None:
        """Write the lines of now."""
        self._metrics.refresh()
        self._minutes.append(Samples.of(self._metrics.registry, NEEDED, self._wall()))
        for line in lines(History(tuple(self._minutes)), self._identity):
            self._put(line)

    async def run(self) -> None:
        """Write at once and then every minute, for ever; a minute that fails is left out."""
        due = asyncio.get_running_loop().time()
        while True:
            self._try_to_emit()
            due += SECONDS
            await asyncio.sleep(due - asyncio.get_running_loop().time())

    def _try_to_emit(self) -> None:
        try:
            self.emit()
        except Exception as error:  # noqa: BLE001  the process must not end because of its metrics
            _log.warning("metrics.unwritten", error=type(error).__name__)

    @asynccontextmanager
    async def emitting(self) -> AsyncIterator[None]:
        """Write in the background within the block, and once more at its end.

        A drain is shorter than a minute, so only that last line tells how much of its time it took.
        """
        task = asyncio.create_task(self.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})
            self._try_to_emit()
