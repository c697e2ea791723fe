"""What every step of the demo uses: clients, a database connection, a wait for the daemon, a result."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.progress import Progress

from orca_daemon.local.state import Whereabouts

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

_STANDSTILL = 90.0
"""Seconds without progress after which a step stops waiting."""
_PAUSE = 0.1


@dataclass(frozen=True, slots=True)
class DemoCheck:
    """A check of a result, read from Postgres, S3 or SQS and not from the daemon."""

    what: str
    expected: object
    actual: object

    @property
    def holds(self) -> bool:
        """Whether the check passed."""
        return self.expected == self.actual


@dataclass(slots=True)
class Step:
    """The result of one step."""

    title: str
    facts: dict[str, object] = field(default_factory=dict)
    checks: list[DemoCheck] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether every check passed."""
        return all(check.holds for check in self.checks)

    def check(self, what: str, expected: object, actual: object) -> None:
        """Add a check."""
        self.checks.append(DemoCheck(what, expected, actual))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The running stack, seen from outside the daemon."""

    whereabouts: Whereabouts
    s3: "S3Client"
    sqs: "SQSClient"
    connection: Any
    """psycopg2, autocommit, as the superuser."""
    progress: Progress
    alive: Callable[[], bool]
    """Whether every part of the stack still runs."""
    started: datetime

    def bucket(self, role: str) -> str:
        """Name of the bucket with this role."""
        return self.whereabouts.buckets[role]

    def queue(self, name: str) -> str:
        """URL of the queue with this name in the settings."""
        return self.whereabouts.queues[name]

    def rows(self, statement: str, parameters: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """The rows that a query returns."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return list(cursor.fetchall())

    @contextmanager
    def bar(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        """A progress bar, or a line without a terminal; yields a function that sets how much is done."""
        if self.progress.disable:
            self.progress.console.print(f"{what}: {total}", highlight=False)
        task = self.progress.add_task(what, total=total)
        yield lambda done: self.progress.update(task, completed=done)

    def wait(self, what: str, total: int, done: Callable[[], int]) -> None:
        """Return when `done()` reaches `total` or stops growing, or when a part of the stack ends."""
        with self.bar(what, total) as set_done:
            reached, since = -1, time.monotonic()
            while (now := done()) < total and time.monotonic() - since < _STANDSTILL and self.alive():
                if now != reached:
                    reached, since = now, time.monotonic()
                set_done(now)
                time.sleep(_PAUSE)
            set_done(now)
