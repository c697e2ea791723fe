"""`orca-daemon copy`: one copy by hand, by the code that makes them all."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orca_daemon.cli.options import AsJson, Config
from orca_daemon.cli.settings import settings_or_exit
from orca_daemon.settings.buckets import CopyRules
from orca_daemon.wire.s3_names import key_problem

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from orca_daemon.aws.s3copy import Copied, CopyProgress, S3Object
    from orca_daemon.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("copy")(copy)


def copy(
    source: Annotated[str, typer.Argument(help="s3://bucket/key of the object.")],
    target: Annotated[str, typer.Argument(help="s3://bucket/key of the copy.")],
    chunk: Annotated[
        int | None, typer.Option(min=5, max=5120, help="Size of a part, MiB; default: the setting.")
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Copy one object on the server side, and verify the copy.

    The source is pinned; nothing is copied if the target holds the same already, nor where copies.sources,
    copies.targets or export.bucket forbid it.

    Exit codes: 0 the target holds the object, 1 it does not, 2 usage, 78 settings are wrong.

    \b
    orca-daemon copy s3://orca-archive/d/g.h5 s3://protected/d/g.h5
    """
    from orca_daemon.cli.connections import run

    settings = settings_or_exit(config)
    here, there = _place(source), _place(target)
    if refusal := CopyRules.of(settings).refusal(here.bucket, there.bucket):
        typer.echo(f"orca-daemon: {refusal}", err=True)
        raise typer.Exit(1)
    copied = run(_copy(settings, here, there, chunk, quiet=as_json))
    if as_json:
        typer.echo(json.dumps({"source": str(here), "target": str(there), **asdict(copied)}))
    else:
        typer.echo(_summary(copied, there))


def _place(url: str) -> "S3Object":
    from orca_daemon.aws.s3copy import S3Object

    try:
        place = S3Object.of(url)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if problem := key_problem(place.key):
        raise typer.BadParameter(f"the key of {url!r} {problem}")
    return place


async def _copy(
    settings: "Settings", source: "S3Object", target: "S3Object", chunk: int | None, *, quiet: bool
) -> "Copied":
    from orca_daemon.aws.clients import connect
    from orca_daemon.aws.s3copy import Copier, CopyError
    from orca_daemon.aws.s3copy.plan import MIB
    from orca_daemon.engine.errors import NotYet, Reject
    from orca_daemon.queues.recovery import options

    async with connect(settings) as clients:
        with _bar(quiet=quiet) as bar:
            copier = Copier(clients.s3, options(settings.copies), _shown_in(bar))
            try:
                return await copier.copy(source, target, chunk=chunk * MIB if chunk else None)
            except (CopyError, NotYet) as error:
                raise Reject(str(error)) from error


def _bar(*, quiet: bool) -> "Bar":
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns: tuple[Any, ...] = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    # On standard error, so that the result can be piped; on a terminal only, where a bar can move.
    console = Console(stderr=True)
    return Bar(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)


def _shown_in(bar: "Bar") -> "Any":
    task = bar.add_task("copy", total=None)

    def moved(progress: "CopyProgress") -> None:
        bar.update(task, total=progress.size, completed=progress.done)

    return moved


def _summary(copied: "Copied", target: "S3Object") -> str:
    if copied.skipped:
        return f"{target} holds it already ({copied.size:,} bytes, shown by {copied.by})"
    how = "one request" if copied.parts == 1 else f"{copied.parts:,} parts"
    rate = copied.size / 1024**2 / copied.seconds if copied.seconds else 0.0
    return (
        f"copied {copied.size:,} bytes to {target} by {how} in {copied.seconds:.1f} s "
        f"({rate:.0f} MiB/s), verified by {copied.by}"
    )
