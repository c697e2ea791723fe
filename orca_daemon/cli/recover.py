"""`orca-daemon recover`: ask again for the copies of files that were left behind."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

from orca_daemon.cli.open_files import CheckedFile, FileState, check_files, request
from orca_daemon.cli.options import AsJson, Config
from orca_daemon.cli.progress import watched
from orca_daemon.cli.sending import queue_url, sqs_client
from orca_daemon.cli.settings import settings_or_exit
from orca_daemon.cli.times import format_time
from orca_daemon.producer.batch import Sent, send_batch
from orca_daemon.settings import Settings
from orca_daemon.wire.status import RecoveryStatus

_LISTED = 200


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("recover")(recover)


def recover(
    job_id: Annotated[str, typer.Argument(metavar="JOB", help="Id of the job.")],
    granule: Annotated[str | None, typer.Option("--granule", help="Only this granule.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Files that failed as well.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")
    ] = False,
    queue: Annotated[
        str, typer.Option("--queue", help="The queue: its name in the settings, or its URL.")
    ] = "recovery",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Ask again for the copies of a job's files that are still open.

    Looks at the object of each of them in the archive, shows what it finds, asks, and posts a copy request
    for each object that can be read now.  A file that has been copied meanwhile is not copied twice; one that
    the daemon would reject (see copies.sources and copies.targets) is not asked for.

    \b
    orca-daemon recover 8f3a61c2 --dry-run
    orca-daemon recover 8f3a61c2 --failed --yes
    """
    if as_json and not (yes or dry_run):
        raise typer.BadParameter("--json cannot ask: say --yes or --dry-run")
    settings = settings_or_exit(config)
    statuses = [RecoveryStatus.PENDING, RecoveryStatus.STAGED, *([RecoveryStatus.FAILED] if failed else [])]
    checked = _check(settings, job_id, granule, statuses, quiet=as_json)
    ready = [one for one in checked if one.file_state is FileState.READY]
    if not as_json:
        _show(checked)
    sent: list[Sent] = []
    if ready and not dry_run:
        url = queue_url(settings, queue)
        if not yes:
            typer.confirm(
                f"Post the copy requests of {len(ready)} files to {url.rpartition('/')[2]}?", abort=True
            )
        requests = (request(one.file, job_id) for one in ready)
        posting = send_batch(requests, url, client=sqs_client(settings, url))
        sent = list(watched(posting, "posting copy requests", len(ready), quiet=as_json))
    _print_result(job_id, checked, sent, as_json=as_json)
    if any(one.message_id is None for one in sent):
        raise typer.Exit(1)


def _check(
    settings: Settings,
    job_id: str,
    granule: str | None,
    statuses: Sequence[RecoveryStatus],
    *,
    quiet: bool,
) -> list[CheckedFile]:
    from orca_daemon.cli.connections import run

    granules, checked = run(check_files(settings, job_id, granule, statuses, quiet=quiet))
    if not granules:
        typer.echo(f"orca-daemon: no job {job_id!r}" + (" with this granule" if granule else ""), err=True)
        raise typer.Exit(1)
    return checked


def _show(checked: Sequence[CheckedFile]) -> None:
    from orca_daemon.cli.tables import show

    show(
        ("granule", "file", "status", "last update", "its object"),
        (
            (
                *(one.file.granule_id, one.file.filename, one.file.status.name.lower()),
                *(format_time(one.file.last_update), _description(one)),
            )
            for one in checked[:_LISTED]
        ),
    )
    if len(checked) > _LISTED:
        typer.echo(f"and {len(checked) - _LISTED} more files")
    for each, count in Counter(one.file_state for one in checked).items():
        typer.echo(f"{count} {'object' if count == 1 else 'objects'}: {each.value}")


def _description(one: CheckedFile) -> str:
    return f"{one.file_state.value}: {one.reason}" if one.reason else one.file_state.value


def _print_result(
    job_id: str, checked: Sequence[CheckedFile], sent: Sequence[Sent], *, as_json: bool
) -> None:
    posted = sum(one.message_id is not None for one in sent)
    if as_json:
        files = list(_records(checked, sent))
        typer.echo(json.dumps({"job_id": job_id, "posted": posted, "files": files}, indent=2))
        return
    typer.echo(f"copy requests posted: {posted}" if checked else "no file is left behind")
    for one in sent:
        if one.message_id is None:
            typer.echo(f"  not posted: {one.error}", err=True)


def _records(checked: Iterable[CheckedFile], sent: Sequence[Sent]) -> Iterable[dict[str, Any]]:
    results = iter(sent)
    for one in checked:
        result = next(results, None) if one.file_state is FileState.READY else None
        yield {
            "collection_id": one.file.collection_id,
            "granule_id": one.file.granule_id,
            "filename": one.file.filename,
            "status": one.file.status.name.lower(),
            "object": f"s3://{one.file.archive_destination}/{one.file.key_path}",
            "finding": one.file_state.name.lower(),
            "reason": one.reason,
            "message_id": result.message_id if result else None,
            "error": result.error if result else None,
        }
