"""`orca-daemon recover`: request again the copies of files that are still open."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from orca_daemon.cli import output
from orca_daemon.cli.acting import ActionId, action
from orca_daemon.cli.confirm import confirm, refuse_unless_answered
from orca_daemon.cli.exits import FAILED, run, settings_or_exit
from orca_daemon.cli.jobs import JobId
from orca_daemon.cli.options import AsCsv, AsJson, Config, Wide, Yes
from orca_daemon.cli.output import counter, note, print_json, say
from orca_daemon.cli.sending import queue_url_or_exit
from orca_daemon.cli.table import Column
from orca_daemon.cli.view import Form, View, columns_option, view_of
from orca_daemon.settings import Settings

if TYPE_CHECKING:
    from orca_daemon.db.jobs import File
    from orca_daemon.operations.recovery import CheckedFile, OpenFiles
    from orca_daemon.producer.batch import Sent

_QUEUE = "recovery"
_MOST_ROWS = 200
"""Rows on a terminal, above the question."""
FILES = (
    Column(name="collection_id", header="COLLECTION", rank=6, least=16, middle=True),
    Column(name="granule_id", header="GRANULE", rank=4, least=20, middle=True),
    Column(name="filename", header="FILE", least=20, middle=True, identifies=True),
    Column(name="object", rank=7, least=24, middle=True),
    Column(name="status", rank=1),
    Column(name="last_update", header="LAST UPDATE (UTC)", rank=5),
    Column(name="finding", rank=2, least=20, prose=True),
    Column(name="error_message", header="ERROR", rank=3, least=16, prose=True),
)
SENT = (
    Column(name="collection_id"),
    Column(name="granule_id"),
    Column(name="filename"),
    Column(name="status"),
    Column(name="object"),
    Column(name="finding"),
    Column(name="reason"),
    Column(name="message_id"),
    Column(name="error"),
)
"""Columns of CSV."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("recover")(recover)


