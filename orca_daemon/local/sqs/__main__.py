"""Serves SQS on loopback until SIGTERM: `python -m orca_daemon.local.sqs [PORT [FILE]]`."""

import asyncio
import logging
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

from orca_daemon.local.ports import free_port
from orca_daemon.local.sqs.server import SqsServer
from orca_daemon.local.state_file import StateFile, StateFileError, pause

_log = logging.getLogger(__name__)


class QueueStateSaver:
    """Writes the queues to their file if they have changed."""

    def __init__(self, file: StateFile, server: SqsServer) -> None:
        file.read(server.thaw)
        self._file = file
        self._server = server
        self._written = b""

    def save(self) -> None:
        """Write the queues if they have changed since the last call."""
        frozen = self._server.freeze()
        if frozen != self._written:
            self._file.write(frozen)
            self._written = frozen

    async def run(self) -> NoReturn:
        """Save at intervals, for ever."""
        seconds = 0.0
        while True:
            await asyncio.sleep(pause(seconds))
            began = time.monotonic()
            try:
                self.save()
            except OSError as error:  # such as a full disk, which may pass
                _log.warning("the queues are not saved: %s", error)
            seconds = time.monotonic() - began


async def serve(port: int, file: Path | None) -> None:
    """Serve until SIGTERM or SIGINT; print the port when it listens; save the queues to `file`.

    Raises:
        StateFileError: the file cannot be used.
    """
    server = SqsServer()
    saver = QueueStateSaver(StateFile(file), server) if file else None
    stopping = asyncio.Event()
    for signal_ in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_, stopping.set)
    url = await server.start(port=free_port(port))
    saving = asyncio.create_task(saver.run()) if saver else None
    print(url.rpartition(":")[2], flush=True)  # noqa: T201  the process that started this one reads it
    await stopping.wait()
    await server.stop()
    if saver and saving:
        saving.cancel()
        saver.save()


if __name__ == "__main__":
    _arguments = sys.argv[1:]
    _file = Path(_arguments[1]) if _arguments[1:] else None
    try:
        asyncio.run(serve(int(_arguments[0]) if _arguments else 0, _file))
    except StateFileError as error:
        print(error)  # noqa: T201  as above
        sys.exit(78)
