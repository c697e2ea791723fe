"""`orca-daemon copy`: one copy by hand, by the code that makes all copies."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from orca_daemon.cli.exits import run, settings_or_exit
from orca_daemon.cli.options import AsJson, Config, s3_object
from orca_daemon.cli.output import print_json, printable, progress_bar
from orca_daemon.wire.s3_names import key_problem

if TYPE_CHECKING:
    from orca_daemon.aws.s3copy import Copied, CopyProgress, S3Object


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

    The version of the source that is there now is copied.  Nothing is copied if the target is equal already,
    or if copies.sources, copies.targets or export.bucket forbid it.

    Exit codes: 0 the target holds the object, 1 it does not, 2 usage, 78 settings are wrong.

    \b
    orca-daemon copy s3://orca-archive/d/g.h5 s3://protected/d/g.h5
    """
    from orca_daemon.operations import copying

    settings = settings_or_exit(config)
    source_object, target_object = _object(source), _object(target)
    with _progress(quiet=as_json) as progress:
        copied = run(copying.copy(settings, source_object, target_object, chunk_mib=chunk, progress=progress))
    if as_json:
        # One line for each copy, so that the output of several runs is JSON lines.
        document = {"source": str(source_object), "target": str(target_object), **asdict(copied)}
        print_json("copy", document, indent=None)
    else:
        typer.echo(printable(_summary(copied, target_object)))


def _object(url: str) -> "S3Object":
    parsed = s3_object(url)
    if problem := key_problem(parsed.key):
        raise typer.BadParameter(f"the key of {url!r} {problem}")
    return parsed


@contextmanager
def _progress(*, quiet: bool) -> "Iterator[Callable[[CopyProgress], None]]":
    from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with progress_bar(*columns, quiet=quiet) as bar:
        task = bar.add_task("copy", total=None)
        yield lambda progress: bar.update(task, total=progress.size, completed=progress.done)


def _summary(copied: "Copied", target: "S3Object") -> str:
    if copied.skipped:
        return f"{target} holds it already ({copied.size:,} bytes, verified by {copied.by})"
    how = "one request" if copied.parts == 1 else f"{copied.parts:,} parts"
    rate = copied.size / 1024**2 / copied.seconds if copied.seconds else 0.0
    return (
        f"copied {copied.size:,} bytes to {target} by {how} in {copied.seconds:.1f} s "
        f"({rate:.0f} MiB/s), verified by {copied.by}"
    )
