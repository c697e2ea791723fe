"""Serves SQS on loopback until SIGTERM: `python -m orca_daemon.local.sqs [PORT [FILE]]`."""

import asyncio
import signal
import sys
from pathlib import Path

from orca_daemon.local.sqs.server import SqsServer


async def serve(port: int, file: Path | None) -> None:
    """Serve; print the port when it listens; keep the queues in `file`."""
    server = SqsServer()
    if file:
        server.restore(file)
    stopping = asyncio.Event()
    for signal_ in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_, stopping.set)
    url = await server.start(port=port)
    print(url.rpartition(":")[2], flush=True)  # noqa: T201  whoever started us waits for it
    await stopping.wait()
    await server.stop()
    if file:
        server.snapshot(file)


if __name__ == "__main__":
    _arguments = sys.argv[1:]
    _file = Path(_arguments[1]) if _arguments[1:] else None
    asyncio.run(serve(int(_arguments[0]) if _arguments else 0, _file))
