"""What Alembic runs for each command: the connection comes from the caller."""

from alembic import context

VERSION_TABLE = "orca_daemon_revision"

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    version_table_schema="orca",
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
