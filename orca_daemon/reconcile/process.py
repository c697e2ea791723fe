"""The child process that compares, as the daemon sees it: start, send, receive, raise its failures, kill."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from orca_daemon.aws.s3_places import S3, reading
from orca_daemon.db.address import DEPENDENCY
from orca_daemon.db.failures import SqlstateMeaning, meaning
from orca_daemon.engine.errors import DependencyDown, NotYet, Refused, Reject
from orca_daemon.ops import tracing
from orca_daemon.reconcile.protocol import (
    ComparisonFailure,
    FailureKind,
    Fetched,
    Message,
    Part,
    PartStaged,
    Signed,
    SparkDone,
    Task,
    TracedStage,
    Unsigned,
    decode,
    encode,
)
from orca_daemon.reconcile.stage import Stage
from orca_daemon.wire.trace_context import active

M = TypeVar("M", bound=Message)
OnMessage = Callable[[Message], None]
Sign = Callable[[int], Awaitable[str]]
"""Returns a new URL of the data file with this index."""
SPARK = "spark"
"""Name of the dependency and of its only place."""
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
"""The task has the password, and travels by pipe: all processes of a user can read an environment."""
_MALLOC = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
}
"""Options of glibc's malloc, unless the operator sets them (mallopt(3)).  By default, blocks of some hundred
kilobytes go back to the kernel as soon as they are free, and come back page by page: an eighth of the child's
processor time.  Several arenas would each keep their own free memory."""


class ComparisonFailedError(Exception):
    """The comparison failed, and another attempt may succeed."""


class WorkspaceFullError(Exception):
    """The disk is full where a comparison writes."""


class Child:
    """A running child.  `start` makes it, and ends it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def receive(self) -> Message:
        """Its next message.

        Raises:
            ComparisonFailedError: it has ended; the text says how, as far as that is known.
        """
        assert self._process.stdout is not None  # noqa: S101  `start` asks for a pipe
        line = await self._process.stdout.readline()
        if line:
            return decode(line)
        raise ComparisonFailedError(_how_it_ended(await self._process.wait()))

    async def send(self, message: Message) -> None:
        """Send it a message.  If the child has died, nothing is raised here: `receive` raises it."""
        assert self._process.stdin is not None  # noqa: S101  `start` asks for a pipe
        try:
            self._process.stdin.write(encode(message).encode() + b"\n")
            await self._process.stdin.drain()
        except ConnectionError:
            return

    async def end(self) -> None:
        """Kill it if it is still alive, and wait until it has ended."""
        if self._process.returncode is None:
            # Not `kill()`: Popen first reaps a child that has just ended by itself.  asyncio, which waits for
            # the same child, then loses its exit code and prints "Unknown child process pid".
            # The child leads a group of its own; macOS denies a signal to a group that has ended.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        await asyncio.shield(self._process.wait())


@asynccontextmanager
async def start(task: Task) -> AsyncIterator[Child]:
    """A child that works on this task.  On exit it has ended, and its lock and connections are released."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "orca_daemon.reconcile.child",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        # Only libraries write there, and they may quote rows; the child reports its own errors as messages.
        stderr=asyncio.subprocess.DEVNULL,
        limit=_LONGEST_LINE,
        env=environment(os.environ) | {name.upper(): value for name, value in active().items()},
        # Keeps Ctrl-C in the daemon's terminal from the child: the daemon drains first.
        start_new_session=True,
    )
    child = Child(process)
    try:
        await child.send(task)
        yield child
    finally:
        await child.end()


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Options of malloc, and the daemon's environment without credentials and settings."""
    return _MALLOC | {
        name: value
        for name, value in variables.items()
        if (name in _NEEDED or name.startswith(_NEEDED_PREFIXES)) and name not in _NOT_NEEDED
    }


@dataclass(frozen=True, slots=True)
class Dialogue:
    """The exchange of messages with one child.

    Args:
        child: the child.
        on_message: called with each message of the child.
        bucket: the bucket of the data files; empty for a listing in Postgres.
        sign: signs URLs of the data files.
    """

    child: Child
    on_message: OnMessage
    bucket: str
    sign: Sign
    stage: Stage | None = None
    """Where Spark compares; None if DuckDB does."""
    folder: Path = Path()
    """The folder of the child."""

    async def until(self, kind: type[M]) -> M:
        """Receive messages until one of this kind, sign URLs meanwhile, and return it.

        Raises:
            ComparisonFailedError: the child died, or failed in a way that may pass.
            Reject: no retry can help.
            NotYet: S3 throttles.
            WorkspaceFullError: the disk is full.
            DependencyDown: Postgres or S3 does not answer.
            Refused: S3 denies to read.
        """
        while True:
            message = await self.child.receive()
            if isinstance(message, TracedStage):
                tracing.record(message.name, message.began, message.ended)
                continue
            self.on_message(message)
            if isinstance(message, kind):
                return message
            if isinstance(message, Unsigned):
                await self.child.send(Signed(index=message.index, url=await self.sign(message.index)))
            if isinstance(message, Part) and self.stage:
                await self.stage.put(Path(message.path), message.name)
                await self.child.send(PartStaged())
            if isinstance(message, SparkDone) and self.stage:
                paths = await self.stage.differences(self.folder)
                await self.child.send(Fetched(paths=[str(path) for path in paths]))
            if isinstance(message, ComparisonFailure):
                raise self._exception(message)

    def _exception(self, failure: ComparisonFailure) -> Exception:  # noqa: PLR0911  a table
        reason = failure.reason
        match failure.kind:
            case FailureKind.REJECT:
                return Reject(reason)
            case FailureKind.S3:
                return DependencyDown(S3, reason, place=reading(self.bucket))
            case FailureKind.SPARK:
                return DependencyDown(SPARK, reason, place=SPARK)
            case FailureKind.THROTTLED:
                return NotYet(reason)
            case FailureKind.DENIED:
                return Refused(S3, reason, place=reading(self.bucket))
            case FailureKind.DISK_FULL:
                return WorkspaceFullError(reason)
            case FailureKind.SQL:
                return _of_postgres(failure)
            case FailureKind.RETRY:
                return ComparisonFailedError(reason)


def _of_postgres(failure: ComparisonFailure) -> Exception:
    text = f"{failure.reason} (SQLSTATE {failure.sqlstate})" if failure.sqlstate else failure.reason
    match meaning(failure.sqlstate):
        case SqlstateMeaning.DOWN | SqlstateMeaning.UNREADY:
            return DependencyDown(DEPENDENCY, text)
        case SqlstateMeaning.REJECT:
            return Reject(text)
        case _:
            return ComparisonFailedError(text)


def _how_it_ended(code: int) -> str:
    if code == -signal.SIGKILL:
        return (
            "the comparison was killed: the machine or the container is out of memory, or an operator did it"
        )
    if code < 0:
        return f"the comparison ended by {signal.Signals(-code).name}"
    return f"the comparison ended without an answer (exit code {code})"
