"""What happened, in order: the log that the promises are checked against."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened.  `life` counts the daemon's lives from 0."""

    at: float
    life: int
    what: str
    ids: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Record:
    """All entries, in the order in which they happened."""

    entries: list[Entry] = field(default_factory=list)
    life: int = 0

    def add(self, at: float, what: str, ids: tuple[str, ...] = (), **facts: Any) -> None:
        """Append an entry."""
        self.entries.append(Entry(at, self.life, what, ids, facts))

    def of(self, *whats: str) -> list[Entry]:
        """The entries of these kinds."""
        return [entry for entry in self.entries if entry.what in whats]
