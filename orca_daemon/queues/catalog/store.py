"""Writes a run of catalog records in one transaction: two round trips for any number of messages."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

from sqlalchemy import Connection, TextClause, text
from sqlalchemy.exc import IntegrityError

from orca_daemon.db.failures import sqlstate_of
from orca_daemon.db.sql import as_json, load
from orca_daemon.engine.errors import Reject
from orca_daemon.queues.catalog.rows import FileRow, GranuleKey, Rows, rows
from orca_daemon.wire.catalog import CatalogRecord

_SQL = load(__package__, "statements.sql")
_UNIQUE_VIOLATION = "23505"
_ARCHIVE_KEY = "(orca_archive_location, key_path)="
"""How Postgres names the second unique key of `files` in the detail of a violation, in every language."""


@cache
def _joined(*names: str) -> TextClause:
    """Several statements for one round trip; each sees what was committed before it started."""
    return text(";\n".join(_SQL[name].text for name in names))


def apply(connection: Connection, messages: Sequence[CatalogRecord]) -> frozenset[int]:
    """Write the whole run, with the same result as if its messages came one by one.

    Args:
        connection: in a transaction of its own.
        messages: in order.

    Returns:
        The positions of the stale messages: a part of them changed nothing, because a newer version of it is
        stored.

    Raises:
        Reject: the table of storage classes lacks one that a message names, or a file is archived as an
            object that the catalog has for another file; the caller must roll back.
        EntangledError: the messages can only be written one by one.
    """
    planned = rows(messages)
    ids = _write_granules(connection, planned)
    _check_classes(messages, ids.classes)
    stale = set(planned.superseded | ids.stale)
    for statement in planned.files:
        stale |= _write_files(connection, statement, ids)
    return frozenset(stale)


@dataclass(slots=True)
class _Ids:
    """Ids that the rows of `files` refer to, and the positions of messages whose granule is stale."""

    granules: dict[GranuleKey, int] = field(default_factory=dict)
    classes: dict[str, int] = field(default_factory=dict)
    stale: set[int] = field(default_factory=set)


def _check_classes(messages: Iterable[CatalogRecord], classes: Container[str]) -> None:
    for message in messages:
        for index, file in enumerate(message.granule.files):
            if file.storage_class not in classes:
                name = f"granule.files[{index}].storageClass"
                raise Reject(f"{name}: the table storage_class has no class {file.storage_class!r}")


def _write_granules(connection: Connection, planned: Rows) -> _Ids:
    """Write everything but the files."""
    granules = [
        {
            "number": number,
            "provider": row.newest.provider.provider_id,
            "collection": key.collection_id,
            "granule": key.granule_id,
            "execution": row.newest.granule.execution_id,
            "ingested": row.first.granule.ingest_time,
            "created": row.first.granule.cumulus_create_time,
            "updated": row.newest.granule.last_update,
        }
        for number, (key, row) in enumerate(planned.granules.items())
    ]
    collections = [
        {"id": id_, "shortname": message.collection.shortname, "version": message.collection.version}
        for id_, message in planned.collections.items()
    ]
    parameters = {
        "providers": as_json([{"id": id_, "name": name} for id_, name in planned.providers.items()]),
        "collections": as_json(collections),
        "granules": as_json(granules),
    }
    statements = ("plan", "insert_providers", "insert_collections", "write_granules", "read_ids")
    keys, ids = list(planned.granules), _Ids()
    for number, id_, is_stale, storage_class in connection.execute(_joined(*statements), parameters):
        if storage_class is not None:
            ids.classes[storage_class] = id_
            continue
        ids.granules[keys[number]] = id_
        if is_stale:
            ids.stale.add(planned.granules[keys[number]].position)
    return ids


def _write_files(connection: Connection, statement: Sequence[FileRow], ids: _Ids) -> set[int]:
    """Write the files of one statement.  Returns the positions of stale messages."""
    parameters = {"files": as_json([_file_row(row, ids) for row in statement])}
    try:
        result = connection.execute(_SQL["write_files"], parameters)
    except IntegrityError as error:
        raise _conflict(error, statement) or error from None
    if result.rowcount == len(statement):
        return set()
    # Files of which nothing changed were not written either: only a query tells the stale ones from them.
    stale = connection.execute(_SQL["find_stale_files"], {"files": as_json(_versions(statement))})
    return {statement[number].position for (number,) in stale}


def _file_row(row: FileRow, ids: _Ids) -> dict[str, object]:
    file = row.file
    return {
        "granule": ids.granules[row.granule],
        "name": file.name,
        "archive": file.orca_archive_location,
        "cumulus": file.cumulus_archive_location,
        "key": file.key_path,
        "ingested": file.ingest_time,
        "etag": file.etag,
        "version": file.version,
        "size": file.size_in_bytes,
        "hash": file.hash,
        "hash_type": file.hash_type,
        "class": ids.classes[file.storage_class],
    }


def _versions(statement: Sequence[FileRow]) -> list[dict[str, object]]:
    return [
        {
            "number": number,
            "cumulus": row.file.cumulus_archive_location,
            "key": row.file.key_path,
            "ingested": row.file.ingest_time,
        }
        for number, row in enumerate(statement)
    ]


def _conflict(error: IntegrityError, statement: Sequence[FileRow]) -> Reject | None:
    """The rejection for a file whose object in the archive is in the catalog for another file."""
    detail = getattr(getattr(error.orig, "diag", None), "message_detail", None) or ""
    if sqlstate_of(error) != _UNIQUE_VIOLATION or _ARCHIVE_KEY not in detail:
        return None
    for row in statement:
        if f"{_ARCHIVE_KEY}({row.file.orca_archive_location}, {row.file.key_path})" in detail:
            return Reject(
                f"granule.files[{row.index}]: the catalog has the object of this orcaArchiveLocation and "
                "keyPath already, as the copy of a file in another cumulusArchiveLocation"
            )
    return None
