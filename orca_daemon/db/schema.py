"""Reads the schema of a database, and judges whether the daemon can work with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from sqlalchemy import Connection

from orca_daemon.db.constraints import Named, to_rename
from orca_daemon.db.sql import load

_SQL = load(__package__, "schema.sql")
INDEXES = load(__package__, "indexes.sql")
"""The indexes that ORCA lacks: name, and the statement that builds it without blocking writes."""
SUPERSEDED = ("daemon_recovery_file_key_path",)
"""Indexes of earlier versions that another one replaces; this one refused keys that the table accepts."""

RESTORE_TABLE = "orca_daemon_restore"
"""Without it, the messages of `restore` wait."""
STEERING_TABLES = (
    "orca_daemon_control",
    "orca_daemon_process",
    "orca_daemon_dead_letter",
    "orca_daemon_action",
)
"""Without one of them, the daemon works and cannot be steered by commands."""
OWN_TABLES = (RESTORE_TABLE, *STEERING_TABLES)
"""The tables that only the daemon has."""
_OWN = "orca_daemon_"
CURRENT = 7


class SchemaVerdict(Enum):
    """Whether the daemon can work with a database."""

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
    """The latest row of `schema_versions`; a fresh ORCA 5.1 to 10.1 records 5, but its schema is 7."""
    partitions: tuple[str, ...]
    """The bounds of the partitions of `reconcile_s3_object`."""
    scanned_partitions: tuple[str, ...] = ()
    """The partitions without an index of jobs; the expiry of any job would scan them."""
    misnamed_constraints: tuple[Named, ...] = ()
    """Constraints under a name that earlier versions of ours used, and not ORCA's."""

    @property
    def version(self) -> int | None:
        """ORCA's schema version by the columns: 0 without tables, None if it is not ORCA's from 5 to 7."""
        if all(table.startswith(_OWN) for table in self.columns):
            return 0
        if not {"recovery_job", "recovery_file", "files", "reconcile_job"} <= self.columns.keys():
            return None
        if self.lacks_storage_class:
            return 5
        return 6 if self.lacks_collection else CURRENT

    @property
    def lacks_storage_class(self) -> bool:
        """Whether the columns that version 6 added are missing."""
        return "storage_class_id" not in self.columns["files"]

    @property
    def lacks_collection(self) -> bool:
        """Whether the columns that version 7 added are missing."""
        return "collection_id" not in self.columns["recovery_file"]

    @property
    def missing_indexes(self) -> tuple[str, ...]:
        """Our indexes that do not exist, or are invalid because their building was interrupted."""
        return tuple(name for name in INDEXES if name not in self.indexes)

    @property
    def missing_tables(self) -> tuple[str, ...]:
        """Our own tables that do not exist."""
        return tuple(name for name in OWN_TABLES if name not in self.columns)

    @property
    def superseded_indexes(self) -> tuple[str, ...]:
        """Existing indexes of ours that another one replaces."""
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
    """Read the schema `orca` from the system catalogs.  Needs no privilege on its tables."""
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
        misnamed_constraints=tuple(
            to_rename({(row[0], row[1]) for row in connection.execute(_SQL["constraints"])})
        ),
    )
