"""The child process that compares: however it ends, its exit code is known and nothing is printed."""

import asyncio
import os
import threading
from collections.abc import Callable

import pytest

from orca_daemon.reconcile.process import Child

MANY = 20


async def process(script: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec("sh", "-c", script, start_new_session=True)


@pytest.fixture
def delayed(monkeypatch: pytest.MonkeyPatch) -> Callable[[], threading.Event]:
    """Keeps asyncio from noticing that a child has ended, until the event is set.

    asyncio waits for a child by `os.waitpid(pid, 0)`, in a thread or after a signal of the system.
    """
    waitpid, noticed = os.waitpid, threading.Event()

    def late(pid: int, options: int) -> tuple[int, int]:
        noticed.wait(30)
        return waitpid(pid, options)

    def start() -> threading.Event:
        noticed.clear()
        monkeypatch.setattr(os, "waitpid", late)
        return noticed

    return start


async def test_a_child_that_has_just_ended_keeps_its_exit_code(
    delayed: Callable[[], threading.Event], caplog: pytest.LogCaptureFixture
) -> None:
    codes = []
    for _ in range(MANY):
        noticed = delayed()
        started = await process("exit 3")
        os.waitid(os.P_PID, started.pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222  asyncio shall not notice
        asyncio.get_running_loop().call_soon(noticed.set)  # runs when `end` waits
        await Child(started).end()
        codes.append(started.returncode)

    assert codes == [3] * MANY
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []


async def test_a_child_that_goes_on_is_killed() -> None:
    started = await process("exec sleep 60")

    await Child(started).end()

    assert started.returncode == -9
