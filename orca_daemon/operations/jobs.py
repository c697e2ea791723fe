"""Recovery jobs as the database has them: a page of jobs, and one job with its files."""

from dataclasses import dataclass

from orca_daemon.db import jobs
from orca_daemon.db.jobs import Chosen, File, Granule, Job
from orca_daemon.operations.database import database
from orca_daemon.operations.errors import NotFoundError
from orca_daemon.settings import Settings
from orca_daemon.wire.status import RecoveryStatus


@dataclass(frozen=True, slots=True)
class JobPage:
    """Some jobs, the newest first."""

    jobs: list[Job]
    next: str | None
    """The id after which the next page begins; None on the last page."""


@dataclass(frozen=True, slots=True)
class JobDetails:
    """One job."""

    granules: list[Granule]
    files: list[File]
    more_files: bool
    """Whether the limit left out files."""


async def list_jobs(settings: Settings, chosen: Chosen, *, limit: int, after: str | None = None) -> JobPage:
    """A page of at most `limit` jobs; `after` is the last job of the page before.

    Raises:
        NotFoundError: `after` is not the id of a job.
        AddressError, DependencyDown, PostgresError: the database cannot be read.
    """
    async with database(settings) as opened:
        rows = await opened.transact(jobs.jobs, chosen, limit=limit + 1, after=after)
        # Paging after an unknown job id returns no rows, which looks like the last page.
        if after and not rows and not await opened.transact(jobs.granules, after):
            raise NotFoundError(f"there is no job {after!r}")
    page = rows[:limit]
    return JobPage(page, page[-1].job_id if len(rows) > limit else None)


async def read_job(
    settings: Settings,
    job_id: str,
    *,
    granule: str | None = None,
    status: RecoveryStatus | None = None,
    limit: int = 0,
) -> JobDetails:
    """A job with at most `limit` of its files (0 is all), or only the files with this status.

    Raises:
        NotFoundError: the job does not exist, or does not have this granule.
        AddressError, DependencyDown, PostgresError: the database cannot be read.
    """
    async with database(settings) as opened:
        granules = await opened.transact(jobs.granules, job_id, granule=granule)
        files = await opened.transact(
            jobs.files,
            job_id,
            granule=granule,
            statuses=(status,) if status else jobs.ALL,
            limit=limit + 1 if limit else None,
        )
    if not granules:
        raise job_not_found(job_id, granule)
    more = bool(limit) and len(files) > limit
    return JobDetails(granules, files[:limit] if limit else files, more)


def job_not_found(job_id: str, granule: str | None) -> NotFoundError:
    """The error for a job that the database does not have, or not with this granule."""
    return NotFoundError(f"no job {job_id!r}" + (" with this granule" if granule else ""))
