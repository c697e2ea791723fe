"""`orca-daemon jobs` and `orca-daemon job`: the state of recoveries."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orca_daemon.cli.exits import run, settings_or_exit
from orca_daemon.cli.options import AsJson, Config, StatusName, parse_span, parse_time
from orca_daemon.cli.output import format_time, print_json, print_table
from orca_daemon.operations.errors import NotFoundError

if TYPE_CHECKING:
    from orca_daemon.db.jobs import Chosen, File, Granule, Job
    from orca_daemon.operations.jobs import JobDetails, JobPage
    from orca_daemon.settings import Settings

GranuleId = Annotated[str | None, typer.Option("--granule", help="Only with this granule.")]
_WHEN = "ISO 8601, or a span before now such as 7d."


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("jobs")(jobs)
    app.command("job")(job)


def jobs(
    status: Annotated[StatusName | None, typer.Option(help="Only with this status.")] = None,
    stuck: Annotated[
        str | None, typer.Option(help="Only with an open file that has not moved for this long: 24h, 3d.")
    ] = None,
    since: Annotated[str | None, typer.Option(help=f"Only requested at this time or later: {_WHEN}")] = None,
    until: Annotated[str | None, typer.Option(help=f"Only requested before this time: {_WHEN}")] = None,
    granule: GranuleId = None,
    collection: Annotated[str | None, typer.Option(help="Only with this collection.")] = None,
    archive: Annotated[str | None, typer.Option(help="Only from this archive bucket.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Jobs on a page.")] = 50,
    after: Annotated[str | None, typer.Option(help="The page after this job.")] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """List recovery jobs, the newest first.  A job is listed if all options match it.

    \b
    orca-daemon jobs --stuck 24h
    orca-daemon jobs --status failed --since 7d
    orca-daemon jobs --granule MOD09GQ.A2017025 --json
    """
    from orca_daemon.db.jobs import Chosen

    now = datetime.now(UTC)
    chosen = Chosen(
        status=status.status if status else None,
        granule=granule,
        collection=collection,
        archive=archive,
        since=parse_time(since, now, "--since"),
        until=parse_time(until, now, "--until"),
        idle_since=parse_span(stuck, now, "--stuck"),
    )
    page = _page(settings_or_exit(config), chosen, limit, after)
    if as_json:
        print_json({"jobs": [_record(job) for job in page.jobs], "next": page.next})
        return
    _print_jobs(page.jobs)
    if page.next:
        typer.echo(f"there are more: --after {page.next}")


def job(
    job_id: Annotated[str, typer.Argument(metavar="JOB", help="Id of the job.")],
    granule: GranuleId = None,
    status: Annotated[StatusName | None, typer.Option(help="Only files with this status.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="The most files; 0 is all.")] = 200,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show one job: its granules and files, with times and errors.  Exits 1 if the job does not exist.

    \b
    orca-daemon job 8f3a61c2 --status failed
    """
    from orca_daemon.operations.jobs import read_job

    settings = settings_or_exit(config)
    chosen_status = status.status if status else None
    details = run(read_job(settings, job_id, granule=granule, status=chosen_status, limit=limit))
    if as_json:
        granules = [_record(granule) for granule in details.granules]
        files = [_record(file) for file in details.files]
        print_json({"job_id": job_id, "granules": granules, "files": files, "more_files": details.more_files})
        return
    _print_job(job_id, details)
    if details.more_files:
        typer.echo(f"only {limit} files are shown; --limit 0 shows all")


def _page(settings: "Settings", chosen: "Chosen", limit: int, after: str | None) -> "JobPage":
    from orca_daemon.operations.jobs import list_jobs

    async def listed() -> "JobPage":
        try:
            return await list_jobs(settings, chosen, limit=limit, after=after)
        except NotFoundError as error:
            raise typer.BadParameter(str(error), param_hint="--after") from error

    return run(listed())


def _print_jobs(jobs: "Sequence[Job]") -> None:
    columns = ("job", "status", "requested", "completed", "last update")
    counts = ("#granules", "#pending", "#staged", "#failed", "#success")
    print_table(
        columns + counts,
        (
            (
                *(job.job_id, job.status.name.lower(), format_time(job.request_time)),
                *(format_time(job.completion_time), format_time(job.last_update)),
                *(job.granules, job.pending, job.staged, job.failed, job.success),
            )
            for job in jobs
        ),
    )


def _print_job(job_id: str, details: "JobDetails") -> None:
    print_table(
        ("collection", "granule", "archive", "status", "requested", "completed"),
        (
            (
                *(granule.collection_id, granule.granule_id, granule.archive_destination),
                *(granule.status.name.lower(), format_time(granule.request_time)),
                format_time(granule.completion_time),
            )
            for granule in details.granules
        ),
        title=f"job {job_id}",
    )
    print_table(
        ("granule", "file", "to", "status", "last update", "completed", "error"),
        (
            (
                *(file.granule_id, file.filename, file.restore_destination, file.status.name.lower()),
                *(format_time(file.last_update), format_time(file.completion_time), file.error_message),
            )
            for file in details.files
        ),
        title="files",
    )


def _record(row: "Job | Granule | File") -> dict[str, Any]:
    return {**asdict(row), "status": row.status.name.lower()}
