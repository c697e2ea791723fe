"""`orca-daemon reports` and `orca-daemon report`: the results of comparisons of S3 with the catalog."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orca_daemon.cli.exits import run, settings_or_exit
from orca_daemon.cli.options import AsCsv, AsJson, Config, Wide
from orca_daemon.cli.output import envelope, note, print_any_json, print_json
from orca_daemon.cli.table import Column
from orca_daemon.cli.view import Columns, Form, View, columns_option, view_of
from orca_daemon.wire.reconciliation import DifferenceKind

if TYPE_CHECKING:
    from orca_daemon.settings import Settings

Row = dict[str, Any]
_NO_COMPARISONS = (
    "There are no comparisons yet: an inventory on the queue internal_report makes one, or by hand "
    "orca-daemon reconcile s3://BUCKET/.../manifest.json."
)
COMPARISONS = (
    Column(name="id"),
    Column(name="bucket", rank=1, least=14, middle=True),
    Column(name="inventory_creation_time", header="INVENTORY (UTC)", rank=6),
    Column(name="status", rank=2),
    Column(name="start_time", header="STARTED (UTC)", rank=9, extra=True),
    Column(name="last_update", header="LAST UPDATE (UTC)", rank=10, extra=True),
    Column(name="end_time", header="FINISHED (UTC)", rank=8, extra=True),
    Column(name="phantom", number=True, rank=3),
    Column(name="orphan", number=True, rank=4),
    Column(name="mismatch", number=True, rank=5),
    Column(name="error_message", header="ERROR", rank=7, least=20, prose=True),
)
_KEY = Column(name="key_path", header="KEY", least=30, middle=True, identifies=True)
_CATALOG_NAMES = (
    Column(name="collection_id", header="COLLECTION", rank=7, extra=True, least=16, middle=True),
    Column(name="granule_id", header="GRANULE", rank=4, least=20, middle=True),
    Column(name="filename", header="FILE", rank=8, extra=True, least=20, middle=True),
)
_SIZE, _TIME, _CLASS, _ETAG = 1, 3, 6, 9
DIFFERENCES: Mapping[DifferenceKind, Columns] = {
    DifferenceKind.PHANTOM: (
        _KEY,
        *_CATALOG_NAMES,
        Column(name="orca_etag", rank=_ETAG, extra=True),
        Column(name="orca_last_update", header="ORCA LAST UPDATE (UTC)", rank=_TIME, extra=True),
        Column(name="orca_size_in_bytes", header="ORCA BYTES", number=True, rank=_SIZE),
        Column(name="orca_storage_class", rank=_CLASS, extra=True),
    ),
    DifferenceKind.ORPHAN: (
        _KEY,
        Column(name="s3_etag", rank=_ETAG, extra=True),
        Column(name="s3_last_update", header="S3 LAST UPDATE (UTC)", rank=_TIME, extra=True),
        Column(name="s3_size_in_bytes", header="S3 BYTES", number=True, rank=_SIZE),
        Column(name="s3_storage_class", rank=_CLASS, extra=True),
    ),
    DifferenceKind.MISMATCH: (
        _KEY,
        Column(name="discrepancy_type", header="DIFFERENT IN", rank=1),
        *_CATALOG_NAMES,
        Column(name="cumulus_archive_location", header="ARCHIVE", rank=11, extra=True, least=16, middle=True),
        Column(name="orca_etag", rank=_ETAG, extra=True),
        Column(name="s3_etag", header="S3 ETAG", rank=_ETAG, extra=True),
        Column(name="orca_last_update", header="ORCA LAST UPDATE (UTC)", rank=_TIME + 2, extra=True),
        Column(name="s3_last_update", header="S3 LAST UPDATE (UTC)", rank=_TIME + 2, extra=True),
        Column(name="orca_size_in_bytes", header="ORCA BYTES", number=True, rank=_SIZE + 1),
        Column(name="s3_size_in_bytes", header="S3 BYTES", number=True, rank=_SIZE + 1),
        Column(name="orca_storage_class", rank=_CLASS, extra=True),
        Column(name="s3_storage_class", header="S3 STORAGE CLASS", rank=_CLASS, extra=True),
        Column(name="may_be_a_race", rank=10, extra=True),
    ),
}
"""Of the report of each kind; what S3 says, and what ORCA's catalog says."""
_TITLES = {
    DifferenceKind.PHANTOM: "phantoms: in the catalog, but not in S3",
    DifferenceKind.ORPHAN: "orphans: in S3, but not in the catalog",
    DifferenceKind.MISMATCH: "mismatches: in both, but different",
}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("reports")(reports)
    app.command("report")(report)


