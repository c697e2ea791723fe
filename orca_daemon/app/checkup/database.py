"""Judges the database: whether it can be reached, its schema, our role there, and what lies between."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from orca_daemon.app.checkup.findings import Finding, Grade, StartAction, advice, ok, wrong
from orca_daemon.app.checkup.settings import needing_postgres
from orca_daemon.db import role, schema
from orca_daemon.db.address import AddressError
from orca_daemon.db.database import Database
from orca_daemon.db.failures import PostgresError
from orca_daemon.db.link import Link
from orca_daemon.engine.errors import DependencyDown, Reject
from orca_daemon.engine.route import Route
from orca_daemon.queues import internal_report, restore

SUBJECT = "database"
UNUSABLE = (DependencyDown, AddressError, PostgresError, Reject)
"""What a transaction raises if the database cannot be used."""
_NO_DATABASE = re.compile(r'database "[^"]*" does not exist')


async def findings(database: Database, by_queue: Mapping[str, Route[Any]]) -> list[Finding]:
    """Read the schema, the role and the link, and judge them."""
    try:
        tables = await database.transact(schema.read)
        current_role = await database.transact(role.read)
        link = await database.link()
    except UNUSABLE as error:
        return [judge_failure(error)]
    own = judge_own_tables(tables, by_queue)
    return [*judge_schema(tables), *own, *judge_role(current_role, by_queue), *judge_link(link)]


def judge_failure(error: Exception) -> Finding:
    """What a failed transaction means: a wrong address, or a server that may come back."""
    if isinstance(error, AddressError):
        return wrong(SUBJECT, str(error), "correct the settings or the secret", StartAction.REFUSE)
    # A refused connection has no SQLSTATE: only the text says why.
    if missing := _NO_DATABASE.search(str(error)):
        return wrong(
            SUBJECT,
            f"the {missing[0]} on this server",
            "create it and run 'orca-daemon db upgrade', or correct the setting or the secret that names it",
            StartAction.REFUSE,
        )
    return wrong(SUBJECT, str(error), "check the address, the network and the role", StartAction.WAIT)


def judge_schema(tables: schema.Schema) -> Iterator[Finding]:
    """Findings about the tables and indexes."""
    match tables.verdict:
        case schema.SchemaVerdict.OK:
            yield ok(SUBJECT, f"schema orca is at version {tables.version}")
        case schema.SchemaVerdict.SLOW:
            yield advice(
                SUBJECT,
                f"{len(tables.missing_indexes)} indexes are missing",
                "run 'orca-daemon db upgrade'",
                "database.indexes_missing",
                {"missing": tables.missing_indexes},
            )
        case verdict:
            yield wrong(SUBJECT, verdict.value, "run 'orca-daemon db upgrade'", StartAction.REFUSE)


def judge_own_tables(tables: schema.Schema, by_queue: Mapping[str, Route[Any]]) -> Iterator[Finding]:
    """Findings about the daemon's own tables, for the routes that are on."""
    restoring = [name for name, route in by_queue.items() if route.name == restore.NAME]
    if restoring and schema.RESTORE_TABLE in tables.missing_tables:
        yield Finding(
            SUBJECT,
            Grade.WRONG,
            f"{schema.RESTORE_TABLE} is missing: messages of {', '.join(restoring)} wait",
            "run 'orca-daemon db upgrade'",
            event="database.table_missing",
            facts={"missing": (schema.RESTORE_TABLE,)},
        )
    if lacking := tuple(name for name in schema.STEERING_TABLES if name in tables.missing_tables):
        yield advice(
            SUBJECT,
            f"{', '.join(lacking)} missing: pause, resume and status do not reach this daemon",
            "run 'orca-daemon db upgrade'",
        )


def judge_role(current_role: role.Role, by_queue: Mapping[str, Route[Any]]) -> Iterator[Finding]:
    """Findings about the server and our role on it, for the routes that are on."""
    user = current_role.user
    yield ok(SUBJECT, f"Postgres {current_role.version.split(maxsplit=1)[0]}, as {user}")
    if current_role.standby:
        yield _judge_standby(by_queue)
    if current_role.refused:
        yield _judge_refused_tables(current_role)
    if current_role.hidden:
        yield wrong(
            SUBJECT,
            f"row-level security hides rows of {', '.join(current_role.hidden)} from {user}: comparisons and "
            "exports that need them fail",
            f"ALTER ROLE {user} BYPASSRLS",
        )
    if not current_role.temporary:
        yield advice(
            SUBJECT,
            f"{user} may not create temporary tables: comparisons wait",
            f"GRANT TEMPORARY ON DATABASE … TO {user}",
        )
    if current_role.superuser:
        yield advice(SUBJECT, f"{user} is a superuser", "use a role that is only a member of orca_app")


def _judge_standby(by_queue: Mapping[str, Route[Any]]) -> Finding:
    """A fail-over may make the server the writer, or lead the address to it: the start waits for that.

    It does not wait if only `internal_report` is on, because exports work on a standby.
    """
    only_reads = {by_queue[name].name for name in needing_postgres(by_queue)} <= {internal_report.NAME}
    effect = "comparisons wait, exports work" if only_reads else "nothing can be written"
    return wrong(
        SUBJECT,
        f"the server is a standby: {effect}",
        "use the address of the writer",
        StartAction.PROCEED if only_reads else StartAction.WAIT,
    )


def _judge_refused_tables(current_role: role.Role) -> Finding:
    """A role without any of the tables is refused: every message would fail and be dead-lettered.

    A role that lacks only some of them may still serve some queues.
    """
    return Finding(
        SUBJECT,
        Grade.WRONG,
        f"{current_role.user} may not write {', '.join(current_role.refused)}",
        f"as the owner of these tables: {current_role.remedy}",
        StartAction.REFUSE if current_role.powerless else StartAction.PROCEED,
        "database.tables_refused",
        {"user": current_role.user, "tables": current_role.refused},
    )


def judge_link(link: Link) -> Iterator[Finding]:
    """Findings about poolers and encryption on the way to the server."""
    if link.shared:
        yield wrong(
            SUBJECT,
            f"{link.pooler} in between gives connections away after each transaction: settings, locks and "
            "prepared statements of the daemon are lost, and others get them",
            "use session pooling for this user (pgbouncer: pool_mode = session)",
        )
    elif link.pooled:
        yield ok(SUBJECT, f"through {link.pooler}; each connection keeps a session of its own")
    if not (link.local or link.verified):
        state = (
            f"encrypted, but with sslmode {link.sslmode} any server would do"
            if link.encrypted
            else "not encrypted"
        )
        yield advice(
            SUBJECT,
            f"the connection is {state}",
            "set database.sslmode to verify-full, and database.sslrootcert to the authorities of the server",
        )
