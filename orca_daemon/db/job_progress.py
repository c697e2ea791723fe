"""How far a recovery job is: its files by status, and the bytes of those whose size is known."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from orca_daemon.db.sql import load

_SQL = load(__package__, "job_progress.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobBytes:
    """Bytes of the files whose size a restore or the catalog knows."""

    sized: int
    """The number of these files."""
    total: int
    failed: int
    copied: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgress:
    """How far a job is at one time."""

    pending: int
    """Number of files with this status, as are the next three."""
    staged: int
    failed: int
    success: int
    requested: datetime | None
    last_update: datetime | None
    """When the status of a file last changed; None without files."""
    read_at: datetime
    """By the database's clock."""
    bytes: JobBytes

    @property
    def files(self) -> int:
        """All files."""
        return self.pending + self.staged + self.failed + self.success

    @property
    def ended(self) -> int:
        """Files that are copied or failed."""
        return self.failed + self.success

    @property
    def is_over(self) -> bool:
        """Whether no file is open."""
        return self.ended == self.files

    @property
    def percent(self) -> float:
        """Of the bytes if the sizes of all files are known, else of the files; a failure is an end."""
        if self.bytes.total and self.bytes.sized == self.files:
            return 100 * (self.bytes.copied + self.bytes.failed) / self.bytes.total
        return 100 * self.ended / self.files if self.files else 100.0


def job_progress(connection: Connection, job: str) -> JobProgress:
    """How far the job with this whole id is."""
    files = connection.execute(_SQL["files"], {"job": job}).mappings().one()
    sizes = connection.execute(_SQL["bytes"], {"job": job}).mappings().one()
    return JobProgress(**files, bytes=JobBytes(**sizes))
