"""The daemon of the tests of alerts: `python -m tests.deploy.alerts.daemon [BUG]`.

All is real, but it reads its gauges all the time, where production waits up to a quarter of an hour, and it
may have one injected bug, for states that no fault outside of it leads to.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any
from unittest.mock import patch

from orca_daemon.app import gauges
from orca_daemon.aws.sqs import SqsSource
from orca_daemon.cli import app
from orca_daemon.engine import dead_lettering
from orca_daemon.engine.backoff import Backoff
from orca_daemon.engine.message import Delivery
from orca_daemon.ops.metrics.messages import MessageMetrics
from orca_daemon.queues.recovery.reporters import FailureReporter
from orca_daemon.queues.status_update import StatusUpdate

QUICK = 0.2
"""Seconds between two reads of a gauge."""
LATE = 600.0
_polled, _handle = MessageMetrics.polled, StatusUpdate.__call__
_tried: set[str] = set()


async def _raise(*_: Any) -> None:
    raise RuntimeError("an injected bug")


async def _succeed_at_second(handler: StatusUpdate, run: Sequence[Delivery[Any]]) -> None:
    new = {delivery.envelope.id for delivery in run} - _tried
    _tried.update(new)
    if new:
        raise RuntimeError("an injected bug")
    await _handle(handler, run)


async def _hang(*_: Any) -> None:
    await asyncio.Event().wait()


def _late(metrics: MessageMetrics, *arguments: Any) -> None:
    """Ten minutes pass between the sending of each message and its receive."""
    metrics._wall = lambda: time.time() + LATE
    _polled(metrics, *arguments)


BUGS: dict[str, tuple[AbstractContextManager[object], ...]] = {
    "none": (),
    "first attempts fail": (patch.object(StatusUpdate, "__call__", _succeed_at_second),),
    "handler hangs": (patch.object(StatusUpdate, "__call__", _hang),),
    "receives hang": (patch.object(SqsSource, "receive", _hang),),
    "messages are late": (patch.object(MessageMetrics, "polled", _late),),
    "gave_up raises": (
        patch.object(FailureReporter, "__call__", _raise),
        patch.object(dead_lettering, "NOTIFICATION_RETRY", Backoff(base=0.01, cap=0.01)),
    ),
}

if __name__ == "__main__":
    with ExitStack() as stack:
        for name in ("QUEUE_SECONDS", "RECOVERY_SECONDS", "REPORT_SECONDS"):
            stack.enter_context(patch.object(gauges, name, QUICK))
        for bug in BUGS[sys.argv[1]]:
            stack.enter_context(bug)
        app(["run"])
