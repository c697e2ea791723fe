"""Metrics of all copies, and a log line now and then for those that take long."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog

from orca_daemon.aws.s3copy import Copied, CopyProgress, S3Object
from orca_daemon.ops.metrics.copies import CopyMetrics

EVERY = 30.0
"""Seconds between two lines about one copy."""
MIB = 1024**2
_log: Any = structlog.get_logger()


class CopyTelemetry:
    """Counts bytes as they are copied, and logs long copies."""

    def __init__(self, metrics: CopyMetrics, every: float = EVERY) -> None:
        self.metrics = metrics
        self._every = every
        self._logged: dict[S3Object, float] = {}

    def moved(self, progress: CopyProgress) -> None:
        """A copy came further; the observer of the copier."""
        self.metrics.bytes.inc(progress.step)
        logged = self._logged.get(progress.target, 0.0)
        if progress.done >= progress.size:
            self._logged.pop(progress.target, None)
        elif due(progress, logged, self._every):
            self._logged[progress.target] = progress.seconds
            _log.info("copy.progress", **line(progress))

    @asynccontextmanager
    async def timed(self, target: S3Object) -> AsyncIterator[list[Copied]]:
        """Measures one copy, whose result is put into the list."""
        began, result = time.monotonic(), list[Copied]()
        try:
            yield result
        except Exception:
            self.metrics.ended("failed", time.monotonic() - began)
            raise
        else:
            self.metrics.ended("skipped" if result[0].skipped else "copied", time.monotonic() - began)
        finally:
            self._logged.pop(target, None)


def due(progress: CopyProgress, logged: float, every: float) -> bool:
    """Whether a line is due, the last one having been written when the copy was `logged` seconds old."""
    return progress.step > 0 and progress.seconds - logged >= every


def line(progress: CopyProgress) -> dict[str, object]:
    """The facts of such a line."""
    return {
        "source": str(progress.source),
        "target": str(progress.target),
        "bytes": progress.done,
        "size": progress.size,
        "mib_per_second": round(progress.rate / MIB, 1),
        "seconds_left": None if progress.left is None else round(progress.left),
    }
