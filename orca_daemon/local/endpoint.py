"""Runs one of our HTTP servers as a child process, which prints its port, or why it does not start."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from orca_daemon.local import NotStartedError
from orca_daemon.local.parent_death import command

_PATIENCE = 20.0
"""Seconds that a server may take to write its state and end."""


class Endpoint:
    """A server that runs between `start` and `stop`; it ends if this process dies.

    Args:
        module: run as `python -m`; it prints its port or why it does not start, serves until SIGTERM,
            writes its state and ends.
        arguments: its command line.
        environment: variables besides ours.
    """

    def __init__(
        self, module: str, arguments: tuple[str, ...] = (), environment: Mapping[str, str] | None = None
    ) -> None:
        self._program = [sys.executable, "-m", module, *arguments]
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def launch(self) -> None:
        """Start the process without waiting for it; call `ready` afterwards."""
        self._process = subprocess.Popen(
            command(self._program, stop_with=signal.SIGTERM),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            env=self._environment,
            start_new_session=True,  # keep Ctrl-C from it: our program stops it in order
        )

    def ready(self) -> None:
        """Return when it listens.

        Raises:
            NotStartedError: it ended; the error has the text that it printed.
        """
        text = self._process.stdout.readline().strip() if self._process and self._process.stdout else ""
        if not text.isdecimal():
            self.stop()
            raise NotStartedError(text or f"{self._program[2]} did not start; see its output above")
        self.url = f"http://127.0.0.1:{text}"

    def start(self) -> None:
        """Start it, and return when it listens.  Raises `NotStartedError`."""
        self.launch()
        self.ready()

    def stop(self) -> None:
        """Stop it; returns when its state is written.  May be called twice."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        self._process = None

    @property
    def pid(self) -> int | None:
        """Its process id; None if it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
