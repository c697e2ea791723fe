"""What the rows of daemons say, also those of another version: `status` and the console read them alike."""

import json
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Engine

from orca_daemon.db import control
from orca_daemon.operations import steering
from tests.db.conftest import Make, make_database, owner

__all__ = ["make_database", "owner"]
STARTED = datetime(2026, 11, 29, 12, tzinfo=UTC)
SINCE = "2026-11-29T12:00:00+00:00"
SANE = {
    "queues": [
        {
            "name": "recovery",
            "held": 3,
            "running": 2,
            "waiting": 7,
            "finished_per_second": 1.5,
            "oldest_waiting": STARTED.timestamp(),
            "retention_seconds": 3600,
        }
    ],
    "work": [{"kind": "export", "what": "files", "since": SINCE, "done": 5, "total": 10, "unit": "rows"}],
}
ODD = {
    "queues": [{"name": "recovery", "held": "many", "paused_by": ["signal"]}, {}, "recovery", None],
    "work": [{"since": "yesterday", "done": True}, {}, 5],
    "down": {"dependency": "postgres"},
}


async def test_a_document_of_another_version_hides_nothing_that_the_others_say(
    make_database: Make, database_url: str, owner: Engine
) -> None:
    with owner.begin() as connection:
        for number, state in enumerate((SANE, ODD)):
            control.write_process(connection, UUID(int=number), "host", "1", STARTED, json.dumps(state))
    now = await steering.status(make_database(database_url))
    (queue,) = [each for each in now.queues if each.name == "recovery"]
    assert (queue.daemons, queue.held, queue.running, queue.waiting) == (2, 3, 2, 7)
    assert queue.finished_per_second == 1.5
    assert queue.paused_by == ("signal",)
    assert queue.expires_at == datetime(2026, 11, 29, 13, tzinfo=UTC)
    assert [(work.kind, work.what, work.done) for work in now.work if work.kind] == [("export", "files", 5)]
    assert {row.id for row in now.daemons} == {UUID(int=0), UUID(int=1)}
