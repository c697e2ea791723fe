"""How far a copy has come, as values: logs, metrics and progress bars are made of these."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from orca_daemon.aws.s3copy.objects import S3Object


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyProgress:
    """A copy began (`step` and `done` are 0) or came `step` bytes further."""

    source: S3Object
    target: S3Object
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


Observer: TypeAlias = Callable[[CopyProgress], None]


def unobserved(_: CopyProgress) -> None:
    """Nobody looks."""
