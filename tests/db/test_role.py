"""The privileges of a role are checked before the work needs them."""

from sqlalchemy import Engine, make_url, text

from orca_daemon.app.checkup.database import judge_role
from orca_daemon.db import role
from tests.db.conftest import Make
from tests.roles import login


async def test_the_check_reports_a_role_that_may_not_create_temporary_tables(
    database_url: str, make_database: Make, owner: Engine
) -> None:
    name = make_url(database_url).database
    with owner.connect() as connection:
        connection.execute(text("CREATE ROLE permanent LOGIN; GRANT orca_app TO permanent"))
        try:
            database = make_database(login(database_url, "permanent"))
            before = await database.transact(role.read)
            connection.execute(text(f'REVOKE TEMPORARY ON DATABASE "{name}" FROM PUBLIC'))
            after = await database.transact(role.read)
        finally:
            connection.execute(text("DROP OWNED BY permanent; DROP ROLE permanent"))

    reported = "permanent may not create temporary tables: comparisons wait"
    assert reported not in {finding.text for finding in judge_role(before, {})}
    assert reported in {finding.text for finding in judge_role(after, {})}
