"""ORCA's schema at its version 7: created, or upgraded from version 5 or 6."""

from alembic import op

from orca_daemon.db import schema
from orca_daemon.db.sql import load

revision = "0001"
down_revision = None

_PACKAGE = "orca_daemon.db.migrations"


def upgrade() -> None:
    """Add what is missing by the columns; `schema_versions` is unreliable, as a fresh ORCA 5.1 records 5."""
    current = schema.read(op.get_bind())
    create, widen = load(_PACKAGE, "create.sql"), load(_PACKAGE, "widen.sql")
    if current.version == 0:
        for block in ("storage_classes", "recovery", "catalog", "reconciliation", "versions"):
            op.execute(create[block])
    elif current.lacks_storage_class:
        op.execute(create["storage_classes"])
        op.execute(widen["storage_class_columns"])
    if current.version and current.lacks_collection:
        for block in (
            "collection_columns",
            "fill_job_collections",
            "fill_file_collections",
            "collection_keys",
        ):
            op.execute(widen[block])
    op.execute(create["record_version"])


def downgrade() -> None:
    """Not supported, as ORCA's own deployment has no downgrade either."""
    raise NotImplementedError("there is no way back from version 7")
