"""Long work of handlers while it runs: a comparison, an export, a copy, and how far each is."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Work:
    """One piece of work.  `show` may be called from any thread."""

    kind: str
    """`comparison`, `export`, `copy`."""
    what: str
    """What is worked on: a manifest, tables, an object."""
    since: float
    """Unix time at which it began."""
    facts: dict[str, object] = field(default_factory=dict)
    """How far it is: `stage`, `done`, `total`, `unit`, as far as they are known."""

    def show(self, **facts: object) -> None:
        """Replace what is known of how far it is."""
        self.facts = facts  # one assignment, because the reader is another thread


class WorkInProgress:
    """All of it, oldest first.  Written by handlers, read by what reports the state of the process."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._running: dict[int, Work] = {}

    @contextmanager
    def begin(self, kind: str, what: str) -> Iterator[Work]:
        """A piece of work runs while the context is open."""
        work = Work(kind, what, self._wall())
        self._running[id(work)] = work
        try:
            yield work
        finally:
            del self._running[id(work)]

    def oldest(self, most: int) -> list[Work]:
        """At most so many, the oldest first."""
        return list(self._running.values())[:most]
