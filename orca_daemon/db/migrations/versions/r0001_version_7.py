"""ORCA's schema at its version 7: made from nothing, or completed from version 5 or 6."""

from alembic import op

from orca_daemon.db import schema
from orca_daemon.db.sql import load

revision = "0001"
down_revision = None

_PACKAGE = "orca_daemon.db.migrations"


def upgrade() -> None:
    """Do what the columns say is missing; the row of `schema_versions` is no guide (a fresh ORCA lies)."""
    found = schema.read(op.get_bind())
    create, widen = load(_PACKAGE, "create.sql"), load(_PACKAGE, "widen.sql")
    if found.version == 0:
        for block in ("storage_classes", "recovery", "catalog", "reconciliation", "versions"):
            op.execute(create[block])
    elif found.lacks_storage_class:
        op.execute(create["storage_classes"])
        op.execute(widen["storage_class_columns"])
    if found.version and found.lacks_collection:
        for block in (
            "collection_columns",
            "fill_job_collections",
            "fill_file_collections",
            "collection_keys",
        ):
            op.execute(widen[block])
    op.execute(create["record_version"])


def downgrade() -> None:
    """Never: ORCA's own deployment knows no way back either."""
    raise NotImplementedError("there is no way back from version 7")
