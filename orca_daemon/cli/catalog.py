"""`orca-daemon catalog`: what ORCA's catalog has of a granule, and how much it has in all."""

from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from orca_daemon.cli.exits import run, settings_or_exit
from orca_daemon.cli.options import AsCsv, AsJson, Config, Wide
from orca_daemon.cli.output import print_json
from orca_daemon.cli.table import Column
from orca_daemon.cli.view import Form, columns_option, view_of

GRANULES = (
    Column(name="collection_id", header="COLLECTION", rank=2, least=16, middle=True),
    Column(name="granule_id", header="GRANULE", least=24, middle=True, identifies=True),
    Column(name="provider_id", header="PROVIDER", rank=4, least=12, middle=True),
    Column(name="execution_id", header="EXECUTION", rank=6, extra=True, least=16, middle=True),
    Column(name="cumulus_create_time", header="CREATED (UTC)", rank=5, extra=True),
    Column(name="ingest_time", header="INGESTED (UTC)", rank=3, extra=True),
    Column(name="last_update", header="LAST UPDATE (UTC)", rank=1),
)
FILES = (
    Column(name="granule_id", header="GRANULE", rank=8, extra=True, least=20, middle=True),
    Column(name="key_path", header="KEY", least=24, middle=True, identifies=True),
    Column(name="orca_archive_location", header="ARCHIVE", rank=2, least=16, middle=True),
    Column(name="cumulus_archive_location", header="CUMULUS", rank=5, extra=True, least=16, middle=True),
    Column(name="size_in_bytes", header="BYTES", rank=1, number=True),
    Column(name="storage_class", header="CLASS", rank=3),
    Column(name="etag", rank=6, extra=True, least=16),
    Column(name="version", rank=7, extra=True, least=16),
    Column(name="hash_type", rank=10, extra=True),
    Column(name="hash", rank=9, extra=True, least=16),
    Column(name="ingest_time", header="INGESTED (UTC)", rank=4),
)
COUNTS = (
    Column(name="name", least=24, middle=True, identifies=True),
    Column(name="granules", number=True),
    Column(name="files", number=True),
    Column(name="bytes", number=True),
)
Collection = Annotated[str | None, typer.Option("--collection", help="Only in this collection.")]


class By(StrEnum):
    """What to count by; `db.catalog.CountBy`, which takes longer to import, has the same values."""

    COLLECTION = "collection"
    PROVIDER = "provider"
    BUCKET = "bucket"
    STORAGE_CLASS = "storage-class"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Show what the catalog has of a granule, and count it.", no_args_is_help=True)
    group.command("show")(show)
    group.command("count")(count)
    app.add_typer(group, name="catalog")


def show(
    name: Annotated[
        str,
        typer.Argument(metavar="GRANULE|KEY", help="Id of a granule, key of a file, or s3://bucket/key."),
    ],
    collection: Collection = None,
    wide: Wide = False,
    columns: Annotated[str | None, columns_option(GRANULES, FILES)] = None,
    as_csv: AsCsv = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show a granule with its files, in every collection that has it.  Exits 1 if there is none.

    CSV has the files.

    \b
    orca-daemon catalog show MOD09GQ.A2017025
    orca-daemon catalog show s3://orca-archive/MOD09GQ/2017/a.hdf --json
    """
    from orca_daemon.operations.catalog import find_granules

    view = view_of(GRANULES, FILES, wide=wide, columns=columns, as_csv=as_csv, as_json=as_json)
    found = run(find_granules(settings_or_exit(config), name, collection=collection))
    granules = [asdict(granule) for granule in found]
    if as_json:
        print_json("catalog show", {"granules": granules})
        return
    if view.form is Form.TABLE and view.show(GRANULES, granules):
        typer.echo()
    files = [
        {"granule_id": granule["granule_id"], **file} for granule in granules for file in granule["files"]
    ]
    view.show(FILES, files, title="files", empty="The catalog has no file of it.")


def count(
    by: Annotated[By, typer.Option("--by", help="What to count by.")] = By.COLLECTION,
    wide: Wide = False,
    columns: Annotated[str | None, columns_option(COUNTS)] = None,
    as_csv: AsCsv = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Count granules, files and bytes.  This reads the whole catalog: seconds for millions of files.

    \b
    orca-daemon catalog count --by collection
    orca-daemon catalog count --by storage-class --json
    """
    from orca_daemon.db.catalog import CountBy
    from orca_daemon.operations.catalog import count_catalog

    view = view_of(COUNTS, wide=wide, columns=columns, as_csv=as_csv, as_json=as_json)
    counts = [asdict(each) for each in run(count_catalog(settings_or_exit(config), CountBy(by)))]
    if as_json:
        print_json("catalog count", {"by": by.value, "counts": counts})
        return
    view.show(COUNTS, counts, empty="The catalog is empty.")
