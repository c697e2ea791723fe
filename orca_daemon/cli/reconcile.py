"""`orca-daemon reconcile`: compare an inventory with the catalog now, by hand or from a schedule."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orca_daemon.cli.options import AsJson, Config
from orca_daemon.cli.settings import settings_or_exit

if TYPE_CHECKING:
    from orca_daemon.reconcile.protocol import Message
    from orca_daemon.reconcile.run import ComparisonOutcome
    from orca_daemon.settings import Settings
    from orca_daemon.wire.inventory import InventoryPointer, StoredListing

_STAGES = {
    "listing": "fetching the listing",
    "catalog": "reading the catalog",
    "comparing": "comparing",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("reconcile")(reconcile)


def reconcile(
    manifest: Annotated[
        str, typer.Argument(metavar="MANIFEST", help="s3://BUCKET/…/manifest.json, or the id of a job.")
    ],
    region: Annotated[str | None, typer.Option(help="Region of the bucket; default: the daemon's.")] = None,
    race_window: Annotated[
        float | None,
        typer.Option(min=0, help="Seconds before the inventory in which missing objects are no phantoms."),
    ] = None,
    allow_empty: Annotated[
        bool | None, typer.Option("--allow-empty", help="Accept a listing without objects.")
    ] = None,
    bucket: Annotated[
        str | None, typer.Option(help="With the id of a job whose listing ORCA stored: its bucket.")
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Compare an S3 inventory with the catalog and write its reports.

    An inventory that was compared before is compared again, and its reports are replaced.  Nothing is
    written if anything fails.

    Exit codes: 0 done, whatever was found; 1 the comparison failed; 2 usage; 78 settings are wrong.

    \b
    orca-daemon reconcile s3://reports/archive/inventory/2026-11-20T01-00Z/manifest.json
    orca-daemon reconcile 4711 --bucket archive
    """
    what = _listing(manifest, region, bucket)
    flags = {"reconcile.race_window": race_window, "reconcile.allow_empty": allow_empty}
    settings = settings_or_exit(config, flags)
    from orca_daemon.cli.connections import run

    outcome = run(_compared(settings, what, quiet=as_json))
    _print_outcome(outcome, as_json=as_json)


def _listing(text: str, region: str | None, bucket: str | None) -> "InventoryPointer | StoredListing":
    from orca_daemon.wire.inventory import InventoryPointer, StoredListing, is_manifest

    if text.isdecimal():
        if bucket is None:
            raise typer.BadParameter("a job needs --bucket")
        return StoredListing(job_id=int(text), orca_archive_location=bucket)
    place, _, key = text.removeprefix("s3://").partition("/")
    if not (text.startswith("s3://") and place and is_manifest(key)):
        raise typer.BadParameter("not s3://BUCKET/…/manifest.json")
    return InventoryPointer(report_bucket_region=region, report_bucket_name=place, manifest_key=key)


async def _compared(
    settings: "Settings", what: "InventoryPointer | StoredListing", *, quiet: bool
) -> "ComparisonOutcome":
    from orca_daemon.aws.clients import connect
    from orca_daemon.cli.connections import database
    from orca_daemon.engine.errors import NotYet, Refused, Reject
    from orca_daemon.reconcile.run import ComparisonFailedError, Reconciler
    from orca_daemon.wire.inventory import InventoryPointer

    async with connect(settings) as clients, database(settings) as opened:
        reconciler = Reconciler(settings, opened, clients.s3)
        try:
            with _progress(quiet=quiet) as on_message:
                if isinstance(what, InventoryPointer):
                    return await reconciler.inventory(what, on_message=on_message)
                return await reconciler.stored(what, on_message=on_message)
        except (ComparisonFailedError, NotYet, Refused, Reject) as error:
            # By hand there is no other attempt: the job is over.
            await reconciler.give_up(what, str(error))
            raise Reject(str(error)) from None


@contextmanager
def _progress(*, quiet: bool) -> "Iterator[Callable[[Message], None]]":
    """A bar for each stage, on a terminal only."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from orca_daemon.reconcile.protocol import StageProgress as Reached
    from orca_daemon.reconcile.protocol import Waiting

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f}"))
    off = quiet or not console.is_terminal
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True, disable=off) as bars:
        tasks: dict[str, Any] = {}

        def on_message(message: "Message") -> None:
            if isinstance(message, Waiting):
                bars.console.print("another process works on this job: waiting")
            if isinstance(message, Reached):
                if message.stage not in tasks:
                    tasks[message.stage] = bars.add_task(
                        _STAGES.get(message.stage, message.stage), total=None
                    )
                bars.update(tasks[message.stage], completed=message.done, total=message.total)

        yield on_message


def _print_outcome(outcome: "ComparisonOutcome", *, as_json: bool) -> None:
    compared, written = outcome.compared, outcome.written
    if compared is None or written is None:
        raise AssertionError("only messages are satisfied by an earlier comparison")
    facts = {"job": outcome.job, "bucket": outcome.bucket, "seconds": round(outcome.seconds, 3)}
    if as_json:
        typer.echo(
            json.dumps(facts | {"compared": asdict(compared), "reports": dict(written.by_kind)}, indent=2)
        )
        return
    from orca_daemon.cli.tables import show

    rows = [
        ("objects listed", f"{compared.listed:,}"),
        ("files in the catalog", f"{compared.catalogued:,}"),
        ("agree", f"{compared.matched:,}"),
        *([("could not be compared", f"{compared.not_compared:,}")] if compared.not_compared else []),
        ("too young to be missed", f"{compared.recent:,}"),
        ("phantoms: catalogued, but not in S3", f"{written.phantoms:,}"),
        ("orphans: in S3, but not catalogued", f"{written.orphans:,}"),
        ("mismatches: in both, but different", f"{written.mismatches:,}"),
    ]
    show(("", "#"), rows, title=f"job {outcome.job}: {outcome.bucket}, {outcome.seconds:.1f} s")
    for example in compared.not_compared_examples:
        typer.echo(f"not compared: {example}")
    if any(written.by_kind.values()):
        typer.echo(f"orca-daemon report {outcome.job} lists them")
