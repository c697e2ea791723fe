"""The database: reachable, of the right shape, open to the work; and what lies between it and us."""

from collections.abc import Iterator

from orca_daemon.app.checkup.findings import Finding, advice, ok, wrong
from orca_daemon.db import role, schema
from orca_daemon.db.address import AddressError
from orca_daemon.db.database import Database
from orca_daemon.db.failures import PostgresError
from orca_daemon.db.link import Link
from orca_daemon.engine.errors import DependencyDown, Reject

SUBJECT = "database"


async def findings(database: Database) -> list[Finding]:
    """Look at it."""
    try:
        found = await database.transact(schema.read)
        ours = await database.transact(role.read)
        way = await database.link()
    except (DependencyDown, AddressError, PostgresError, Reject) as error:
        return [wrong(SUBJECT, str(error), "look at the address, the network and the role")]
    return [*judge_schema(found), *judge_role(ours), *judge_link(way)]


def judge_schema(found: schema.Schema) -> Iterator[Finding]:
    """What there is to say about the tables."""
    match found.verdict:
        case schema.SchemaVerdict.OK:
            yield ok(SUBJECT, f"schema orca is at version {found.version}")
        case schema.SchemaVerdict.SLOW:
            yield advice(
                SUBJECT, f"{len(found.missing_indexes)} indexes are missing", "orca-daemon db upgrade"
            )
        case verdict:
            yield wrong(SUBJECT, verdict.value, "orca-daemon db upgrade")


def judge_role(ours: role.Role) -> Iterator[Finding]:
    """What there is to say about the server and the role."""
    yield ok(SUBJECT, f"Postgres {ours.version.split(maxsplit=1)[0]}, as {ours.user}")
    if ours.standby:
        yield wrong(SUBJECT, "the server is a standby: it takes no writes", "name the writer's address")
    if ours.refused:
        yield wrong(SUBJECT, f"{ours.user} may not write {', '.join(ours.refused)}", ours.remedy)
    if ours.hidden:
        yield wrong(
            SUBJECT,
            f"row-level security hides rows of {', '.join(ours.hidden)} from {ours.user}: comparisons and "
            "exports that need them fail",
            f"ALTER ROLE {ours.user} BYPASSRLS",
        )
    if not ours.temporary:
        yield advice(
            SUBJECT,
            f"{ours.user} may not create temporary tables: comparisons wait",
            f"GRANT TEMPORARY ON DATABASE … TO {ours.user}",
        )
    if ours.superuser:
        yield advice(
            SUBJECT, f"{ours.user} is a superuser", "use a role that is a member of orca_app and no more"
        )


def judge_link(way: Link) -> Iterator[Finding]:
    """What there is to say about the way to the server."""
    if way.shared:
        yield wrong(
            SUBJECT,
            f"{way.pooler} in between gives connections away after each transaction: settings, locks and "
            "prepared statements of the daemon are lost, and others get them",
            "use session pooling for this user (pgbouncer: pool_mode = session)",
        )
    elif way.pooled:
        yield ok(SUBJECT, f"through {way.pooler}; each connection keeps a session of its own")
    if not (way.local or way.verified):
        seen = (
            f"encrypted, but with sslmode {way.sslmode} any server would do"
            if way.encrypted
            else "not encrypted"
        )
        yield advice(
            SUBJECT,
            f"the connection is {seen}",
            "set database.sslmode to verify-full, and database.sslrootcert to the authorities of the server",
        )
