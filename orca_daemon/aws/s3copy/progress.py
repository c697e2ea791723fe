"""How far a copy has come, as values from which logs, metrics and progress bars are made."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from orca_daemon.aws.s3copy.objects import S3Object
from orca_daemon.aws.s3copy.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyProgress:
    """One step of a copy.  The first has `step` and `done` 0; each later one reports `step` more bytes."""

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
        """Bytes per second so far."""
        return self.done / self.seconds if self.seconds > 0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds until the end at this rate; None before anything was copied."""
        return (self.size - self.done) / self.rate if self.rate else None


Observer: TypeAlias = Callable[[CopyProgress], None]


def unobserved(_: CopyProgress) -> None:
    """An observer that does nothing."""


@dataclass(slots=True)
class Tracker:
    """Adds up the bytes of one copy and calls the observer."""

    observe: Observer
    source: S3Object
    target: S3Object
    plan: Plan
    began: float
    """When the copy began, by `time.monotonic`."""
    done: int = 0

    def copied(self, step: int) -> None:
        """Report `step` more bytes."""
        self.done += step
        self.observe(
            CopyProgress(
                source=self.source,
                target=self.target,
                size=self.plan.size,
                done=self.done,
                step=step,
                parts=self.plan.parts,
                seconds=time.monotonic() - self.began,
            )
        )
