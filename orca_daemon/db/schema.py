"""What a database looks like, and whether the daemon can work with it.  Reads only."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from sqlalchemy import Connection

from orca_daemon.db.sql import load

_SQL = load(__package__, "schema.sql")
INDEXES = load(__package__, "indexes.sql")
"""The indexes that ORCA lacks: name to the statement that builds it beside running work."""
SUPERSEDED = ("daemon_recovery_file_key_path",)
"""Indexes of earlier versions that another one replaces; this one refused keys that the table takes."""

CURRENT = 7


class SchemaVerdict(Enum):
    """What the daemon makes of a database."""

    OK = "ok"
    SLOW = "indexes are missing"
    OLD = "the schema is older than version 7"
    ABSENT = "there is no schema orca"
    FOREIGN = "the schema orca cannot be upgraded: it is older than version 5, or not ORCA's"


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables of the schema `orca` with their columns, the names of its valid indexes, and more."""

    columns: Mapping[str, frozenset[str]]
    indexes: frozenset[str]
    recorded: int | None
    """The latest row of `schema_versions`; a fresh ORCA 5.1 to 10.1 says 5 and is 7."""
    partitions: tuple[str, ...]
    """The bounds of the partitions of `reconcile_s3_object`."""
    scanned_partitions: tuple[str, ...] = ()
    """Those of them that lack an index for finding the rows of a job, which the expiry of any job needs."""

    @property
    def version(self) -> int | None:
        """ORCA's schema version by the columns: 0 for no tables, None for what is no ORCA from 5 to 7."""
        if not self.columns.keys() - {"orca_daemon_revision"}:
            return 0
        if not {"recovery_job", "recovery_file", "files", "reconcile_job"} <= self.columns.keys():
            return None
        if self.lacks_storage_class:
            return 5
        return 6 if self.lacks_collection else CURRENT

    @property
    def lacks_storage_class(self) -> bool:
        """Whether what version 6 added is missing."""
        return "storage_class_id" not in self.columns["files"]

    @property
    def lacks_collection(self) -> bool:
        """Whether what version 7 added is missing."""
        return "collection_id" not in self.columns["recovery_file"]

    @property
    def missing_indexes(self) -> tuple[str, ...]:
        """Our indexes that are not there, or whose building was broken off."""
        return tuple(name for name in INDEXES if name not in self.indexes)

    @property
    def superseded_indexes(self) -> tuple[str, ...]:
        """Indexes of ours that are of no use any more."""
        return tuple(name for name in SUPERSEDED if name in self.indexes)

    @property
    def verdict(self) -> SchemaVerdict:
        """Whether the daemon can work here."""
        match self.version:
            case None:
                return SchemaVerdict.FOREIGN
            case 0:
                return SchemaVerdict.ABSENT
            case version if version < CURRENT:
                return SchemaVerdict.OLD
            case _:
                return SchemaVerdict.SLOW if self.missing_indexes else SchemaVerdict.OK


def read(connection: Connection) -> Schema:
    """Look at the schema `orca`.  Needs no privilege on its tables."""
    columns: dict[str, set[str]] = {}
    for table, column in connection.execute(_SQL["columns"]):
        columns.setdefault(table, set()).add(column)
    recorded = None
    if "schema_versions" in columns and connection.scalar(_SQL["may_read_versions"]):
        recorded = connection.scalar(_SQL["recorded_version"])
    return Schema(
        columns={table: frozenset(names) for table, names in columns.items()},
        indexes=frozenset(connection.scalars(_SQL["indexes"])),
        recorded=recorded,
        partitions=tuple(connection.scalars(_SQL["partitions"])),
        scanned_partitions=tuple(connection.scalars(_SQL["partitions_without_job_index"])),
    )
