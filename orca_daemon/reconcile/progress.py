"""What the child reports while it works: its progress, and the stages of a trace."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from orca_daemon.reconcile.protocol import Remote, Send, Stage, StageProgress, TracedStage

REPORT_EVERY = 0.5
"""Seconds between two reports of progress."""


@contextmanager
def traced(stage: str, send: Send) -> Iterator[None]:
    """Send when a stage began and ended, well or not, if the daemon's run is traced and sampled.

    The daemon exports it: an exporter here would need the credentials of the collector.
    """
    began = time.time_ns()
    try:
        yield
    finally:
        if _is_sampled(os.environ.get("TRACEPARENT", "")):
            send(TracedStage(name=stage, began=began, ended=time.time_ns()))


def _is_sampled(traceparent: str) -> bool:
    if not traceparent:
        return False
    from orca_daemon.wire.trace_context import parsed

    span = parsed(traceparent)
    return span is not None and bool(span.flags & 1)


def progress_of_files(files: list[Remote], send: Send) -> Callable[[int], None]:
    """`progress` of the data files, in bytes."""
    return progress("listing", send, sum(file.size or 0 for file in files))


def progress(stage: Stage, send: Send, total: int | None = None) -> Callable[[int], None]:
    """A function that reports the progress of a stage, at most once in `REPORT_EVERY` seconds."""
    last = 0.0

    def report(done: int) -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= REPORT_EVERY or done == total:
            last = now
            send(StageProgress(stage=stage, done=done, total=total))

    return report
