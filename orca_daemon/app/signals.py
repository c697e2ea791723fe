"""The signals that the process understands, while it runs.

TERM and INT drain, and a second one ends the process as the signal would have.  HUP reads the log level
again, USR1 writes the state and all stacks to the log, USR2 stops and resumes the intake.
"""

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from orca_daemon.ops import logs
from orca_daemon.ops.bootstrap import ENDING, end_by, ends_the_process, unblock

LAST_WORDS_SECONDS = 0.5
"""How long a second signal waits for the log to be written, where it is ours to end the process."""


@contextmanager
def handled(stop: Callable[[], None], others: Mapping[signal.Signals, Callable[[], None]]) -> Iterator[None]:
    """Handle signals on the running loop, and restore what was there."""
    loop = asyncio.get_running_loop()

    def stopping() -> None:
        # From here on a second signal ends the process: the supervisor sees the true cause.
        for name in ENDING:
            loop.remove_signal_handler(name)
            signal.signal(name, _at_once if ends_the_process() is end_by else signal.SIG_DFL)
        stop()

    for name in ENDING:
        loop.add_signal_handler(name, stopping)
    for name, action in others.items():
        loop.add_signal_handler(name, action)
    unblock((*ENDING, *others))
    try:
        yield
    finally:
        for name in (*ENDING, *others):
            loop.remove_signal_handler(name)


def _at_once(number: int, frame: object) -> None:
    logs.flush(LAST_WORDS_SECONDS)
    end_by(number, frame)
