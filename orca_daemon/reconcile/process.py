"""The child that compares, seen from the daemon: started, sent messages, read from, killed."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from orca_daemon.reconcile.protocol import Message, Task, decode, encode

_LONGEST_LINE = 1 << 20
_NEEDED = frozenset(
    {
        *("HOME", "LANG", "LANGUAGE", "PATH", "TMPDIR", "TZ", "USER", "LOGNAME"),
        *("SSL_CERT_DIR", "SSL_CERT_FILE", "AWS_CA_BUNDLE"),
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
        *("LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH", "VIRTUAL_ENV"),
    }
)
_NEEDED_PREFIXES = ("LC_", "PYTHON", "MALLOC_", "PG")
_NOT_NEEDED = frozenset({"PGPASSWORD"})
"""It comes with the task, by pipe: the environment of a process is shown to its whole user."""


class ChildDiedError(Exception):
    """The child ended without an answer."""


class Child:
    """A running child.  Made by `start`, which also ends it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    async def receive(self) -> Message:
        """The next thing that it says.

        Raises:
            ChildDiedError: it is gone; the text says how, as far as can be known.
        """
        assert self._process.stdout is not None  # noqa: S101  asked for at the start
        line = await self._process.stdout.readline()
        if line:
            return decode(line)
        raise ChildDiedError(_how(await self._process.wait()))

    async def send(self, line: Message) -> None:
        """Send it a line; that it may be gone already is noticed by listening."""
        assert self._process.stdin is not None  # noqa: S101  asked for at the start
        try:
            self._process.stdin.write(encode(line).encode() + b"\n")
            await self._process.stdin.drain()
        except ConnectionError:
            return

    async def end(self) -> None:
        """Kill it, if it still lives, and see it gone."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):  # it went by itself just now
                self._process.kill()
        await asyncio.shield(self._process.wait())


@asynccontextmanager
async def start(task: Task) -> AsyncIterator[Child]:
    """A child at work on this task; it is gone, with all that it held, when the context is left."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "orca_daemon.reconcile.child",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        # Its libraries write there; its own errors are events.
        stderr=asyncio.subprocess.DEVNULL,
        limit=_LONGEST_LINE,
        env=environment(os.environ),
        # Signals for the daemon's terminal are the daemon's to answer: it drains first.
        start_new_session=True,
    )
    child = Child(process)
    try:
        await child.send(task)
        yield child
    finally:
        await child.end()


def environment(whole: Mapping[str, str]) -> dict[str, str]:
    """What of the daemon's environment the child is given: no credentials, and no settings of ours."""
    return {
        name: value
        for name, value in whole.items()
        if (name in _NEEDED or name.startswith(_NEEDED_PREFIXES)) and name not in _NOT_NEEDED
    }


def _how(code: int) -> str:
    if code == -signal.SIGKILL:
        return "the comparison was killed: the machine or the container is out of memory, or somebody did it"
    if code < 0:
        return f"the comparison ended by {signal.Signals(-code).name}"
    return f"the comparison ended without an answer (exit code {code})"
