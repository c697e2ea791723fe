"""`orca-daemon recover`: request again the copies of files that are still open."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orca_daemon.cli.confirm import confirm, refuse_unless_answered
from orca_daemon.cli.exits import FAILED, errors_exit, run, settings_or_exit
from orca_daemon.cli.options import AsJson, Config
from orca_daemon.cli.output import counted, counter, format_time, print_json, print_table
from orca_daemon.cli.sending import queue_url_or_exit
from orca_daemon.settings import Settings

if TYPE_CHECKING:
    from orca_daemon.operations.recovery import CheckedFile, OpenFiles
    from orca_daemon.producer.batch import Sent

_MOST_ROWS = 200
_QUEUE = "recovery"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("recover")(recover)


def recover(
    job_id: Annotated[str, typer.Argument(metavar="JOB", help="Id of the job.")],
    granule: Annotated[str | None, typer.Option("--granule", help="Only this granule.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Include files that failed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the files, post nothing.")] = False,
    queue: Annotated[
        str | None,
        typer.Option("--queue", help="The queue: its name in the settings, or its URL.", show_default=_QUEUE),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Request again the copies of a job's files that are still open.

    Reads the state of each file's object in the archive, shows it, asks, and posts a copy request for each
    object that can be copied now.  A file that has been copied meanwhile is not copied twice; a request that
    the daemon would reject (see copies.sources and copies.targets) is not posted.

    \b
    orca-daemon recover 8f3a61c2 --dry-run
    orca-daemon recover 8f3a61c2 --failed --yes
    """
    refuse_unless_answered(yes=yes or dry_run, as_json=as_json)
    settings = settings_or_exit(config)
    if queue is not None:
        queue_url_or_exit(settings, queue)  # before any work, which may take long
    open_files = _check(settings, job_id, granule, failed=failed, quiet=as_json)
    ready = [checked for checked in open_files.files if _is_ready(checked)]
    if not as_json:
        _print_files(open_files)
    sent: list[Sent] = []
    if ready and not dry_run:
        url = queue_url_or_exit(settings, queue or _QUEUE)
        name = url.rpartition("/")[2]
        confirm(f"Post copy requests for {_files(len(ready))} to {name}?", yes=yes, as_json=as_json)
        sent = _post(settings, job_id, ready, url, quiet=as_json)
    _print_result(job_id, open_files, sent, as_json=as_json)
    if any(result.message_id is None for result in sent):
        raise typer.Exit(FAILED)


def _check(settings: Settings, job_id: str, granule: str | None, *, failed: bool, quiet: bool) -> "OpenFiles":
    from orca_daemon.operations.recovery import check_open_files

    with counter("checking objects", quiet=quiet) as progress:
        return run(check_open_files(settings, job_id, granule=granule, failed=failed, progress=progress))


def _post(
    settings: Settings, job_id: str, ready: "Sequence[CheckedFile]", url: str, *, quiet: bool
) -> "list[Sent]":
    from orca_daemon.operations.recovery import post_copy_requests

    with errors_exit():
        results = post_copy_requests(settings, job_id, [checked.file for checked in ready], url)
        return list(counted(results, "posting copy requests", len(ready), quiet=quiet))


def _is_ready(checked: "CheckedFile") -> bool:
    from orca_daemon.operations.recovery import FileState

    return checked.file_state is FileState.READY


def _print_files(open_files: "OpenFiles") -> None:
    files = open_files.files
    if not files:
        typer.echo("nothing to recover: no open files")
        _print_left_out(open_files.left_out)
        return
    print_table(
        ("granule", "file", "status", "last update", "object"),
        (
            (
                *(checked.file.granule_id, checked.file.filename, checked.file.status.name.lower()),
                *(format_time(checked.file.last_update), _state(checked)),
            )
            for checked in files[:_MOST_ROWS]
        ),
    )
    if len(files) > _MOST_ROWS:
        typer.echo(f"and {_files(len(files) - _MOST_ROWS, 'more')}")
    for state, count in Counter(checked.file_state for checked in files).items():
        typer.echo(f"{count} {'object' if count == 1 else 'objects'}: {state.value}")
    _print_left_out(open_files.left_out)


def _print_left_out(count: int) -> None:
    if count:
        verb = "is" if count == 1 else "are"
        typer.echo(f"{_files(count, 'failed')} {verb} left out; --failed includes {_them(count)}")


def _them(count: int) -> str:
    return "it" if count == 1 else "them"


def _files(count: int, adjective: str = "") -> str:
    noun = "file" if count == 1 else "files"
    return f"{count} {adjective} {noun}" if adjective else f"{count} {noun}"


def _state(checked: "CheckedFile") -> str:
    return f"{checked.file_state.value}: {checked.reason}" if checked.reason else checked.file_state.value


def _print_result(job_id: str, open_files: "OpenFiles", sent: "Sequence[Sent]", *, as_json: bool) -> None:
    files, left_out = open_files.files, open_files.left_out
    posted = sum(result.message_id is not None for result in sent)
    if as_json:
        records = list(_records(files, sent))
        print_json({"job_id": job_id, "posted": posted, "left_out": left_out, "files": records})
        return
    if files:
        typer.echo(f"copy requests posted: {posted}")
    for result in sent:
        if result.message_id is None:
            typer.echo(f"  not posted: {result.error}", err=True)


def _records(files: "Iterable[CheckedFile]", sent: "Sequence[Sent]") -> Iterator[dict[str, Any]]:
    results = iter(sent)
    for checked in files:
        result = next(results, None) if _is_ready(checked) else None
        file = checked.file
        yield {
            "collection_id": file.collection_id,
            "granule_id": file.granule_id,
            "filename": file.filename,
            "status": file.status.name.lower(),
            "object": f"s3://{file.archive_destination}/{file.key_path}",
            "finding": checked.file_state.name.lower(),
            "reason": checked.reason,
            "message_id": result.message_id if result else None,
            "error": result.error if result else None,
        }
