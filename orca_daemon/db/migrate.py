"""Upgrades a database to the schema that the daemon needs, and lists the steps beforehand."""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

from orca_daemon.db import constraints, schema
from orca_daemon.db.address import DatabaseAddress, parse
from orca_daemon.db.connect import opened, parameters
from orca_daemon.db.failures import described, is_ours
from orca_daemon.db.schema import Schema, SchemaVerdict
from orca_daemon.db.session import session_parameters
from orca_daemon.db.sql import load

_ROLES = load("orca_daemon.db.migrations", "roles.sql")
_NAME = "orca-daemon-upgrade"
_CONNECT_SECONDS = 10
_ORCAS = "0001"
"""The step that makes ORCA's tables; those after it make ours."""
_LOCK = 0x6F726361  # "orca": one upgrade of a database at a time


class UpgradeError(Exception):
    """The database cannot be upgraded to version 7, or not by this user."""


def status(place: str | DatabaseAddress) -> Schema:
    """The schema of the database as it is now.

    Args:
        place: an address, or `postgresql://user:password@host:port/database`.

    Raises:
        DependencyDown: it cannot be reached.
        PostgresError: a statement failed.
    """
    with _connected(place) as connection:
        return schema.read(connection)


def plan(current: Schema) -> list[str]:
    """The steps that `upgrade` would take on this schema; an empty list if nothing is to be done.

    Raises:
        UpgradeError: it cannot be upgraded to version 7.
    """
    steps = []
    match current.verdict:
        case SchemaVerdict.FOREIGN:
            raise UpgradeError(
                "the schema orca is older than ORCA's version 5, or not ORCA's: "
                "bring it to version 5 or later with ORCA's own deployment first"
            )
        case SchemaVerdict.ABSENT:
            steps += [
                "create the roles orca_dbo and orca_app, if this user may",
                "create the schema orca, its tables and its lookup rows",
            ]
        case SchemaVerdict.OLD:
            steps += _additions(current)
        case _:
            pass
    if current.recorded != schema.CURRENT:
        steps.append("record version 7 as the latest, so that ORCA's deployment leaves the schema alone")
    if misnamed := len(current.misnamed_constraints):
        steps.append(f"rename {misnamed} constraints to the names that ORCA gives them")
    steps += [f"create the table {name}, which is the daemon's own" for name in current.missing_tables]
    steps += [f"build the index {name}, beside running work" for name in current.missing_indexes]
    steps += [f"drop the index {name}, which another one replaces" for name in current.superseded_indexes]
    return steps + [f"index {part} by job, beside running work" for part in current.scanned_partitions]


def _additions(current: Schema) -> Iterator[str]:
    if current.lacks_storage_class:
        yield "add the storage class to the catalog and two reports; old rows become GLACIER"
    if current.lacks_collection:
        yield (
            "add collection_id to recovery_job and recovery_file and widen their keys; old rows take it "
            "from the catalog where one collection has the granule, else UNKNOWN; stop what writes to them"
        )


def upgrade(place: str | DatabaseAddress, report: Callable[[str], None] = lambda _: None) -> list[str]:
    """Upgrade the database to version 7, build our indexes, and return the steps that were taken.

    Safe to run twice, and beside a running daemon: a second run waits for the first, and has nothing left to
    do.

    Args:
        place: an address, or `postgresql://user:password@host:port/database`, with the schema's owner or a
            user who may create the schema.
        report: called before each step that may take long.

    Raises:
        UpgradeError: this database cannot be upgraded, or not by this user.
        DependencyDown: it cannot be reached.
        PostgresError: a statement failed, for example because it waited too long for a lock; run it again.
    """
    with _connected(place) as connection:
        _take_turn(connection)
        current = schema.read(connection)
        steps = plan(current)
        _prepare(connection, current)
        report("bringing the tables up to date")
        _migrate(connection, current)
        now = schema.read(connection)
        for name in now.missing_indexes:
            report(f"building the index {name}")
            _build(connection, name, schema.INDEXES[name].text)
        for name in schema.SUPERSEDED:  # valid or not
            _drop_index(connection, name)
        for part in now.scanned_partitions:
            report(f"indexing {part} by job")
            _index_by_job(connection, part)
        return steps


