"""What every step of the demo works with: clients, the database, and a way to wait for the daemon."""

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
"""Seconds without any progress after which a step gives up waiting."""
_PAUSE = 0.1


@dataclass(frozen=True, slots=True)
class DemoCheck:
    """One thing that the demo looked at afterwards, where the daemon cannot have touched its books."""

    what: str
    expected: object
    found: object

    @property
    def holds(self) -> bool:
        """Whether it is as it should be."""
        return self.expected == self.found


@dataclass(slots=True)
class Step:
    """What one step did and what came of it."""

    title: str
    facts: dict[str, object] = field(default_factory=dict)
    checks: list[DemoCheck] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether it ended as it should."""
        return all(check.holds for check in self.checks)

    def check(self, what: str, expected: object, found: object) -> None:
        """Note what was found."""
        self.checks.append(DemoCheck(what, expected, found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The running stack, from outside the daemon."""

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
        """URL of the queue that the settings call so."""
        return self.whereabouts.queues[name]

    def rows(self, statement: str, parameters: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """What a query answers."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return list(cursor.fetchall())

    @contextmanager
    def bar(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        """A progress bar; call what it gives with how much is done."""
        task = self.progress.add_task(what, total=total)
        yield lambda done: self.progress.update(task, completed=done)

    def wait(self, what: str, total: int, done: Callable[[], int]) -> None:
        """Watch a number grow to `total`; return early when it stands still for too long."""
        with self.bar(what, total) as show:
            reached, since = -1, time.monotonic()
            while (now := done()) < total and time.monotonic() - since < _STANDSTILL and self.alive():
                if now != reached:
                    reached, since = now, time.monotonic()
                show(now)
                time.sleep(_PAUSE)
            show(now)
