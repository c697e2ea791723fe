"""Reads from the catalog which files granules have in the archive, for a restore."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from orca_daemon.db.sql import load

_SQL = load(__package__, "archived.sql")


@dataclass(frozen=True, slots=True)
class WantedGranule:
    """A granule that an operator names."""

    granule_id: str
    collection_id: str | None = None
    """None: whichever collection has it."""


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """A file as the catalog has it."""

    name: str
    key: str
    archive: str
    """The bucket that it is in."""
    size: int
    """Bytes."""
    storage_class: str


@dataclass(frozen=True, slots=True)
class ArchivedGranule:
    """A granule of the catalog with its files, ordered by key."""

    collection_id: str
    granule_id: str
    files: tuple[ArchivedFile, ...]


def find_granules(connection: Connection, wanted: Sequence[WantedGranule]) -> list[ArchivedGranule]:
    """The granules that the catalog has, ordered by collection and id; a wanted one may be in several.

    One statement for all granules that name their collection, and one for the others, which has to read
    every granule, because the catalog's index begins with the collection.
    """
    found: dict[tuple[str, str], list[ArchivedFile]] = {}
    for name, parameters in _statements(wanted):
        for collection, granule, *file in connection.execute(_SQL[name], parameters):
            files = found.setdefault((collection, granule), [])
            if file[0] is not None:
                files.append(ArchivedFile(*file))
    return [
        ArchivedGranule(*identity, tuple(sorted(set(files), key=lambda file: (file.key, file.archive))))
        for identity, files in sorted(found.items())
    ]


def _statements(wanted: Sequence[WantedGranule]) -> Iterable[tuple[str, dict[str, list[str]]]]:
    """The statements to execute, each with its parameters."""
    named = [one for one in wanted if one.collection_id is not None]
    if named:
        collections = [one.collection_id or "" for one in named]
        yield "with_collection", {"collections": collections, "granules": [one.granule_id for one in named]}
    if others := [one.granule_id for one in wanted if one.collection_id is None]:
        yield "in_any_collection", {"granules": others}
