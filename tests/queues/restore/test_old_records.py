"""What is recorded of old restores is removed after a request, with a real Postgres."""

from contextlib import closing
from dataclasses import replace

import psycopg2
from structlog.testing import capture_logs

from orca_daemon.queues.restore.old_records import EVERY, OldRecords
from tests.queues.restore.conftest import MakeWorld, World, granule, request

OLD = """
    UPDATE orca.orca_daemon_restore SET requested_at = now() - interval '91 days',
        expires_at = now() - interval '91 days'
"""


def execute(world: World, statement: str) -> None:
    with closing(psycopg2.connect(world.database_url)) as connection, connection, connection.cursor() as at:
        at.execute(statement)


async def test_old_records_are_removed_after_a_request_once_an_hour(make_world: MakeWorld) -> None:
    now = 0.0
    world = await make_world()
    old_records = OldRecords(world.parts.database, 90, clock=lambda: now)
    world.parts = replace(world.parts, old_records=old_records)
    world.put("a", "b", "c")

    await world.handle(request(granule("a"), job="first"))
    execute(world, OLD)
    now = EVERY / 2
    await world.handle(request(granule("b"), job="second"))
    assert world.rows("job_id") == [("first",), ("second",)]
    now = EVERY
    await world.handle(request(granule("c"), job="third"))

    assert world.rows("job_id") == [("second",), ("third",)]


async def test_zero_days_keep_every_record(make_world: MakeWorld) -> None:
    world = await make_world()
    world.parts = replace(world.parts, old_records=OldRecords(world.parts.database, 0))
    world.put("a")
    await world.handle(request(granule("a")))
    execute(world, OLD)

    await world.handle(request(granule("a"), job="op-2"))

    assert world.rows("job_id") == [("op-1",), ("op-2",)]


async def test_records_that_cannot_be_removed_disturb_no_request(make_world: MakeWorld) -> None:
    world = await make_world()
    world.parts = replace(world.parts, old_records=OldRecords(world.parts.database, 90))
    world.put("a")
    execute(
        world,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;"
        "CREATE TRIGGER refuse BEFORE DELETE ON orca.orca_daemon_restore FOR EACH STATEMENT"
        " EXECUTE FUNCTION refuse()",
    )
    with capture_logs() as logs:
        await world.handle(request(granule("a")))

    assert [log["error"] for log in logs if log["event"] == "restore.records_kept"] == ["PostgresError"]
    assert world.rows() == [("a", "ask", None)]
