"""A chart of how many differences the comparisons of a bucket found, as points of SVG lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from orca_daemon.console.difference_counts import Differences

KINDS = ("phantom", "orphan", "mismatch")
WIDTH, HEIGHT = 600, 100


@dataclass(frozen=True, slots=True)
class Trend:
    """The lines of one bucket, each as the value of an SVG attribute `points`."""

    bucket: str
    lines: dict[str, str]
    most: int
    """The number at the top of the chart."""
    first: datetime
    last: datetime
    newest: Differences
    newest_job: int
    about: bool
    """Whether the number at the top is an estimate."""


def trend(bucket: str, points: Sequence[tuple[datetime, int, Differences]]) -> Trend:
    """The chart of these comparisons (inventory, job, differences), the oldest first; at least one."""
    first, last = points[0][0], points[-1][0]
    most = max(1, *(each.of(kind) for _, _, each in points for kind in KINDS))
    about = any(each.about for _, _, each in points)
    span = (last - first).total_seconds() or 1.0

    def place(moment: datetime, count: int) -> str:
        x = WIDTH * (moment - first).total_seconds() / span if last > first else WIDTH
        return f"{x:.1f},{HEIGHT - HEIGHT * count / most:.1f}"

    lines = {kind: " ".join(place(moment, each.of(kind)) for moment, _, each in points) for kind in KINDS}
    return Trend(bucket, lines, most, first, last, points[-1][2], points[-1][1], about)
