"""The database: reachable, of the right shape, and with the privileges that the work needs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, text

from orca_daemon.app.checkup.findings import Finding, advice, ok, wrong
from orca_daemon.db import shape
from orca_daemon.db.address import AddressError
from orca_daemon.db.database import Database
from orca_daemon.db.failures import Failed
from orca_daemon.engine.errors import DependencyDown, Reject

SUBJECT = "database"
WRITTEN = ("recovery_job", "recovery_file", "reconcile_job", "reconcile_orphan_report")
_ROLE = text(
    "SELECT current_user, pg_is_in_recovery(), "
    "(SELECT rolsuper FROM pg_roles WHERE rolname = current_user), "
    "current_setting('server_version')"
)
_MAY = text("SELECT has_table_privilege(to_regclass(:table), :privilege)")
_ALL = ("SELECT", "INSERT", "UPDATE", "DELETE")


async def findings(database: Database) -> list[Finding]:
    """Look at it."""
    try:
        found = await database.transact(shape.read)
        role = await database.transact(_look)
    except (DependencyDown, AddressError, Failed, Reject) as error:
        return [wrong(SUBJECT, str(error), "look at the address, the network and the role")]
    return [*judge_shape(found), *judge_role(role)]


def judge_shape(found: shape.Shape) -> Iterator[Finding]:
    """What there is to say about the tables."""
    match found.verdict:
        case shape.Verdict.OK:
            yield ok(SUBJECT, f"schema orca is at version {found.version}")
        case shape.Verdict.SLOW:
            yield advice(
                SUBJECT, f"{len(found.missing_indexes)} indexes are missing", "orca-daemon db upgrade"
            )
        case verdict:
            yield wrong(SUBJECT, verdict.value, "orca-daemon db upgrade")


@dataclass(frozen=True, slots=True)
class Role:
    """The server and who we are on it."""

    user: str
    standby: bool
    superuser: bool
    version: str
    may_write: Mapping[str, bool]


def _look(connection: Connection) -> Role:
    may_write = {
        name: all(connection.scalar(_MAY, {"table": f"orca.{name}", "privilege": each}) for each in _ALL)
        for name in WRITTEN
    }
    user, standby, superuser, version = connection.execute(_ROLE).one()
    return Role(user, standby, superuser, version, may_write)


def judge_role(role: Role) -> Iterator[Finding]:
    """What there is to say about the server and the role."""
    yield ok(SUBJECT, f"Postgres {role.version.split(maxsplit=1)[0]}, as {role.user}")
    if role.standby:
        yield wrong(SUBJECT, "the server is a standby: it takes no writes", "name the writer's address")
    if refused := [name for name, allowed in role.may_write.items() if not allowed]:
        yield wrong(
            SUBJECT, f"{role.user} may not write {', '.join(refused)}", f"GRANT orca_app TO {role.user}"
        )
    if role.superuser:
        yield advice(
            SUBJECT, f"{role.user} is a superuser", "use a role that is a member of orca_app and no more"
        )
