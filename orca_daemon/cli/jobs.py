"""`orca-daemon jobs` and `orca-daemon job`: what became of recoveries."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orca_daemon.cli.options import AsJson, Config, StatusName
from orca_daemon.cli.settings import settings_or_exit
from orca_daemon.cli.times import before, format_time, parse_time
from orca_daemon.settings import Settings

if TYPE_CHECKING:
    from orca_daemon.db.jobs import Chosen, File, Granule, Job

GranuleId = Annotated[str | None, typer.Option("--granule", help="Only with this granule.")]
_WHEN = "ISO 8601, or a span before now such as 7d."


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("jobs")(jobs)
    app.command("job")(job)


def jobs(
    status: Annotated[StatusName | None, typer.Option(help="Only with this status.")] = None,
    stuck: Annotated[
        str | None, typer.Option(help="Only with open files that have not moved for this long: 24h, 3d.")
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
    """List recovery jobs, the newest first.  All options must hold together.

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
        since=parse_time(since, now) if since else None,
        until=parse_time(until, now) if until else None,
        idle_since=before(now, stuck) if stuck else None,
    )
    found = _find_jobs(settings_or_exit(config), chosen, limit + 1, after)
    page, more = found[:limit], len(found) > limit
    following = page[-1].job_id if more else None
    if as_json:
        _print_json({"jobs": [_record(one) for one in page], "next": following})
    else:
        _print_jobs(page, following)


def job(
    job_id: Annotated[str, typer.Argument(metavar="JOB", help="Id of the job.")],
    granule: GranuleId = None,
    status: Annotated[StatusName | None, typer.Option(help="Only files with this status.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="The most files; 0 is all.")] = 200,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show one job: its granules and files, with times and errors.  Exits 1 when there is no such job.

    \b
    orca-daemon job 8f3a61c2 --status failed
    """
    granules, files = _find_job(settings_or_exit(config), job_id, granule, status, limit)
    if not granules:
        typer.echo(f"orca-daemon: no job {job_id!r}" + (" with this granule" if granule else ""), err=True)
        raise typer.Exit(1)
    more = bool(limit) and len(files) > limit
    files = files[:limit] if limit else files
    if as_json:
        record: dict[str, Any] = {"job_id": job_id, "granules": [_record(one) for one in granules]}
        _print_json(record | {"files": [_record(one) for one in files], "more_files": more})
        return
    _print_job(job_id, granules, files)
    if more:
        typer.echo(f"only {limit} files are shown; --limit 0 shows all")


def _find_jobs(settings: Settings, chosen: "Chosen", limit: int, after: str | None) -> "list[Job]":
    from orca_daemon.cli.connections import database, run
    from orca_daemon.db import jobs as tables

    async def ask() -> "list[Job]":
        async with database(settings) as db:
            found = await db.transact(tables.jobs, chosen, limit=limit, after=after)
            # Paging after an unknown job id returns no rows, which looks like the last page.
            if after and not found and not await db.transact(tables.granules, after):
                raise typer.BadParameter(f"there is no job {after!r}", param_hint="--after")
            return found

    return run(ask())


def _find_job(
    settings: Settings, job_id: str, granule: str | None, status: StatusName | None, limit: int
) -> "tuple[list[Granule], list[File]]":
    from orca_daemon.cli.connections import database, run
    from orca_daemon.db import jobs as tables

    statuses = (status.status,) if status else tables.ALL

    async def ask() -> "tuple[list[Granule], list[File]]":
        async with database(settings) as db:
            granules = await db.transact(tables.granules, job_id, granule=granule)
            files = await db.transact(
                tables.files, job_id, granule=granule, statuses=statuses, limit=limit + 1 if limit else None
            )
            return granules, files

    return run(ask())


def _print_jobs(page: "Sequence[Job]", following: str | None) -> None:
    from orca_daemon.cli.tables import show

    columns = ("job", "status", "requested", "completed", "last update")
    counts = ("#granules", "#pending", "#staged", "#failed", "#success")
    show(
        columns + counts,
        (
            (
                *(one.job_id, one.status.name.lower(), format_time(one.request_time)),
                *(format_time(one.completion_time), format_time(one.last_update)),
                *(one.granules, one.pending, one.staged, one.failed, one.success),
            )
            for one in page
        ),
    )
    if following:
        typer.echo(f"there are more: --after {following}")


def _print_job(job_id: str, granules: "Sequence[Granule]", files: "Sequence[File]") -> None:
    from orca_daemon.cli.tables import show

    show(
        ("collection", "granule", "archive", "status", "requested", "completed"),
        (
            (
                *(one.collection_id, one.granule_id, one.archive_destination, one.status.name.lower()),
                *(format_time(one.request_time), format_time(one.completion_time)),
            )
            for one in granules
        ),
        title=f"job {job_id}",
    )
    show(
        ("granule", "file", "to", "status", "last update", "completed", "error"),
        (
            (
                *(one.granule_id, one.filename, one.restore_destination, one.status.name.lower()),
                *(format_time(one.last_update), format_time(one.completion_time), one.error_message),
            )
            for one in files
        ),
        title="files",
    )


def _record(one: Any) -> dict[str, Any]:
    return {**asdict(one), "status": one.status.name.lower()}


def _print_json(document: object) -> None:
    typer.echo(json.dumps(document, indent=2, default=lambda parse_time: parse_time.isoformat()))
