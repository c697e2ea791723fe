"""Recovery jobs as the database has them: a page of jobs, and one job with its files."""

from dataclasses import dataclass

from orca_daemon.db import jobs
from orca_daemon.db.database import Database
from orca_daemon.db.job_progress import JobProgress, job_progress
from orca_daemon.db.jobs import Chosen, File, Granule, Job
from orca_daemon.operations.database import database
from orca_daemon.operations.errors import AmbiguousJobError, NotFoundError
from orca_daemon.settings import Settings
from orca_daemon.wire.status import RecoveryStatus

_MOST_CANDIDATES = 10


@dataclass(frozen=True, slots=True)
class JobPage:
    """Some jobs, the newest first."""

    jobs: list[Job]
    next: str | None
    """The id after which the next page begins; None on the last page."""


@dataclass(frozen=True, slots=True)
class JobDetails:
    """One job."""

    job_id: str
    """Its whole id."""
    granules: list[Granule]
    files: list[File]
    more_files: bool
    """Whether the limit left out files."""
    progress: JobProgress
    """Of the whole job, whatever was chosen."""


async def list_jobs(settings: Settings, chosen: Chosen, *, limit: int, after: str | None = None) -> JobPage:
    """A page of at most `limit` jobs; `after` is the last job of the page before, as `find_job` takes it.

    Raises:
        NotFoundError: `after` is not the id of a job, or names several.
        AddressError, DependencyDown, PostgresError: the database cannot be read.
    """
    async with database(settings) as opened:
        # Paging after an unknown job id returns no rows, which looks like the last page.
        last = await find_job(opened, after) if after is not None else None
        rows = await opened.transact(jobs.jobs, chosen, limit=limit + 1, after=last)
    page = rows[:limit]
    return JobPage(page, page[-1].job_id if len(rows) > limit else None)


async def read_job(
    settings: Settings,
    job_id: str,
    *,
    granule: str | None = None,
    statuses: tuple[RecoveryStatus, ...] = (),
    limit: int = 0,
) -> JobDetails:
    """A job with at most `limit` of its files (0 is all), or only the files with one of these statuses.

    Args:
        settings: of the database.
        job_id: the job, as `find_job` takes it.
        granule: only this granule.
        statuses: only the files with one of these; empty for all.
        limit: the most files.

    Raises:
        NotFoundError: the job does not exist, does not have this granule, or is not the only one.
        AddressError, DependencyDown, PostgresError: the database cannot be read.
    """
    async with database(settings) as opened:
        job_id = await find_job(opened, job_id)
        granules = await opened.transact(jobs.granules, job_id, granule=granule)
        files = await opened.transact(
            jobs.files,
            job_id,
            granule=granule,
            statuses=statuses or jobs.ALL,
            limit=limit + 1 if limit else None,
        )
        progress = await opened.transact(job_progress, job_id)
    if not granules:
        raise job_not_found(job_id, granule)
    more = bool(limit) and len(files) > limit
    return JobDetails(job_id, granules, files[:limit] if limit else files, more, progress)


async def find_job(opened: Database, text: str) -> str:
    """The id of the job that has this id, or else of the only one whose id begins so.

    An ellipsis at the end, which stands for what a table cut, is ignored.

    Raises:
        NotFoundError: there is none.
        AmbiguousJobError: there are several.
    """
    found = await opened.transact(jobs.job_ids, text.removesuffix("…"), limit=_MOST_CANDIDATES + 1)
    if not found:
        raise NotFoundError(f"there is no job {text!r}")
    if len(found) > 1:
        raise AmbiguousJobError(text, found[:_MOST_CANDIDATES], more=len(found) > _MOST_CANDIDATES)
    return found[0]


def job_not_found(job_id: str, granule: str | None) -> NotFoundError:
    """The error for a job that the database does not have, or not with this granule."""
    return NotFoundError(f"no job {job_id!r}" + (" with this granule" if granule else ""))
