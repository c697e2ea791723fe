"""A daemon with an injected bug: `python -m tests.app.faulty_daemon dead_poller|busy_loop`.

All else is real, but the limits of health are short, so that no test waits for minutes.
"""

import asyncio
import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from itertools import count
from typing import Any
from unittest.mock import patch

from orca_daemon.aws.sqs import SqsSource
from orca_daemon.cli import app
from orca_daemon.ops.health import HealthLimits, LoopLag

LIMITS = {"dead_poller": HealthLimits(poll_cycle=6.0), "busy_loop": HealthLimits(loop_lag=0.1)}
_receive, _measure = SqsSource.receive, LoopLag.run
_receives = count()


async def _receive_one_and_die(source: SqsSource, *arguments: Any, **options: Any) -> Any:
    """The second receive never returns and ignores its cancellation."""
    if next(_receives) == 0:
        return await _receive(source, *arguments, **options)
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


async def _measure_while_busy(lag: LoopLag) -> None:
    """A task blocks the loop again and again."""
    measuring = asyncio.create_task(_measure(lag))
    while not measuring.done():
        # Out of step with the timer, which is due after a second, so that it is 0.3 s late each time.
        time.sleep(0.6)  # noqa: ASYNC251  this is the injected bug
        await asyncio.sleep(0.05)


FAULTS: Mapping[str, AbstractContextManager[object]] = {
    "dead_poller": patch.object(SqsSource, "receive", _receive_one_and_die),
    "busy_loop": patch.object(LoopLag, "run", _measure_while_busy),
}

if __name__ == "__main__":
    name = sys.argv[1]
    with FAULTS[name], patch.object(HealthLimits, "of", lambda **_: LIMITS[name]):
        app(["run"])
