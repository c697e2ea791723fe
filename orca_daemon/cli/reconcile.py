"""`orca-daemon reconcile`: compare an inventory with the catalog now, by hand or from a schedule."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from orca_daemon.cli.exits import run, settings_or_exit
from orca_daemon.cli.options import AsJson, Config, s3_object
from orca_daemon.cli.output import note, print_json, print_table, progress_bar

if TYPE_CHECKING:
    from rich.progress import TaskID

    from orca_daemon.reconcile.protocol import Message
    from orca_daemon.reconcile.run import ComparisonOutcome
    from orca_daemon.wire.inventory import InventoryPointer, StoredListing

_LONGEST_ID = 40
"""Digits; Python refuses to read a number of more than 4,300."""
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
        typer.Option(
            min=0,
            help="Files catalogued less than this many seconds before the inventory was taken are not"
            " reported as phantoms; default: the setting.",
        ),
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

    Exit codes: 0 compared, with or without differences; 1 the comparison failed; 2 usage; 78 settings are
    wrong.

    \b
    orca-daemon reconcile s3://reports/archive/inventory/2026-11-20T01-00Z/manifest.json
    orca-daemon reconcile 4711 --bucket archive
    """
    from orca_daemon.operations.comparison import compare

    listing = _listing(manifest, region, bucket)
    flags = {"reconcile.race_window": race_window, "reconcile.allow_empty": allow_empty}
    settings = settings_or_exit(config, flags)
    with _progress(quiet=as_json) as on_message:
        outcome = run(compare(settings, listing, on_message=on_message))
    _print_outcome(outcome, as_json=as_json)


def _listing(text: str, region: str | None, bucket: str | None) -> "InventoryPointer | StoredListing":
    from orca_daemon.wire.inventory import InventoryPointer, StoredListing
    from orca_daemon.wire.wire_model import MalformedError, make

    try:
        if text.isdecimal() and len(text) <= _LONGEST_ID:
            if bucket is None:
                raise typer.BadParameter("the id of a job needs --bucket")
            return make(StoredListing, "job", job_id=int(text), orca_archive_location=bucket)
        named = s3_object(text)
        names = {"report_bucket_name": named.bucket, "manifest_key": named.key}
        return make(InventoryPointer, "manifest", report_bucket_region=region, **names)
    except MalformedError as error:
        raise typer.BadParameter(str(error)) from None


@contextmanager
def _progress(*, quiet: bool) -> "Iterator[Callable[[Message], None]]":
    """A bar for each stage, on a terminal only."""
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

    from orca_daemon.reconcile.protocol import StageProgress, Waiting

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f}"))
    with progress_bar(*columns, TimeElapsedColumn(), quiet=quiet) as bars:
        tasks: dict[str, TaskID] = {}

        def on_message(message: "Message") -> None:
            if isinstance(message, Waiting):
                bars.console.print("another process works on this job: waiting")
            if isinstance(message, StageProgress):
                stage = message.stage
                if stage not in tasks:
                    tasks[stage] = bars.add_task(_STAGES.get(stage, stage), total=None)
                bars.update(tasks[stage], completed=message.done, total=message.total)

        yield on_message


def _print_outcome(outcome: "ComparisonOutcome", *, as_json: bool) -> None:
    compared, written = outcome.compared, outcome.written
    if compared is None or written is None:
        raise AssertionError("a comparison by hand never reuses the reports of an earlier one")
    if as_json:
        document = {"job": outcome.job, "bucket": outcome.bucket, "seconds": round(outcome.seconds, 3)}
        document |= {"compared": asdict(compared), "reports": dict(written.by_kind)}
        print_json("reconcile", document)
        return
    counts = [
        ("objects listed", compared.listed),
        ("files in the catalog", compared.catalogued),
        ("agree", compared.matched),
        *([("could not be compared", compared.not_compared)] if compared.not_compared else []),
        ("not in S3, but too new to be reported", compared.recent),
        ("phantoms: catalogued, but not in S3", written.phantoms),
        ("orphans: in S3, but not catalogued", written.orphans),
        ("mismatches: in both, but different", written.mismatches),
    ]
    title = f"job {outcome.job}: {outcome.bucket}, {outcome.seconds:.1f} s"
    print_table(("result", "#count"), counts, title=title)
    for example in compared.not_compared_examples:
        note(f"not compared: {example}")
    if any(written.by_kind.values()):
        note(f"to list them: orca-daemon report {outcome.job}")
