"""What a dead letter names: recoveries, a comparison, and whether its file has been copied since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orca_daemon.console.reader import Reader
from orca_daemon.console.show import link
from orca_daemon.db.sql import load

_SQL = load(__package__, "dead_letters.sql")
_MOST = 20
"""Jobs of a letter that are looked up."""
_LARGEST_ID = 2**63 - 1


def linked(name: str, fact: object) -> Sequence[tuple[str, str]]:
    """The parts of a fact that have a page, each with its address; empty if it has none."""
    if name == "job_id":
        return [(job, link("/recoveries/job", {"id": job})) for job in _jobs(fact)]
    if name == "job" and str(fact).isdecimal() and int(str(fact)) <= _LARGEST_ID:
        return [(str(fact), link("/reconciliation/job", {"id": fact}))]
    return []


@dataclass(frozen=True, slots=True)
class FilesSince:
    """The files that a letter names, as they are now."""

    files: int
    copied_at: datetime | None
    """When the last of them was copied; None if not all are, or if that was before the letter."""


async def files_since(reader: Reader, facts: Mapping[str, Any], letter: datetime) -> FilesSince | None:
    """Whether the files of a copy's letter are copied since; None if it names none that is known."""
    jobs, granule, filename = _jobs(facts.get("job_id")), facts.get("granule_id"), facts.get("filename")
    if not jobs:
        return None
    if granule and filename:
        values = {"jobs": jobs, "granule": str(granule), "filename": str(filename)}
        (row,) = await reader.rows(_SQL["files_by_name"].text, values)
    elif key := _key(facts.get("source")):
        (row,) = await reader.rows(_SQL["files_by_key"].text, {"jobs": jobs, "key": key})
    else:
        return None
    if not row.files:
        return None
    done = row.copied == row.files and row.copied_at is not None and row.copied_at >= letter
    return FilesSince(row.files, row.copied_at if done else None)


def _jobs(fact: object) -> list[str]:
    return [job for job in str(fact or "").split(", ") if job][:_MOST]


def _key(source: object) -> str:
    """The key of `s3://BUCKET/KEY`."""
    return str(source or "").removeprefix("s3://").partition("/")[2]
