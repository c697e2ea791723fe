"""The buffer of dead letters that are to be recorded: bounded, and storable whatever a message holds."""

from datetime import UTC, datetime

from orca_daemon.app.dead_letter_records import DeadLetterRecords
from orca_daemon.db import dead_letters
from orca_daemon.engine.events import Cause, Settled, SettledOutcome
from orca_daemon.engine.message import Envelope
from tests.db.conftest import Make, make_database

__all__ = ["make_database"]


def dead(number: int, **facts: str) -> Settled:
    envelope = Envelope(id=f"m{number}", receipt="r", body="the body", group="g\0\ud800")
    return Settled(
        "q",
        envelope,
        SettledOutcome.DEAD_LETTERED,
        reason="postgresql://u:hunter2@h/d is no key \0 \ud800",
        error="Reject",
        cause=Cause.REJECTED,
        facts=facts,
        dead_letter_id=f"d{number}",
    )


def test_what_has_no_room_is_counted_and_nothing_else_is_kept() -> None:
    left_out: list[int] = []
    records = DeadLetterRecords(lambda: left_out.append(1), most=3)
    for number in range(5):
        records.observe(dead(number))
    records.observe(Settled("q", Envelope(id="x", receipt="", body=""), SettledOutcome.DELETED))

    assert ([each.id for each in records.batch()], len(left_out)) == (["d0", "d1", "d2"], 2)
    records.written(2)
    assert [each.id for each in records.batch()] == ["d2"]


async def test_every_dead_letter_can_be_stored_once_and_expires(
    make_database: Make, database_url: str
) -> None:
    records = DeadLetterRecords(lambda: None, wall=lambda: 1_000_000_000.0)
    records.retentions = {"q": 60.0}
    records.observe(dead(1, key="\0\ud800" * 900, password="hunter2", tables="a,b"))
    database = make_database(database_url)
    batch = records.batch()

    assert await database.transact(dead_letters.record, batch) == 1
    assert await database.transact(dead_letters.record, batch) == 0
    [letter] = batch
    assert letter.expires_at == datetime.fromtimestamp(1_000_000_060, UTC)
    assert "hunter2" not in str(letter)
    assert (letter.facts["cause"], letter.facts["tables"]) == ("rejected", "a,b")
    assert await database.transact(dead_letters.expire) == 1
