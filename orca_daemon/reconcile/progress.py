"""What the child reports while it works: its progress, and the stages of a trace."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from orca_daemon.reconcile.protocol import Message, Remote, Stage, StageProgress, TracedStage
from orca_daemon.wire.trace_context import TRACEPARENT, parsed

REPORT_EVERY = 0.5
"""Seconds between two reports of progress."""


@contextmanager
def traced(stage: str, send: Callable[[Message], None]) -> Iterator[None]:
    """Send when a stage began and ended, well or not, if the daemon's run is traced and sampled.

    The daemon exports it: an exporter here would need the credentials of the collector.
    """
    daemon = parsed(os.environ.get(TRACEPARENT.upper(), ""))
    began = time.time_ns()
    try:
        yield
    finally:
        if daemon is not None and daemon.flags & 1:
            send(TracedStage(name=stage, began=began, ended=time.time_ns()))


def progress_of_files(files: list[Remote], send: Callable[[Message], None]) -> Callable[[int], None]:
    """`progress` of the data files, in bytes."""
    return progress("listing", send, sum(file.size or 0 for file in files))


def progress(
    stage: Stage, send: Callable[[Message], None], total: int | None = None
) -> Callable[[int], None]:
    """A function that reports the progress of a stage, at most once in `REPORT_EVERY` seconds."""
    last = 0.0

    def report(done: int) -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= REPORT_EVERY or done == total:
            last = now
            send(StageProgress(stage=stage, done=done, total=total))

    return report
