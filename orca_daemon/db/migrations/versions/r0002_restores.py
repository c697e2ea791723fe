"""The daemon's own record of restores: what was asked of S3, for which file of which job."""

from alembic import op

from orca_daemon.db.sql import load

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table, unless it exists."""
    blocks = load("orca_daemon.db.migrations", "restores.sql")
    for block in ("table", "by_day", "unfinished", "grants"):
        op.execute(blocks[block])


def downgrade() -> None:
    """Not supported: the record keeps a repeated request from being restored twice."""
    raise NotImplementedError("there is no way back")
