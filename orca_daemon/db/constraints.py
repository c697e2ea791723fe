"""Names of constraints: earlier versions of ours created some under other names than ORCA's."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from sqlalchemy import Connection

Named = tuple[str, str]
"""A table and the name of one of its constraints."""

ORCA_NAMES: Mapping[Named, str] = {
    ("recovery_status", "uniq_recovery_status"): "unique_recovery_status_value",
    ("granules", "fk_granules_provider"): "fk_provider_granule",
    ("granules", "fk_granules_collection"): "fk_collection_granule",
    ("granules", "uniq_collection_granule"): "unique_collection_granule_id",
    ("files", "fk_files_granule"): "fk_granule_file",
    ("files", "uniq_orca_archive_location_key_path"): "unique_orca_archive_location_key_path",
    ("files", "uniq_cumulus_archive_location_key_path"): "unique_cumulus_archive_location_key_path",
    ("reconcile_status", "uniq_reconcile_status"): "unique_reconcile_status_value",
    ("reconcile_job", "fk_reconcile_status"): "fk_reconcile_job_status",
    ("reconcile_phantom_report", "fk_phantom_reconcile_job"): "fk_reconcile_job_phantom_report",
    ("reconcile_phantom_report", "fk_phantom_storage_class"): "fk_phantom_orca_storage_class",
    ("reconcile_orphan_report", "fk_orphan_reconcile_job"): "fk_reconcile_job_orphan_report",
    ("reconcile_catalog_mismatch_report", "fk_mismatch_reconcile_job"): "fk_reconcile_job_mismatch_report",
    ("reconcile_catalog_mismatch_report", "fk_mismatch_storage_class"): "fk_mismatch_orca_storage_class",
    ("storage_class", "uniq_storage_class"): "unique_storage_class_value",
}
"""The names that ORCA's `db_deploy` gives, by the names that we used before.

A database that ORCA created has only the former.  ORCA's migrations drop and add constraints by name; our
own statements name none of the earlier ones.
"""


def to_rename(names: AbstractSet[Named]) -> Iterator[Named]:
    """The constraints that still have our earlier name, in the order of the table above."""
    for (table, name), orca_name in ORCA_NAMES.items():
        if (table, name) in names and (table, orca_name) not in names:
            yield table, name


def rename(connection: Connection, constraints: Iterable[Named]) -> None:
    """Give these constraints ORCA's names; each statement locks its table for a moment.

    `connection` commits each statement, and limits how long one waits for its lock.
    """
    for table, name in constraints:
        statement = f"ALTER TABLE orca.{table} RENAME CONSTRAINT {name} TO {ORCA_NAMES[table, name]}"
        connection.exec_driver_sql(statement)
