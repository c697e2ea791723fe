"""The state directory of the embedded stack: locked by one process, with the addresses of all parts."""

import fcntl
import json
import os
import re
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import SplitResult, urlsplit

STACK_FILE = "stack.json"
LOG_FILE, CONSOLE_LOG_FILE = "daemon.log", "console.log"
"""The daemon's log and the console's, if they are not written to standard output."""
_LAST_FILE, _LOCK = ".last.json", "lock"
_OURS_ALONE = 0o700
_ADDRESSES = ("aws_endpoint_url", "sqs_endpoint_url", "database_url", "http_url", "console_url")


class StateBusyError(Exception):
    """Another process runs a stack on this directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """Addresses of the parts of a running stack: the content of `stack.json`."""

    aws_endpoint_url: str
    """S3, Secrets Manager, SSM and STS."""
    sqs_endpoint_url: str
    database_url: str = field(repr=False)
    """With the superuser's name and password: do not print it."""
    http_url: str
    """The daemon's metrics and health."""
    console_url: str = ""
    """The console's pages; empty if the extra `console` is not installed."""
    queues: dict[str, str]
    """Name in the settings to URL; a dead-letter queue is `<name>_dead_letter`."""
    buckets: dict[str, str]
    """Role to name."""
    environment: dict[str, str] = field(repr=False)
    """Variables that point the daemon, its command line and any AWS client at this stack."""

    def without_passwords(self) -> dict[str, Any]:
        """All fields, without passwords."""
        fields = asdict(self)
        environment = {name: without_password(value) for name, value in self.environment.items()}
        return fields | {"database_url": without_password(self.database_url), "environment": environment}


def without_password(url: str) -> str:
    """The URL without its password; other text unchanged."""
    return re.sub(r"^(\w+://[^/:@]+):[^/@]*@", r"\1@", url)


class NoStackError(Exception):
    """No stack runs on this directory; the text says what to do."""


def running(path: Path) -> Whereabouts:
    """The addresses of the stack that runs on this directory.

    Raises:
        NoStackError: none does, or it has not started yet.
    """
    try:
        document = json.loads((path / STACK_FILE).read_text())
        if _is_locked(path / _LOCK):
            return Whereabouts(**document)
    except OSError as error:
        if isinstance(error, PermissionError):
            raise NoStackError(
                f"{error.filename}: {error.strerror}; only its owner can use a stack"
            ) from None
    raise NoStackError(f"no stack runs on {path}: start it with orca-daemon local --state {path}")


def _is_locked(path: Path) -> bool:
    """Whether a stack holds the lock; one that was killed does not, and leaves its file."""
    with path.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


class StateDirectory:
    """A directory that keeps a stack's data from run to run; locked while this object lives.

    Raises:
        StateBusyError: another process has locked it.
    """

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        # Make only an empty directory, or one of ours, private: a user may name /tmp.  Our files always are.
        if not any(path.iterdir()) or (path / _LOCK).exists():
            with suppress(PermissionError):  # it belongs to another user
                path.chmod(_OURS_ALONE)
        self.path = path.resolve()
        self._lock: IO[str] = (self.path / _LOCK).open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise StateBusyError(
                f"another orca-daemon runs on {self.path}: stop it, or name another directory with --state"
            ) from None
        self._earlier = self._read()
        # Remove the file of the last run, because others wait for it to learn that the stack is ready.
        (self.path / STACK_FILE).unlink(missing_ok=True)

    def port(self, key: str) -> int:
        """The port of an address in the `stack.json` of the last run; 0 if it had none."""
        return (self._earlier[key].port or 0) if key in self._earlier else 0

    def password(self, key: str) -> str | None:
        """The password in an address of the last run."""
        return self._earlier[key].password if key in self._earlier else None

    def publish(self, whereabouts: Whereabouts) -> None:
        """Write `stack.json` atomically, readable by this user only."""
        making = self.path / f".{STACK_FILE}.{os.getpid()}"
        making.unlink(missing_ok=True)
        with open(making, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(json.dumps(asdict(whereabouts), indent=2) + "\n")
        making.replace(self.path / STACK_FILE)

    def close(self) -> None:
        """Remove `stack.json` and unlock the directory."""
        if (self.path / STACK_FILE).exists():
            (self.path / STACK_FILE).replace(self.path / _LAST_FILE)
        self._lock.close()

    def _read(self) -> dict[str, SplitResult]:
        for name in (STACK_FILE, _LAST_FILE):
            # Old addresses are a convenience: ignore a file that does not have them.
            with suppress(OSError, ValueError, TypeError, AttributeError):
                document = json.loads((self.path / name).read_text())
                addresses = {key: urlsplit(document[key]) for key in _ADDRESSES if key in document}
                # Read `port` here, because it raises if it is not a number.
                return {key: address for key, address in addresses.items() if address.port}
        return {}
