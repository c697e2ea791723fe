"""Makes small tables be read by several connections, and watches them."""

import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from orca_daemon.db import ranges
from orca_daemon.export.reading import Reading
from tests.export.conftest import Exporter

SECONDS = 30
NAMES = ("export-reader", "export-encoder")
FILLER = "filler char(1900) DEFAULT 'x'"
"""A column with which a page has four rows."""


@dataclass
class Copies:
    """The parts that were read, by the process of the server that read them."""

    parts: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    before: Callable[[Any, int], None] = lambda _session, _part: None
    """Called in the reading thread before each part."""
    together: threading.Barrier | None = None
    """Where each connection waits for the others before its first part."""

    @property
    def order(self) -> list[int]:
        """All parts, sorted."""
        return sorted(part for parts in self.parts.values() for part in parts)


def watch(monkeypatch: pytest.MonkeyPatch, exporter: Exporter, readers: int = 3) -> Copies:
    """Read each page as a part of its own, by so many connections at one time."""
    copies, lock = Copies(), threading.Lock()
    monkeypatch.setattr(ranges, "PAGES", 1)
    exporter.order["readers"] = readers
    copy = Reading._copy

    def watched(reading: Reading, session: Any, part: int) -> None:
        process = session.info.backend_pid
        with lock:
            first = process not in copies.parts
            copies.parts[process].append(part)
        if copies.together and first:
            copies.together.wait(SECONDS)
        copies.before(session, part)
        copy(reading, session, part)

    monkeypatch.setattr(Reading, "_copy", watched)
    return copies


def threads() -> list[str]:
    """The names of the threads of exports that have not ended."""
    return [thread.name for thread in threading.enumerate() if thread.name in NAMES]
