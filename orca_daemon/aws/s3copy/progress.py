"""How far a copy has come, as values: logs, metrics and progress bars are made of these."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from orca_daemon.aws.s3copy.objects import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A copy began (`step` and `done` are 0) or came `step` bytes further."""

    source: Place
    target: Place
    size: int
    done: int
    step: int
    parts: int
    seconds: float
    """Since the copy began."""

    @property
    def rate(self) -> float:
        """Bytes a second so far."""
        return self.done / self.seconds if self.seconds > 0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds until the end at this rate; None before anything was copied."""
        return (self.size - self.done) / self.rate if self.rate else None


Observer: TypeAlias = Callable[[Progress], None]


def unobserved(_: Progress) -> None:
    """Nobody looks."""
