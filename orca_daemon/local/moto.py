"""S3, Secrets Manager, SSM and STS on loopback: moto, in a process of its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from orca_daemon.local.leash import command

REGION: Final = "us-west-2"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": REGION}
"""What opens these endpoints, as environment variables; it opens nothing else."""


class NoMotoError(Exception):
    """The server did not start; what it said went to standard error."""


class Moto:
    """A server that runs between `start` and `stop`, and not after this process.

    Args:
        state: file that its objects and secrets are read from at start and written to at stop; None
            forgets them.
        restore_seconds: how long a restore from an archive takes; 0 is at once.
    """

    def __init__(self, state: Path | None = None, *, restore_seconds: float = 0.0) -> None:
        self._state, self._restore_seconds = state, restore_seconds
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self) -> None:
        """Start it, and return when it listens.

        Raises:
            NoMotoError: it did not start.
        """
        program = [sys.executable, "-m", "orca_daemon.local.moto_server"]
        program += ["0", str(self._restore_seconds), *([str(self._state)] if self._state else [])]
        self._process = subprocess.Popen(
            command(program, stop_with=signal.SIGTERM),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | CREDENTIALS,
            start_new_session=True,  # Ctrl-C is for the program above, which stops us in its order
        )
        said = self._process.stdout.readline() if self._process.stdout else ""
        if not said:
            self.stop()
            raise NoMotoError("the embedded S3 did not start: is the extra 'local' installed?")
        self.url = f"http://127.0.0.1:{int(said)}"

    def stop(self) -> None:
        """Stop it; its state is written by then.  Twice is once."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
