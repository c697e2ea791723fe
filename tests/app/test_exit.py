"""The end of the process: a task that ignores its cancellation does not prevent it."""

import subprocess
import sys

PROGRAM = """
import asyncio, types
from orca_daemon.app import life
from orca_daemon.ops.exits import Exit

async def uncancellable():
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

async def serve(*_):
    life.task = asyncio.create_task(uncancellable())
    await asyncio.sleep(0)
    return Exit.TASK_DIED

life.serve = serve
life.main(types.SimpleNamespace(log=types.SimpleNamespace(level="info", format="json")), None)
"""


def test_work_that_does_not_stop_does_not_keep_the_process_alive() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], timeout=60, check=False)
    assert ended.returncode == 70