def _build(connection: Connection, name: str, statement: str) -> None:
    """Build an index without blocking writes; if the build fails, drop the invalid index that it leaves."""
    _drop_index(connection, name)  # an earlier build may have left one when its connection was lost
    try:
        connection.exec_driver_sql(statement)
    except BaseException:
        with suppress(DBAPIError):
            _drop_index(connection, name)
        raise


def _drop_index(connection: Connection, name: str) -> None:
    connection.exec_driver_sql(f'DROP INDEX CONCURRENTLY IF EXISTS orca."{name}"')


def _index_by_job(connection: Connection, partition: str) -> None:
    quote = connection.dialect.identifier_preparer.quote
    # A hash, because the partition's own name may have the maximum length already.
    name = f"daemon_job_{hashlib.sha256(partition.encode()).hexdigest()[:16]}"
    statement = f"CREATE INDEX CONCURRENTLY {name} ON orca.{quote(partition)} (job_id)"
    _build(connection, name, statement)


def _migrate(connection: Connection, current: Schema) -> None:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "orca_daemon.db:migrations")
    # Limited, because all later statements on a busy table queue behind one that waits for its lock.
    connection.execute(text("SET lock_timeout = '15s'"))
    connection.commit()
    connection.execution_options(isolation_level="READ COMMITTED")
    if current.verdict in {SchemaVerdict.ABSENT, SchemaVerdict.OLD} or current.recorded != schema.CURRENT:
        # Alembic's own record may be wrong: the tables may have been dropped, or restored from an old backup.
        command.stamp(config, "base")
    elif current.missing_tables:
        command.stamp(config, _ORCAS)
    command.upgrade(config, "head")
    connection.commit()
    connection.execution_options(isolation_level="AUTOCOMMIT")
    constraints.rename(connection, current.misnamed_constraints)
    connection.execute(text("SET lock_timeout = 0"))


def _prepare(connection: Connection, current: Schema) -> None:
    """Become the owner of the schema; create it, and its roles, if it is absent."""
    if current.verdict is SchemaVerdict.ABSENT:
        connection.execute(_ROLES["create_roles"])
        connection.execute(_ROLES["join_owner"])
        owned = connection.scalar(_ROLES["may_be_owner"])
        connection.execute(_ROLES["create_schema_of_owner" if owned else "create_schema"])
    owner, member = connection.execute(_ROLES["owner"]).one()
    if not member:
        raise UpgradeError(f"only a member of the role {owner}, which owns the schema orca, can do this")
    connection.exec_driver_sql(f"SET ROLE {connection.dialect.identifier_preparer.quote(owner)}")
    connection.execute(_ROLES["grants"])


@contextmanager
def _connected(place: str | DatabaseAddress) -> Iterator[Connection]:
    """A connection that commits each statement: indexes are built concurrently outside transactions."""
    address = parse(place) if isinstance(place, str) else place
    engine = create_engine(
        "postgresql+psycopg2://",
        creator=partial(_open, address),
        isolation_level="AUTOCOMMIT",
        poolclass=NullPool,
        hide_parameters=True,
    )
    try:
        with engine.connect() as connection:
            yield connection
    except Exception as error:
        if is_ours(error):
            raise described(error) from None
        raise
    finally:
        engine.dispose()


def _open(address: DatabaseAddress) -> Any:
    # Without limits, which the owner's role may have, because building an index may take hours.
    session = session_parameters(statement=0, lock=0, idle=0, all_rows=True)
    return opened(parameters(address, _NAME, _CONNECT_SECONDS), session)


def _take_turn(connection: Connection) -> None:
    """Wait until no other upgrade of this database runs; the lock is released with the session."""
    # Polled, because a waiting statement holds a snapshot, and CREATE INDEX CONCURRENTLY in the session that
    # has the lock waits for all snapshots: the two would wait for each other.
    while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK}):
        time.sleep(0.2)
