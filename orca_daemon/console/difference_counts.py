"""How many differences comparisons found, without counting millions of rows for a page."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orca_daemon.console.reader import Reader
from orca_daemon.db.sql import load

_SQL = load("orca_daemon.console.pages", "reconciliation.sql")
_COUNTED = 10_000
"""Rows of one report that are counted; above it the statistics of Postgres have the number."""
_REPORTS: Mapping[str, str] = {
    "reconcile_phantom_report": "phantom",
    "reconcile_orphan_report": "orphan",
    "reconcile_catalog_mismatch_report": "mismatch",
}


@dataclass(frozen=True, slots=True)
class Differences:
    """Rows in the reports of one comparison; `about` has the kinds that are estimated."""

    phantom: int
    orphan: int
    mismatch: int
    about: frozenset[str] = frozenset()

    @property
    def total(self) -> int:
        """Of all kinds."""
        return self.phantom + self.orphan + self.mismatch

    def of(self, kind: str) -> int:
        """Of one kind."""
        return int(getattr(self, kind))


async def differences(reader: Reader, jobs: Iterable[int]) -> Mapping[int, Differences]:
    """The differences of each of these jobs."""
    wanted = list(jobs)
    rows = await reader.rows(_SQL["counts"].text, {"jobs": wanted, "most": _COUNTED})
    large = any(_COUNTED in (row.phantom, row.orphan, row.mismatch) for row in rows)
    estimates = await _estimates(reader) if large else {}
    return {row.id: _of(row.id, {kind: row[kind] for kind in _REPORTS.values()}, estimates) for row in rows}


def _of(job: int, counted: Mapping[str, int], estimates: Mapping[tuple[str, int], int]) -> Differences:
    about = frozenset(kind for kind, count in counted.items() if count >= _COUNTED)
    numbers = {
        kind: max(count, estimates.get((kind, job), 0)) if kind in about else count
        for kind, count in counted.items()
    }
    return Differences(**numbers, about=about)


async def _estimates(reader: Reader) -> dict[tuple[str, int], int]:
    found: dict[tuple[str, int], int] = {}
    for row in await reader.rows(_SQL["shares"].text):
        jobs = re.findall(r"\d+", row.jobs or "")
        for job, share in zip(jobs, row.shares or (), strict=False):
            found[_REPORTS[row.tablename], int(job)] = round(share * max(0, row.rows))
    return found
