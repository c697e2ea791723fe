"""`orca-daemon catalog`: what ORCA's catalog has of a granule, and how much it has in all."""

from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from orca_daemon.cli.exits import run, settings_or_exit
from orca_daemon.cli.options import AsJson, Config
from orca_daemon.cli.output import format_time, print_json, print_table

if TYPE_CHECKING:
    from orca_daemon.db.catalog import CatalogCount, CatalogGranule


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
        str, typer.Argument(metavar="GRANULE|KEY", help="Id of a granule, key of a file, or s3://bucket/key.")
    ],
    collection: Annotated[str | None, typer.Option("--collection", help="Only in this collection.")] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show a granule with its files, in every collection that has it.  Exits 1 if there is none.

    \b
    orca-daemon catalog show MOD09GQ.A2017025
    orca-daemon catalog show s3://orca-archive/MOD09GQ/2017/a.hdf --json
    """
    from orca_daemon.operations.catalog import find_granules

    granules = run(find_granules(settings_or_exit(config), name, collection=collection))
    if as_json:
        print_json({"granules": [asdict(granule) for granule in granules]})
        return
    for granule in granules:
        _print_granule(granule)


def count(
    by: Annotated[By, typer.Option("--by", help="What to count by.")] = By.COLLECTION,
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

    counts = run(count_catalog(settings_or_exit(config), CountBy(by)))
    if as_json:
        print_json({"by": by.value, "counts": [asdict(each) for each in counts]})
        return
    _print_counts(by, counts)


def _print_granule(granule: "CatalogGranule") -> None:
    provider = granule.provider_id
    if granule.provider_name:
        provider = f"{provider} ({granule.provider_name})"
    print_table(
        ("granule", "collection", "provider", "execution", "created", "ingested", "last update"),
        [
            (
                *(granule.granule_id, granule.collection_id, provider, granule.execution_id),
                *(format_time(granule.cumulus_create_time), format_time(granule.ingest_time)),
                format_time(granule.last_update),
            )
        ],
    )
    print_table(
        ("archived as", "Cumulus bucket", "#bytes", "class", "ETag", "version", "hash", "ingested"),
        (
            (
                f"s3://{file.orca_archive_location}/{file.key_path}",
                *(file.cumulus_archive_location, f"{file.size_in_bytes:,}", file.storage_class, file.etag),
                *(
                    file.version,
                    file.hash and f"{file.hash_type}: {file.hash}",
                    format_time(file.ingest_time),
                ),
            )
            for file in granule.files
        ),
    )


def _print_counts(by: By, counts: "Sequence[CatalogCount]") -> None:
    rows = [(each.name, f"{each.granules:,}", f"{each.files:,}", f"{each.bytes:,}") for each in counts]
    print_table((by.value, "#granules", "#files", "#bytes"), rows)
