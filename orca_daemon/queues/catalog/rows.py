"""The rows that a run of catalog records writes: a pure function of the messages."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from orca_daemon.wire.catalog import CatalogFile, CatalogRecord


class GranuleKey(NamedTuple):
    """The unique key of `granules`."""

    collection_id: str
    granule_id: str


class EntangledError(Exception):
    """Several messages of the run place one key in different buckets, so their order matters.

    The engine then repeats them one by one.
    """


@dataclass(slots=True)
class GranuleRow:
    """A row of `granules`: times of its ingest from the first message, everything else from the newest."""

    first: CatalogRecord
    newest: CatalogRecord
    position: int
    """Of the newest message, in the run."""


@dataclass(slots=True)
class FileRow:
    """A row of `files`: its granule from the first message that names it, everything else from the newest."""

    granule: GranuleKey
    file: CatalogFile
    position: int
    """Of the message that `file` is from, in the run."""
    index: int
    """Of `file` in that message."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What a run writes, each part in the order in which every run locks the rows of that table."""

    providers: Mapping[str, str | None]
    """Names by id."""
    collections: Mapping[str, CatalogRecord]
    """The first message of each collection, by its id."""
    granules: Mapping[GranuleKey, GranuleRow]
    files: Sequence[Sequence[FileRow]]
    """In statements: one, unless a message places a key in several buckets."""
    superseded: frozenset[int]
    """Positions of the messages with a part that an earlier message of the run has in a newer version."""


def granule_key(message: CatalogRecord) -> GranuleKey:
    """The granule that a message describes."""
    return GranuleKey(message.collection.collection_id, message.granule.cumulus_granule_id)


def rows(messages: Sequence[CatalogRecord]) -> Rows:
    """The rows of a run, with the same result as if its messages were written one by one.

    A version is newer if its time (`lastUpdate` of a granule, `ingestTime` of a file) is later; if the times
    are equal, the one that comes last is written, as in ORCA.

    Raises:
        EntangledError: the run has several messages, and only one by one they have that result.
    """
    providers: dict[str, str | None] = {}
    collections: dict[str, CatalogRecord] = {}
    granules: dict[GranuleKey, GranuleRow] = {}
    superseded: set[int] = set()
    for position, message in enumerate(messages):
        providers.setdefault(message.provider.provider_id, message.provider.name)
        collections.setdefault(message.collection.collection_id, message)
        key = granule_key(message)
        known = granules.setdefault(key, GranuleRow(message, message, position))
        if message.granule.last_update >= known.newest.granule.last_update:
            known.newest, known.position = message, position
        else:
            superseded.add(position)
    return Rows(
        dict(sorted(providers.items())),
        dict(sorted(collections.items())),
        dict(sorted(granules.items())),
        _files(messages, superseded),
        frozenset(superseded),
    )


def _files(messages: Sequence[CatalogRecord], superseded: set[int]) -> Sequence[Sequence[FileRow]]:
    named = [
        FileRow(key, file, position, index)
        for position, message in enumerate(messages)
        for key in (granule_key(message),)
        for index, file in enumerate(message.granule.files)
    ]
    # By key alone: rows that are unique together have the same key, in whatever buckets.  Stable, so that
    # the files of one key stay in the order in which the messages name them.
    named.sort(key=lambda row: row.file.key_path)
    if not _is_entangled(named):
        return [_newest(named, superseded)] if named else []
    if len(messages) > 1:
        raise EntangledError("messages place one key in different buckets; they are written one by one")
    return [[row] for row in named]


def _is_entangled(named: Iterable[FileRow]) -> bool:
    """Whether a key is in several pairs of buckets; only rows of one key can violate a unique key."""
    places: dict[str, tuple[str, str]] = {}
    for row in named:
        place = (row.file.cumulus_archive_location, row.file.orca_archive_location)
        if places.setdefault(row.file.key_path, place) != place:
            return True
    return False


def _newest(named: Iterable[FileRow], superseded: set[int]) -> Sequence[FileRow]:
    """One row for each key."""
    kept: dict[str, FileRow] = {}
    for row in named:
        known = kept.setdefault(row.file.key_path, row)
        if row.file.ingest_time >= known.file.ingest_time:
            known.file, known.position, known.index = row.file, row.position, row.index
        else:
            superseded.add(row.position)
    return list(kept.values())
