"""Alembic runs this file for each command; the caller passes the connection."""

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
