"""`orca-daemon send`: send messages to the queues, from flags or from files of JSON lines."""

import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer
from typer.core import TyperGroup

from orca_daemon.cli.exits import settings_or_exit
from orca_daemon.cli.options import AsJson, Config, StatusName, s3_object
from orca_daemon.cli.sending import queue_url_or_exit, send_all
from orca_daemon.operations import messages
from orca_daemon.operations.messages import Document, Template
from orca_daemon.settings import Settings
from orca_daemon.settings.buckets import CopyRules
from orca_daemon.wire.outgoing import Outgoing
from orca_daemon.wire.restore import Tier
from orca_daemon.wire.status import Grouping

_ANY = "QUEUE"
"""Name of the command that sends any body, as `--help` lists it."""


class _SendCommands(TyperGroup):
    """Takes a queue where a command stands, if there is a body to send: `send QUEUE --body TEXT`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command, its name and its arguments."""
        if args[0] != _ANY and any(arg == "--body" or arg.startswith("--body=") for arg in args):
            args = [_ANY, *args]
        return super().resolve_command(ctx, args)


send = typer.Typer(
    help="Send messages to the queues, from flags or from lines of JSON.",
    no_args_is_help=True,
    cls=_SendCommands,
)

File = Annotated[
    str | None,
    typer.Option("--file", "-f", help="One JSON object a line, as on the queue; - reads standard input."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the messages, send nothing.")]
Groups = Annotated[
    Grouping | None,
    typer.Option("--grouping", help="One message group for the queue, or one for each granule."),
]
Job = Annotated[str | None, typer.Option("--job", help="Id of the recovery job.")]
Collection = Annotated[str | None, typer.Option("--collection", help="Id of the collection.")]
Granule = Annotated[str | None, typer.Option("--granule", help="Id of the granule.")]
Filename = Annotated[str | None, typer.Option(help="Name of the file, without its directory.")]
Chunk = Annotated[int | None, typer.Option("--chunk-mb", help="Part size of large copies, MiB.")]
Queue = Annotated[str, typer.Option("--queue", help="The queue: its name in the settings, or its URL.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(send, name="send")


@send.command(_ANY)
def any_body(
    queue: Annotated[str, typer.Argument(help="The queue: its name in the settings, or its URL.")],
    body: Annotated[str, typer.Option("--body", help="The body; - reads standard input.")],
    group: Annotated[str | None, typer.Option("--group", help="Message group of a FIFO queue.")] = None,
    deduplication_id: Annotated[
        str | None,
        typer.Option("--dedup", help="Deduplication id of a FIFO queue; by default a new one."),
    ] = None,
    attribute: Annotated[
        list[str] | None, typer.Option("--attribute", help="NAME=VALUE, a string attribute; repeatable.")
    ] = None,
    config: Config = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Send any body to any queue: send QUEUE --body TEXT.

    \b
    orca-daemon send recovery --body '{"jobId": "op-1"}'
    orca-daemon send status_update --group op-1 --attribute RequestMethod=update_file --body - <update.json
    """
    settings = settings_or_exit(config)
    fifo = queue_url_or_exit(settings, queue).endswith(".fifo")
    if fifo and group is None:
        raise typer.BadParameter(f"{queue} is a FIFO queue: name the message group with --group")
    if not fifo and (group or deduplication_id):
        raise typer.BadParameter(f"{queue} is a standard queue: it takes neither --group nor --dedup")
    message = Outgoing(
        body=sys.stdin.read() if body == "-" else body,
        group=group,
        deduplication_id=deduplication_id or (uuid4().hex if fifo else None),
        attributes=dict(_attribute(text) for text in attribute or ()),
    )
    send_all(lambda: iter([message]), settings, queue, dry_run=dry_run, as_json=as_json)


@send.command("new-job")
def new_job(
    job: Job = None,
    collection: Collection = None,
    granule: Granule = None,
    archive: Annotated[str | None, typer.Option(help="Archive bucket that the files are in.")] = None,
    destination: Annotated[str | None, typer.Option(help="Bucket that the files go to.")] = None,
    key: Annotated[list[str] | None, typer.Option(help="Key of a file; repeatable.")] = None,
    chunk_mb: Chunk = None,
    file: File = None,
    queue: Queue = "status_update",
    grouping: Groups = None,
    config: Config = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Announce that the recovery of a granule begins.

    Lines of --file may leave out times, and the statusId, s3MultipartChunksizeMb and filename of each file.

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
    fields = {
        "jobId": job,
        "collectionId": collection,
        "granuleId": granule,
        "archiveDestination": archive,
        "files": files or None,
    }
    template = messages.new_job(datetime.now(UTC), _grouping(settings, queue, grouping))
    send_all(_messages(template, file, fields), settings, queue, dry_run=dry_run, as_json=as_json)


@send.command("file-status")
def file_status(
    job: Job = None,
    collection: Collection = None,
    granule: Granule = None,
    filename: Filename = None,
    status: Annotated[StatusName | None, typer.Option(help="Its status now.")] = None,
    error: Annotated[str | None, typer.Option(help="What went wrong; needed for failed.")] = None,
    file: File = None,
    queue: Queue = "status_update",
    grouping: Groups = None,
    config: Config = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Report the status of a file.

    Lines of --file may leave out lastUpdate and completionTime.

    \b
    orca-daemon send file-status --job op-1 --collection C___001 --granule g-1 \\
        --filename g.h5 --status failed --error "the object is gone"
    orca-daemon send file-status --file - < updates.jsonl
    """
    settings = settings_or_exit(config)
    fields = {
        "jobId": job,
        "collectionId": collection,
        "granuleId": granule,
        "filename": filename,
        "statusId": status.status.value if status else None,
        "errorMessage": error,
    }
    template = messages.file_status(datetime.now(UTC), _grouping(settings, queue, grouping))
    send_all(_messages(template, file, fields), settings, queue, dry_run=dry_run, as_json=as_json)


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
    queue: Queue = "recovery",
    config: Config = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Request the copy of a restored object to its destination.

    Lines of --file may leave out filename, targetKey and s3MultipartChunksizeMb.

    \b
    orca-daemon send copy --job op-1 --collection C___001 --granule g-1 \\
        --source s3://orca-archive/d/g.h5 --destination protected
    """
    bucket, key = _bucket_and_key(source)
    fields = {
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
    template = messages.copy_request(CopyRules.of(settings))
    send_all(_messages(template, file, fields), settings, queue, dry_run=dry_run, as_json=as_json)


@send.command("catalog")
def catalog(
    provider: Annotated[str | None, typer.Option(help="Id of the granule's provider.")] = None,
    collection: Annotated[
        str | None, typer.Option("--collection", help="Id of the collection: SHORTNAME___VERSION.")
    ] = None,
    granule: Granule = None,
    execution: Annotated[str | None, typer.Option(help="Id of the execution that archived it.")] = None,
    archived: Annotated[
        str | None, typer.Option("--object", help="s3://bucket/key of a file in the archive.")
    ] = None,
    cumulus_bucket: Annotated[str | None, typer.Option(help="Bucket that Cumulus has the file in.")] = None,
    size: Annotated[int | None, typer.Option(help="Its size in bytes.")] = None,
    etag: Annotated[str | None, typer.Option(help="Its ETag in S3, with the double quotes.")] = None,
    version: Annotated[str | None, typer.Option(help="Its version id in S3.")] = None,
    storage_class: Annotated[str | None, typer.Option(help="Its storage class in S3.")] = None,
    file: File = None,
    queue: Queue = "catalog",
    config: Config = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Write a granule and its archived files to the catalog.

    A message of several files comes from --file.  Its lines may leave out times, the shortname and version of
    the collection, the name of the provider, and the name, hash and hashType of a file.

    \b
    orca-daemon send catalog --provider p --collection C___001 --granule g-1 --execution e-1 \\
        --object s3://orca-archive/d/g.h5 --cumulus-bucket protected --size 6 \\
        --etag '"9b2c"' --version v1 --storage-class GLACIER
    orca-daemon send catalog --file granules.jsonl
    """
    settings = settings_or_exit(config)
    bucket, key = _bucket_and_key(archived)
    one = {
        "cumulusArchiveLocation": cumulus_bucket,
        "orcaArchiveLocation": bucket,
        "keyPath": key,
        "sizeInBytes": size,
        "storageClass": storage_class,
        "version": version,
        "etag": etag,
    }
    fields = {
        "provider": _given({"providerId": provider}),
        "collection": _given({"collectionId": collection}),
        "granule": _given(
            {
                "cumulusGranuleId": granule,
                "executionId": execution,
                "files": [given] if (given := _given(one)) else None,
            }
        ),
    }
    template = messages.catalog_record(datetime.now(UTC))
    send_all(_messages(template, file, fields), settings, queue, dry_run=dry_run, as_json=as_json)


@send.command("restore")
def restore(
    job: Job = None,
    collection: Collection = None,
    granule: Granule = None,
    archive: Annotated[str | None, typer.Option(help="Archive bucket that the files are in.")] = None,
    destination: Annotated[str | None, typer.Option(help="Bucket that the files go to.")] = None,
    key: Annotated[list[str] | None, typer.Option(help="Key of a file; repeatable.")] = None,
    tier: Annotated[
        Tier | None, typer.Option(case_sensitive=False, help="How fast S3 restores; default: the setting.")
    ] = None,
    days: Annotated[int | None, typer.Option(help="Days for which S3 keeps a restored object.")] = None,
    chunk_mb: Chunk = None,
    file: File = None,
    queue: Queue = "restore",
    config: Config = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Request the restore of archived files by their keys.

    Lines of --file are as ORCA's request_from_archive takes them, with or without input and config, or as its
    recovery workflow does.  To restore granules of the catalog, see orca-daemon restore.

    \b
    orca-daemon send restore --collection C___001 --granule g-1 --archive orca-archive \\
        --destination protected --key d/g.h5 --tier Bulk
    orca-daemon send restore --file requests.jsonl
    """
    from orca_daemon.queues.restore.rules import RestoreRules

    fields = _request_fields(collection, granule, destination, key)
    config_fields = {
        "asyncOperationId": job,
        "defaultBucketOverride": archive,
        "defaultRecoveryTypeOverride": tier,
        "expireDays": days,
        "s3MultipartChunksizeMb": chunk_mb,
    }
    given = {name: value for name, value in config_fields.items() if value is not None}
    settings = settings_or_exit(config)
    url = queue if "://" in queue else section.url if (section := settings.queues.get(queue)) else None
    template = messages.restore_request(RestoreRules.of(settings), fifo=bool(url and url.endswith(".fifo")))
    requests = _messages(template, file, {"input": fields, "config": given or None})
    send_all(requests, settings, queue, dry_run=dry_run, as_json=as_json)


@send.command("inventory")
def inventory(
    manifest: Annotated[
        str | None, typer.Argument(help="s3://bucket/…/manifest.json of an inventory.", show_default=False)
    ] = None,
    region: Annotated[str | None, typer.Option(help="Region of that bucket.", envvar="AWS_REGION")] = None,
    file: File = None,
    queue: Queue = "internal_report",
    config: Config = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Request the comparison of an S3 inventory with the catalog.

    \b
    orca-daemon send inventory --region us-west-2 \\
        s3://orca-reports/orca-archive/orca-archive-inventory/2026-11-20T01-00Z/manifest.json
    """
    settings = settings_or_exit(config)
    bucket, key = _bucket_and_key(manifest)
    bucket_region = (region or settings.aws.region) if manifest else None
    fields = {"reportBucketRegion": bucket_region, "reportBucketName": bucket, "manifestKey": key}
    requests = _messages(messages.inventory_pointer, file, fields)
    send_all(requests, settings, queue, dry_run=dry_run, as_json=as_json)


@send.command("export")
def export(
    tables: Annotated[list[str] | None, typer.Argument(help="Tables to export.", show_default=False)] = None,
    file: File = None,
    queue: Queue = "internal_report",
    config: Config = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Request an export of the changed rows of tables as Parquet.

    \b
    orca-daemon send export recovery_job recovery_file
    """
    requests = _messages(messages.export_request, file, {"tables_to_query": tables or None})
    send_all(requests, settings_or_exit(config), queue, dry_run=dry_run, as_json=as_json)


def _attribute(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise typer.BadParameter(f"--attribute takes NAME=VALUE, not {text!r}")
    return name, value


def _grouping(settings: Settings, queue: str, chosen: Grouping | None) -> Grouping:
    section = settings.queues.get(queue)
    return chosen or (section.grouping if section else Grouping.QUEUE)


def _request_fields(
    collection: str | None, granule: str | None, destination: str | None, keys: list[str] | None
) -> Document | None:
    """The granule of a restore request; None if no flag names a part of it."""
    files = [{"key": key, "destBucket": destination} for key in keys or ()]
    parts = {"collectionId": collection, "granuleId": granule, "keys": files or None}
    given = {name: value for name, value in parts.items() if value is not None}
    return {"granules": [given]} if given or destination else None


def _bucket_and_key(url: str | None) -> tuple[str | None, str | None]:
    if url is None:
        return None, None
    named = s3_object(url)
    return named.bucket, named.key


def _given(fields: Document) -> Document | None:
    """The fields with a value; None if none has one."""
    return {name: value for name, value in fields.items() if value is not None} or None


def _messages(template: Template, file: str | None, fields: Document) -> Callable[[], Iterator[Outgoing]]:
    """Makes the messages of the file or, without a file, the message of the flags; again at each call."""
    given = {name: value for name, value in fields.items() if value is not None}
    if file is None:
        return lambda: (template(document) for document in [given])
    if given:
        raise typer.BadParameter("name either a file or the fields of a message, not both")
    lines = _lines(file)

    def from_file() -> Iterator[Outgoing]:
        # A generator, so that an error of the file is raised where the messages are iterated.
        yield from messages.fill(lines(), template)

    return from_file


def _lines(file: str) -> Callable[[], Iterable[tuple[int, str]]]:
    """Reads the file, again at each call; input that can be read only once, such as a pipe, is kept."""
    if file == "-":
        return cache(lambda: list(messages.numbered(sys.stdin)))
    path = Path(file)
    if path.is_file():
        return lambda: messages.numbered_lines(path)
    return cache(lambda: list(messages.numbered_lines(path)))
