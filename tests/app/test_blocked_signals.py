"""Signals that the parent process blocked, which a process inherits, are handled all the same."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from orca_daemon.ops.signals import handled
from tests.waiting import PATIENCE

NAMES = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
STARTING = """
import os, signal
from orca_daemon.ops.bootstrap import signals_end_the_process
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
os.kill(os.getpid(), signal.SIGTERM)
with signals_end_the_process():
    print("still here")
"""


def test_a_blocked_signal_from_before_the_start_ends_the_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STARTING], capture_output=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, b"")


@pytest.mark.parametrize("name", NAMES, ids=[name.name for name in NAMES])
async def test_a_blocked_signal_is_handled_while_the_process_runs(name: signal.Signals) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, NAMES)
    handlers = {each: signal.getsignal(each) for each in NAMES}
    came = asyncio.Event()
    try:
        with handled(came.set, dict.fromkeys(NAMES[2:], came.set)):
            os.kill(os.getpid(), name)
            await asyncio.wait_for(came.wait(), PATIENCE)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for each, handler in handlers.items():
            signal.signal(each, handler)
