"""`orca-daemon send`: put messages on the queues, from flags or from files of JSON lines."""

import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated

import typer

from orca_daemon.cli import templates
from orca_daemon.cli.options import AsJson, Config, StatusName
from orca_daemon.cli.sending import deliver
from orca_daemon.cli.settings import settings_or_exit
from orca_daemon.cli.templates import Document, Template
from orca_daemon.settings import Settings
from orca_daemon.settings.buckets import CopyRules
from orca_daemon.wire.outgoing import Outgoing
from orca_daemon.wire.status import Grouping

send = typer.Typer(help="Put messages on the queues, from flags or from lines of JSON.", no_args_is_help=True)

File = Annotated[
    str | None,
    typer.Option("--file", "-f", help="One JSON object a line, as on the queue; - reads standard input."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the messages, send nothing.")]
Groups = Annotated[
    Grouping | None,
    typer.Option("--grouping", help="One message group for the queue, or one for each granule."),
]
Job = Annotated[str | None, typer.Option("--job", help="Id of the recovery job.")]
Collection = Annotated[str | None, typer.Option("--collection", help="Id of the collection.")]
Granule = Annotated[str | None, typer.Option("--granule", help="Id of the granule.")]
Filename = Annotated[str | None, typer.Option(help="Name of the file, without its directory.")]
Chunk = Annotated[int | None, typer.Option("--chunk-mb", help="Part size of large copies, MiB.")]
_QUEUE_HELP = "The queue: its name in the settings, or its URL."
StatusQueue = Annotated[str, typer.Option("--queue", help=_QUEUE_HELP)]
ReportQueue = Annotated[str, typer.Option("--queue", help=_QUEUE_HELP)]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(send, name="send")


@send.command("new-job")
def new_job(
    job: Job = None,
    collection: Collection = None,
    granule: Granule = None,
    archive: Annotated[str | None, typer.Option(help="Archive bucket that the files are in.")] = None,
    destination: Annotated[str | None, typer.Option(help="Bucket that the files go to.")] = None,
    key: Annotated[list[str] | None, typer.Option(help="Key of a file; repeat it for each.")] = None,
    chunk_mb: Chunk = None,
    file: File = None,
    queue: StatusQueue = "status_update",
    grouping: Groups = None,
    config: Config = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Announce that the recovery of a granule begins.

    Lines of a file may leave out times, and of each file its statusId, s3MultipartChunksizeMb and filename.

    \b
    orca-daemon send new-job --job op-1 --collection C___001 --granule g-1 \\
        --archive orca-archive --destination protected --key d/g.h5 --key d/g.xml
    orca-daemon send new-job --file jobs.jsonl
    """
    settings = settings_or_exit(config)
    files = [
        {"keyPath": path, "restoreDestination": destination, "s3MultipartChunksizeMb": chunk_mb}
        for path in key or ()
    ]
    given = {
        "jobId": job,
        "collectionId": collection,
        "granuleId": granule,
        "archiveDestination": archive,
        "files": files or None,
    }
    template = templates.new_job(datetime.now(UTC), _grouping(settings, queue, grouping))
    deliver(_messages(template, file, given), settings, queue, dry_run=dry_run, as_json=as_json)


@send.command("file-status")
def file_status(
    job: Job = None,
    collection: Collection = None,
    granule: Granule = None,
    filename: Filename = None,
    status: Annotated[StatusName | None, typer.Option(help="What became of it.")] = None,
    error: Annotated[str | None, typer.Option(help="What went wrong; for failed.")] = None,
    file: File = None,
    queue: StatusQueue = "status_update",
    grouping: Groups = None,
    config: Config = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Tell what became of a file.

    Lines of a file may leave out lastUpdate and completionTime.

    \b
    orca-daemon send file-status --job op-1 --collection C___001 --granule g-1 \\
        --filename g.h5 --status failed --error "the object is gone"
    orca-daemon send file-status --file - < updates.jsonl
    """
    settings = settings_or_exit(config)
    given = {
        "jobId": job,
        "collectionId": collection,
        "granuleId": granule,
        "filename": filename,
        "statusId": status.status.value if status else None,
        "errorMessage": error,
    }
    template = templates.file_status(datetime.now(UTC), _grouping(settings, queue, grouping))
    deliver(_messages(template, file, given), settings, queue, dry_run=dry_run, as_json=as_json)


@send.command("copy")
def copy(
    job: Job = None,
    collection: Collection = None,
    granule: Granule = None,
    source: Annotated[str | None, typer.Option(help="s3://bucket/key of the restored object.")] = None,
    destination: Annotated[str | None, typer.Option(help="Bucket to copy to.")] = None,
    target_key: Annotated[str | None, typer.Option(help="Key to copy to; the source's by default.")] = None,
    filename: Filename = None,
    chunk_mb: Chunk = None,
    file: File = None,
    queue: Annotated[str, typer.Option("--queue", help=_QUEUE_HELP)] = "recovery",
    config: Config = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Ask for a restored object to be copied to its destination.

    Lines of a file may leave out filename, targetKey and s3MultipartChunksizeMb.

    \b
    orca-daemon send copy --job op-1 --collection C___001 --granule g-1 \\
        --source s3://orca-archive/d/g.h5 --destination protected
    """
    bucket, key = _place(source)
    given = {
        "jobId": job,
        "collectionId": collection,
        "granuleId": granule,
        "filename": filename,
        "restoreDestination": destination,
        "s3MultipartChunksizeMb": chunk_mb,
        "sourceKey": key,
        "targetKey": target_key,
        "sourceBucket": bucket,
    }
    settings = settings_or_exit(config)
    messages = _messages(templates.copy_request(CopyRules.of(settings)), file, given)
    deliver(messages, settings, queue, dry_run=dry_run, as_json=as_json)


@send.command("inventory")
def inventory(
    manifest: Annotated[
        str | None, typer.Argument(help="s3://bucket/…/manifest.json of an inventory.", show_default=False)
    ] = None,
    region: Annotated[str | None, typer.Option(help="Region of that bucket.", envvar="AWS_REGION")] = None,
    file: File = None,
    queue: ReportQueue = "internal_report",
    config: Config = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Ask for an S3 inventory to be compared with the catalog.

    \b
    orca-daemon send inventory --region us-west-2 \\
        s3://orca-reports/orca-archive/orca-archive-inventory/2026-11-20T01-00Z/manifest.json
    """
    settings = settings_or_exit(config)
    bucket, key = _place(manifest)
    where = (region or settings.aws.region) if manifest else None
    given = {"reportBucketRegion": where, "reportBucketName": bucket, "manifestKey": key}
    messages = _messages(templates.inventory_pointer, file, given)
    deliver(messages, settings, queue, dry_run=dry_run, as_json=as_json)


@send.command("export")
def export(
    tables: Annotated[list[str] | None, typer.Argument(help="Tables to export.", show_default=False)] = None,
    file: File = None,
    queue: ReportQueue = "internal_report",
    config: Config = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Ask for the changed rows of tables to be exported as Parquet.

    \b
    orca-daemon send export recovery_job recovery_file
    """
    messages = _messages(templates.export_request, file, {"tables_to_query": tables or None})
    deliver(messages, settings_or_exit(config), queue, dry_run=dry_run, as_json=as_json)


def _grouping(settings: Settings, queue: str, chosen: Grouping | None) -> Grouping:
    known = settings.queues.get(queue)
    return chosen or (known.grouping if known else Grouping.QUEUE)


def _place(url: str | None) -> tuple[str | None, str | None]:
    if url is None:
        return None, None
    bucket, slash, key = url.removeprefix("s3://").partition("/")
    if not (url.startswith("s3://") and bucket and slash and key):
        raise typer.BadParameter(f"{url!r} is not of the form s3://bucket/key")
    return bucket, key


def _messages(template: Template, file: str | None, given: Document) -> Callable[[], Iterator[Outgoing]]:
    """The messages of the file or, without one, the message of the flags; again at each call."""
    given = {key: value for key, value in given.items() if value is not None}
    if file is None:
        return lambda: (template(one) for one in [given])
    if given:
        raise typer.BadParameter("name either a file or a message's fields, not both")
    lines = _lines(file)

    def messages() -> Iterator[Outgoing]:
        yield from templates.fill(lines(), template)

    return messages


def _lines(file: str) -> Callable[[], Iterable[tuple[int, str]]]:
    """Reads the file, again at each call; what can be read only once, such as a pipe, is kept."""
    if file == "-":
        return cache(lambda: list(templates.numbered(sys.stdin)))
    path = Path(file)
    if path.is_file():
        return lambda: templates.numbered_lines(path)
    return cache(lambda: list(templates.numbered_lines(path)))
