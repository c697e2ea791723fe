"""Serves the port in a process without a free descriptor: `python -m tests.ops.exhausted`."""

import asyncio
import os
import resource
import sys

from orca_daemon.ops import logs
from orca_daemon.ops.health import Check
from orca_daemon.ops.http import serve

MOST = 64


async def empty() -> str:
    return "{}"


async def main() -> None:
    logs.configure("info", "json", sys.stderr)
    resource.setrlimit(resource.RLIMIT_NOFILE, (MOST, MOST))
    well = Check("event_loop", ok=True, detail="fine")
    async with serve(
        "127.0.0.1", 0, metrics=bytes, live=lambda: [well], ready=lambda: [well], state=empty
    ) as url:
        taken = []
        try:
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            print(url, flush=True)  # noqa: T201  the test reads it
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(0, ended.set)
        await ended.wait()


if __name__ == "__main__":
    asyncio.run(main())
