"""`orca-daemon jobs` and `orca-daemon job`: the state of recoveries."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orca_daemon.cli.exits import run, settings_or_exit
from orca_daemon.cli.options import (
    AsCsv,
    AsJson,
    Config,
    StatusChoice,
    Wide,
    parse_span,
    parse_time,
    statuses_of,
)
from orca_daemon.cli.output import note, print_json, say, terminal_width, wrapped
from orca_daemon.cli.table import Column, printable
from orca_daemon.cli.view import Form, columns_option, view_of
from orca_daemon.operations.errors import NotFoundError

if TYPE_CHECKING:
    from orca_daemon.db.jobs import Chosen, File, Granule, Job
    from orca_daemon.operations.jobs import JobPage
    from orca_daemon.settings import Settings

GranuleId = Annotated[str | None, typer.Option("--granule", help="Only with this granule.")]
JobId = Annotated[
    str, typer.Argument(metavar="JOB", help="Id of the job, or as much of its beginning as no other job has.")
]
_WHEN = "ISO 8601, today, yesterday, or a span before now such as 7d."
_NO_JOBS = "There are no recovery jobs yet: the first new_job on the queue status_update makes one."
_NO_MATCH = "No recovery job matches."
_ID_WIDTH = 36
"""Cells of a UUID, which is never cut."""
JOBS = (
    Column(name="job_id", least=_ID_WIDTH, identifies=True),
    Column(name="status", rank=1),
    Column(name="done"),
    Column(name="request_time", header="REQUESTED (UTC)", rank=2),
    Column(name="completion_time", header="COMPLETED (UTC)", rank=9),
    Column(name="last_update", header="LAST UPDATE (UTC)", rank=8),
    Column(name="granules", number=True, rank=7),
    Column(name="pending", number=True, rank=4),
    Column(name="staged", number=True, rank=5),
    Column(name="failed", number=True, rank=3),
    Column(name="success", number=True, rank=6),
)
GRANULES = (
    Column(name="collection_id", header="COLLECTION", rank=3, least=16, middle=True),
    Column(name="granule_id", header="GRANULE", rank=1, least=24, middle=True),
    Column(name="archive_destination", header="ARCHIVE", rank=4, extra=True, least=16, middle=True),
    Column(name="status"),
    Column(name="request_time", header="REQUESTED (UTC)", rank=5, extra=True),
    Column(name="completion_time", header="COMPLETED (UTC)", rank=2),
)
FILES = (
    Column(name="collection_id", header="COLLECTION", rank=9, extra=True, least=16, middle=True),
    Column(name="granule_id", header="GRANULE", rank=4, least=20, middle=True),
    Column(name="filename", header="FILE", least=24, middle=True, identifies=True),
    Column(name="key_path", header="KEY", rank=7, extra=True, least=24, middle=True),
    Column(name="archive_destination", header="ARCHIVE", rank=8, extra=True, least=16, middle=True),
    Column(name="restore_destination", header="TO", rank=6, extra=True, least=16, middle=True),
    Column(name="status", rank=1),
    Column(name="request_time", header="REQUESTED (UTC)", rank=10, extra=True),
    Column(name="last_update", header="LAST UPDATE (UTC)", rank=3),
    Column(name="completion_time", header="COMPLETED (UTC)", rank=5, extra=True),
    Column(name="error_message", header="ERROR", rank=2, least=16, prose=True),
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("jobs")(jobs)
    app.command("job")(job)


def jobs(
    status: Annotated[
        list[StatusChoice] | None,
        typer.Option(help="Only with this status; repeatable, for any of several.  open: pending or staged."),
    ] = None,
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
    wide: Wide = False,
    columns: Annotated[str | None, columns_option(JOBS)] = None,
    as_csv: AsCsv = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """List recovery jobs, the newest first.  A job is listed if all options match it.

    DONE is the number of files that are copied, of all.  The status is that of the file that is least far.

    \b
    orca-daemon jobs --stuck 24h
    orca-daemon jobs --status failed --since today
    orca-daemon jobs --collection MOD09GQ___006 --status open --status failed
    orca-daemon jobs --granule MOD09GQ.A2017025 --json
    """
    from orca_daemon.db.jobs import Chosen

    view = view_of(JOBS, wide=wide, columns=columns, as_csv=as_csv, as_json=as_json)
    now = datetime.now(UTC)
    chosen = Chosen(
        statuses=statuses_of(status),
        granule=granule,
        collection=collection,
        archive=archive,
        since=parse_time(since, now, "--since"),
        until=parse_time(until, now, "--until"),
        idle_since=parse_span(stuck, now, "--stuck"),
    )
    settings = settings_or_exit(config)
    page = _page(settings, chosen, limit, after)
    records = [{**_record(job), "done": _done(job)} for job in page.jobs]
    if as_json:
        print_json("jobs", {"jobs": records, "next": page.next})
        return
    shown = view.show(JOBS, records, empty=_NO_MATCH if chosen != Chosen() or after else _NO_JOBS)
    if not shown and collection:
        from orca_daemon.operations.collections import proposal

        if sentence := run(proposal(settings, collection)):
            note(sentence)
    if page.next:
        note(f"there are more: --after {page.next}")


def job(
    job_id: JobId,
    granule: GranuleId = None,
    status: Annotated[
        list[StatusChoice] | None,
        typer.Option(help="Only files with this status; repeatable.  open: pending or staged."),
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="The most files; 0 is all.")] = 200,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show how far it is, and how fast, until it has ended.")
    ] = False,
    wide: Wide = False,
    columns: Annotated[str | None, columns_option(GRANULES, FILES)] = None,
    as_csv: AsCsv = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show one job: how far it is, its granules and files.  Exits 1 if the job does not exist.

    CSV has the files.  --watch shows percent, bytes, rate and time left, on one line of a terminal, or a line
    in a pipe whenever something has changed; it ends with the job, and exits 1 if files failed.  Sizes are
    those of restores and of the catalog.

    \b
    orca-daemon job 8f3a61c2 --status failed
    orca-daemon job 8f3a61c2 --watch
    """
    from orca_daemon.cli import job_watch
    from orca_daemon.operations.jobs import read_job

    if watch:
        if granule or status or wide or columns or as_csv:
            raise typer.BadParameter("--watch goes with --json and --config only")
        job_watch.watch(settings_or_exit(config), job_id, as_json=as_json)
        return
    view = view_of(GRANULES, FILES, wide=wide, columns=columns, as_csv=as_csv, as_json=as_json)
    settings = settings_or_exit(config)
    chosen = statuses_of(status)
    details = run(read_job(settings, job_id, granule=granule, statuses=chosen, limit=limit))
    granules = [_record(granule) for granule in details.granules]
    files = [_record(file) for file in details.files]
    if as_json:
        document = {"job_id": details.job_id, "granules": granules, "files": files}
        print_json("job", document | {"more_files": details.more_files})
        return
    if view.form is Form.TABLE:
        title = f"job {details.job_id}"
        if not view.names:
            say(printable(title))
            say(_in_width(job_watch.summary(details.progress)))
        if view.show(GRANULES, granules, title=title if view.names else None):
            typer.echo()
    view.show(
        FILES,
        files,
        title="files",
        empty="No file of this job matches." if status else "The job has no files.",
    )
    if details.more_files:
        note(f"only {limit} files are shown; --limit 0 shows all")


def _page(settings: "Settings", chosen: "Chosen", limit: int, after: str | None) -> "JobPage":
    from orca_daemon.operations.jobs import list_jobs

    async def listed() -> "JobPage":
        try:
            return await list_jobs(settings, chosen, limit=limit, after=after)
        except NotFoundError as error:
            raise typer.BadParameter(str(error), param_hint="--after") from error

    return run(listed())


def _done(job: "Job") -> str:
    """`120 of 120`: spreadsheets take `3/4` for a date."""
    return f"{job.success:,} of {job.pending + job.staged + job.failed + job.success:,}"


def _in_width(text: str) -> str:
    width = terminal_width()
    return wrapped(text, width, indent="  ") if width else text


def _record(row: "Job | Granule | File") -> dict[str, Any]:
    return {**asdict(row), "status": row.status.name.lower()}
