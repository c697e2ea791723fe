"""The signals that the process understands, while it runs.

TERM and INT drain, and a second one ends the process as the signal would have.  HUP reads the log level
again, USR1 writes the state and all stacks to the log, USR2 stops and resumes the intake.
"""

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

STOPPING = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def handled(stop: Callable[[], None], others: Mapping[signal.Signals, Callable[[], None]]) -> Iterator[None]:
    """Handle signals on the running loop, and restore what was there."""
    loop = asyncio.get_running_loop()

    def stopping() -> None:
        # From here on a second signal has its own, deadly effect: the supervisor sees the true cause.
        for name in STOPPING:
            loop.remove_signal_handler(name)
            signal.signal(name, signal.SIG_DFL)
        stop()

    for name in STOPPING:
        loop.add_signal_handler(name, stopping)
    for name, action in others.items():
        loop.add_signal_handler(name, action)
    try:
        yield
    finally:
        for name in (*STOPPING, *others):
            loop.remove_signal_handler(name)
