"""The tables of steering: queues paused, daemons that run, dead letters, actions of operators."""

from alembic import op

from orca_daemon.db.sql import load

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the tables that do not exist."""
    for block in load("orca_daemon.db.migrations", "steering.sql").values():
        op.execute(block)


def downgrade() -> None:
    """Not supported: the record of actions keeps a repeated action from being done twice."""
    raise NotImplementedError("there is no way back")