def reports(
    bucket: Annotated[str | None, typer.Option(help="Only of this archive bucket.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The most jobs.")] = 50,
    wide: Wide = False,
    columns: Annotated[str | None, columns_option(COMPARISONS)] = None,
    as_csv: AsCsv = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """List comparisons, the newest inventory first.

    \b
    orca-daemon reports --bucket archive
    """
    from orca_daemon.operations.comparison import list_comparisons

    view = view_of(COMPARISONS, wide=wide, columns=columns, as_csv=as_csv, as_json=as_json)
    comparisons = run(list_comparisons(settings_or_exit(config), bucket=bucket, limit=limit))
    if as_json:
        # An array, as it always was: an array has no keys, so its elements have those of the envelope.
        print_any_json([envelope("reports", comparison) for comparison in comparisons])
        return
    view.show(
        COMPARISONS,
        comparisons,
        empty=f"No comparison of the bucket {bucket}." if bucket else _NO_COMPARISONS,
    )


def report(
    job: Annotated[int, typer.Argument(metavar="ID", help="Id of the job, as `reports` lists it.")],
    kind: Annotated[DifferenceKind | None, typer.Option(help="Only differences of this kind.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="The most rows of a kind; 0 is all.")] = 100,
    wide: Wide = False,
    columns: Annotated[str | None, columns_option(*DIFFERENCES.values())] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV; needs --kind.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show the differences that one comparison found.  Exits 1 if the job does not exist.

    In CSV, a text that a spreadsheet would take for a formula begins with an apostrophe; --json is exact.

    \b
    orca-daemon report 4711 --kind phantom --limit 0 --csv > phantoms.csv
    """
    from orca_daemon.operations.comparison import read_comparison

    if as_csv and kind is None:
        raise typer.BadParameter("--csv prints one kind: name it with --kind")
    kinds = [kind] if kind else list(DifferenceKind)
    tables = [DIFFERENCES[each] for each in kinds]
    view = view_of(*tables, wide=wide, columns=columns, as_csv=as_csv, as_json=as_json)
    settings = settings_or_exit(config)
    comparison = run(read_comparison(settings, job))
    if as_json:
        lists: dict[str, list[Row]] = {}
        _read(settings, job, kinds, limit, lambda kind, rows: lists.update({kind: list(rows)}))
        print_json("report", comparison | {"rows": lists})
        return
    if view.form is Form.TABLE:
        View(wide=wide).show(COMPARISONS, [comparison])
    shown = _Shown(view, comparison)
    _read(settings, job, kinds, limit, shown.show)
    if not shown.rows:
        note(_nothing(comparison, kind))


def _read(
    settings: "Settings",
    job: int,
    kinds: Sequence[DifferenceKind],
    limit: int,
    take: Callable[[DifferenceKind, Iterable[Row]], None],
) -> None:
    from orca_daemon.operations.comparison import read_report

    run(read_report(settings, job, kinds, limit or None, take))


@dataclass(slots=True)
class _Shown:
    """Prints the differences as they are read, and counts them."""

    view: View
    comparison: Row
    rows: int = 0

    def show(self, kind: DifferenceKind, rows: Iterable[Row]) -> None:
        found = self.comparison[kind]
        if self.view.form is Form.TABLE and found:
            typer.echo()
        shown = self.view.show(DIFFERENCES[kind], rows, title=_TITLES[kind])
        self.rows += shown
        if 0 < shown < found:
            note(f"{shown:,} of {found:,} are shown; --limit 0 shows all")


def _nothing(comparison: Row, kind: DifferenceKind | None) -> str:
    if comparison["status"] != "success":
        return f"The comparison has the status {comparison['status']}: it has no reports."
    return f"The report has no {kind}." if kind else "The bucket and the catalog agree: no differences."