def recover(
    job_id: JobId,
    granule: Annotated[str | None, typer.Option("--granule", help="Only this granule.")] = None,
    file: Annotated[str | None, typer.Option("--file", help="Only files of this name.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Include files that failed.")] = False,
    yes: Yes = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the files, post nothing.")] = False,
    queue: Annotated[
        str | None,
        typer.Option("--queue", help="The queue: its name in the settings, or its URL.", show_default=_QUEUE),
    ] = None,
    action_id: ActionId = None,
    wide: Wide = False,
    columns: Annotated[str | None, columns_option(FILES, SENT)] = None,
    as_csv: AsCsv = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Request again the copies of a job's files that are still open.

    Reads the state of each file's object in the archive, asks whether the buckets of the copies exist, shows
    both, asks you, and posts a copy request for each object that can be copied now.  A file that has been
    copied meanwhile is not copied twice; a request that the daemon would reject (see copies.sources and
    copies.targets) is not posted.  If the command is cut short, the same command with --action-id and the id
    that it printed goes on.

    \b
    orca-daemon recover 8f3a61c2 --dry-run
    orca-daemon recover 8f3a61c2 --failed --yes
    orca-daemon recover 8f3a61c2 --file MOD09GQ.A2017025.h21v00.006.2017034065104.hdf
    """
    refuse_unless_answered(yes=yes or dry_run, as_json=as_json or as_csv)
    view = view_of(FILES, SENT, wide=wide, columns=columns, as_csv=as_csv, as_json=as_json)
    quiet = view.form is not Form.TABLE
    settings = settings_or_exit(config)
    if queue is not None:
        queue_url_or_exit(settings, queue)  # before any work, which may take long
    open_files = _check(settings, job_id, granule, file, failed=failed, quiet=quiet)
    ready = [checked for checked in open_files.files if _is_ready(checked)]
    if not quiet:
        _print_files(view, open_files, failed=failed)
    sent: Mapping[File, Sent] = {}
    if ready and not dry_run:
        url = queue_url_or_exit(settings, queue or _QUEUE)
        name = url.rpartition("/")[2]
        confirm(f"Post copy requests for {_files(len(ready))} to {name}?", yes=yes, as_json=quiet)
        options = {"granule": granule, "file": file, "failed": failed}
        sent = _post(settings, open_files.job_id, ready, url, action_id, options, quiet=quiet)
    _print_result(view, open_files, sent)
    if any(result.message_id is None for result in sent.values()):
        raise typer.Exit(FAILED)


def _check(
    settings: Settings, job_id: str, granule: str | None, file: str | None, *, failed: bool, quiet: bool
) -> "OpenFiles":
    from orca_daemon.operations.recovery import check_open_files

    with counter("checking objects", quiet=quiet) as progress:
        work = check_open_files(
            settings, job_id, granule=granule, filename=file, failed=failed, progress=progress
        )
        return run(work)


def _post(
    settings: Settings,
    job_id: str,
    ready: "Sequence[CheckedFile]",
    url: str,
    action_id: UUID | None,
    about: Mapping[str, Any],
    *,
    quiet: bool,
) -> "Mapping[File, Sent]":
    from orca_daemon.operations.job_recovery import recover_files

    files = [checked.file for checked in ready]
    with action(settings, action_id) as request, counter("posting copy requests", quiet=quiet) as progress:
        work = recover_files(settings, job_id, files, url, request=request, about=about, progress=progress)
        return run(work)


def _is_ready(checked: "CheckedFile") -> bool:
    from orca_daemon.operations.recovery import FileState

    return checked.file_state is FileState.READY


def _print_files(view: View, open_files: "OpenFiles", *, failed: bool) -> None:
    from orca_daemon.operations.destinations import sentences

    files = open_files.files
    if not files:
        note(f"nothing to recover: {_copied(open_files.copied) if open_files.copied else 'no open files'}")
        _print_left_out(open_files.left_out)
        return
    most = len(files) if view.wide or output.terminal_width() is None else _MOST_ROWS
    columns = FILES if view.names or any(checked.file.error_message for checked in files) else FILES[:-1]
    title = f"open{' and failed' if failed else ''} files of job {open_files.job_id}"
    view.show(columns, (_row(checked) for checked in files[:most]), title=title)
    if len(files) > most:
        note(f"and {_files(len(files) - most, 'more')}")
    for state, count in Counter(checked.file_state for checked in files).items():
        note(f"{count} {'object' if count == 1 else 'objects'}: {state.value}")
    for unknown in sentences(open_files.unknown_destinations):
        note(unknown)
    _print_left_out(open_files.left_out)


def _print_left_out(count: int) -> None:
    if count:
        verb = "is" if count == 1 else "are"
        note(f"{_files(count, 'failed')} {verb} left out; --failed includes {_them(count)}")


def _copied(count: int) -> str:
    return "the file is copied" if count == 1 else f"all {count} files of this name are copied"


def _them(count: int) -> str:
    return "it" if count == 1 else "them"


def _files(count: int, adjective: str = "") -> str:
    noun = "file" if count == 1 else "files"
    return f"{count} {adjective} {noun}" if adjective else f"{count} {noun}"


def _row(checked: "CheckedFile") -> dict[str, Any]:
    state = f"{checked.file_state.value}: {checked.reason}" if checked.reason else checked.file_state.value
    error = checked.file.error_message
    shown = {"finding": state, "error_message": f"before: {error}" if error else None}
    return _record(checked) | {"last_update": checked.file.last_update} | shown


def _print_result(view: View, open_files: "OpenFiles", sent: "Mapping[File, Sent]") -> None:
    posted = sum(result.message_id is not None for result in sent.values())
    records = _records(open_files.files, sent)
    match view.form:
        case Form.JSON:
            document = {"job_id": open_files.job_id, "posted": posted, "left_out": open_files.left_out}
            unknown = {"unknown_destinations": open_files.unknown_destinations}
            print_json("recover", document | unknown | {"files": list(records)})
        case Form.CSV:
            view.show(SENT, records)
        case Form.TABLE if open_files.files:
            say(f"copy requests posted: {posted}")
            _print_next(open_files, posted)
    for result in sent.values():
        if result.message_id is None and view.form is not Form.JSON:
            note(f"  not posted: {result.error}")


def _print_next(open_files: "OpenFiles", posted: int) -> None:
    """How to go on: where to see what becomes of the requests, or what else helps if none can be posted."""
    from orca_daemon.operations.advice import advice

    if posted:
        note(f"to follow it: orca-daemon job {open_files.job_id}")
    elif not any(map(_is_ready, open_files.files)):
        for each in advice(open_files.job_id, open_files.files):
            note(f"{each.text} {each.command}".strip())


def _records(files: "Iterable[CheckedFile]", sent: "Mapping[File, Sent]") -> Iterator[dict[str, Any]]:
    for checked in files:
        result = sent.get(checked.file)
        yield _record(checked) | {
            "message_id": result.message_id if result else None,
            "error": result.error if result else None,
        }


def _record(checked: "CheckedFile") -> dict[str, Any]:
    file = checked.file
    return {
        "collection_id": file.collection_id,
        "granule_id": file.granule_id,
        "filename": file.filename,
        "status": file.status.name.lower(),
        "object": f"s3://{file.archive_destination}/{file.key_path}",
        "finding": checked.file_state.name.lower(),
        "reason": checked.reason,
        "error_message": file.error_message,
    }
