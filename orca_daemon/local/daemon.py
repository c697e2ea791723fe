"""Runs `orca-daemon run` and `orca-daemon console` as child processes, configured as in production."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from orca_daemon.local import NotStartedError
from orca_daemon.local.parent_death import command

_START_SECONDS = 60.0
_DEFAULTS = {"ORCA_ENGINE__WAIT": "1"}
"""Seconds of a long poll.  A stop waits for the poll in progress; on loopback, short polls cost nothing."""
_FOREIGN = (
    "AWS_",
    "ORCA_QUEUES__",
    "ORCA_AWS__",
    "ORCA_DATABASE__",
    "DATABASE_",
    "DB_CONNECT_INFO_",
    "PREFIX",
)
_FOREIGN_QUEUES = (
    "STATUS_UPDATE_QUEUE_URL",
    "RECOVERY_QUEUE_URL",
    "INTERNAL_REPORT_QUEUE_URL",
    "METADATA_DB_QUEUE_URL",
    "RESTORE_QUEUE_URL",
    "ARCHIVE_RECOVERY_QUEUE_URL",
)


class Daemon:
    """One `orca-daemon run`.

    Args:
        environment: variables with all addresses; those of our own environment are not passed on.
        url: its port for metrics and health, as in `environment`.
        log: file to append its log to; None writes it to our standard output.
    """

    program: tuple[str, ...] = ("-m", "orca_daemon", "run")
    """Arguments of Python."""
    name: str = "the daemon"

    def __init__(self, environment: Mapping[str, str], url: str, log: Path | None = None) -> None:
        self._environment = _DEFAULTS | foreign_removed(os.environ) | dict(environment)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self.url = url

    def start(self) -> None:
        """Start it, and return when `/readyz` answers 200.

        Raises:
            NotStartedError: it ended, or took too long.
        """
        self.launch()
        self.ready()

    def launch(self) -> None:
        """Start the process without waiting for it."""
        output = self._log.open("ab") if self._log else None
        try:
            self._process = subprocess.Popen(
                # SIGKILL is safe, because its work stays on the queues, and it ends at once.
                command([sys.executable, *self.program], stop_with=signal.SIGKILL),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                env=self._environment,
                start_new_session=True,  # keep Ctrl-C from it: our program stops it in order
            )
        finally:
            if output:
                output.close()

    def ready(self) -> None:
        """Return when `/readyz` answers 200.  Raises `NotStartedError`."""
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(f"{self.url}/readyz"):
            code = self.poll()
            if code is not None or time.monotonic() > deadline:
                self.stop(patience=1)
                raise NotStartedError(f"{self.name} did not become ready: {self._last_lines()}")
            time.sleep(0.02)

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.poll() if self._process else None

    @property
    def pid(self) -> int | None:
        """Its process id; None before the start."""
        return self._process.pid if self._process else None

    def begin_stop(self) -> None:
        """Send it SIGTERM, without waiting for its end."""
        if self._process is not None:
            self._process.terminate()

    def stop(self, patience: float = 60.0) -> int | None:
        """Stop it by SIGTERM, which lets it drain.  Returns its exit code; None if it was never started."""
        if self._process is None:
            return None
        self._process.terminate()
        try:
            return self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _last_lines(self) -> str:
        if self._log is None:
            return "see its log above"
        lines = self._log.read_text(errors="replace").splitlines()
        return " / ".join(lines[-2:]) or "its log is empty"


class ConsoleProcess(Daemon):
    """One `orca-daemon console`."""

    program = ("-m", "orca_daemon", "console")
    name = "the console"


def foreign_removed(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without variables that may name real queues, databases or accounts."""
    return {
        name: value
        for name, value in environ.items()
        if not name.upper().startswith(_FOREIGN) and name.upper() not in _FOREIGN_QUEUES
    }


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as answer:  # noqa: S310  our own address
            return bool(answer.status == 200)  # noqa: PLR2004
    except HTTPError as error:
        error.close()  # it is an open response, and Python 3.14 warns if it is not closed
        return False
    except OSError:
        return False
