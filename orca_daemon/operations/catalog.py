"""The catalog as the database has it: a granule with its files, and counts."""

from orca_daemon.db import catalog
from orca_daemon.db.catalog import CatalogCount, CatalogGranule, CountBy
from orca_daemon.operations.collections import near_collections, question
from orca_daemon.operations.database import database
from orca_daemon.operations.errors import NotFoundError
from orca_daemon.settings import Settings


async def find_granules(
    settings: Settings, name: str, *, collection: str | None = None
) -> list[CatalogGranule]:
    """The granules with this id, or with a file of this key; in any collection, or in one.

    Args:
        settings: with a database.
        name: the id of a granule, a key in the archive, or an archived object as `s3://bucket/key`.
        collection: the id of a collection.

    Raises:
        NotFoundError: the catalog has none.
        AddressError, DependencyDown, PostgresError: the database cannot be read.
    """
    bucket, key = _object(name)
    async with database(settings) as opened:
        granules = await opened.transact(catalog.find, key or name, collection)
        near = await near_collections(opened, collection) if collection and not granules else []
    if bucket:
        wanted = (bucket, key)
        granules = [
            granule
            for granule in granules
            if any((file.orca_archive_location, file.key_path) == wanted for file in granule.files)
        ]
    if not granules:
        place = f" in the collection {collection!r}" if collection else ""
        text = f"the catalog has neither a granule nor a file {name!r}{place}"
        raise NotFoundError("; ".join(filter(None, (text, question(collection or "", near)))))
    return granules


async def count_catalog(settings: Settings, by: CountBy) -> list[CatalogCount]:
    """Numbers of granules, files and bytes by name; takes seconds for millions of files.

    Raises:
        AddressError, DependencyDown, PostgresError: the database cannot be read.
    """
    async with database(settings) as opened:
        return await opened.stream(catalog.count, by)


def _object(name: str) -> tuple[str, str]:
    """Bucket and key of a URL, else empty texts."""
    if not name.startswith("s3://"):
        return "", ""
    bucket, _, key = name.removeprefix("s3://").partition("/")
    return bucket, key
