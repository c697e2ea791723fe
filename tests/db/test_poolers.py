"""With a pooler between us and Postgres, cancellations work, and the check reports the pooling mode."""

import asyncio

import pytest
from sqlalchemy import Connection, text

from orca_daemon.app.checkup.database import judge_link
from orca_daemon.app.checkup.findings import Finding
from orca_daemon.db import pool
from orca_daemon.db.link import Link
from tests.db.conftest import Make
from tests.db.pooler import Pooler
from tests.waiting import until

SLEEPING = text(
    "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(60)'"
)


def sleep(connection: Connection) -> None:
    connection.execute(text("SELECT pg_sleep(60)"))


def until_it_sleeps(connection: Connection) -> None:
    until(lambda: _sleeps(connection))


def _sleeps(connection: Connection) -> bool:
    sleeping = bool(connection.scalar(SLEEPING))
    connection.rollback()  # within a transaction, pg_stat_activity does not change
    return sleeping


async def test_work_behind_a_pooler_is_cancelled_by_the_poolers_key(
    database_url: str, make_database: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_CUT", 60.0)
    async with Pooler(database_url) as pooler:
        database = make_database(pooler.url)
        task = asyncio.create_task(database.transact(sleep))
        await make_database(database_url).transact(until_it_sleeps)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert pooler.cancelled
        # The connection itself was not closed.
        assert await database.transact(lambda connection: connection.scalar(text("SELECT 1"))) == 1


@pytest.mark.parametrize("by_transaction", [False, True], ids=["by session", "by transaction"])
async def test_a_pooler_and_its_pooling_mode_are_detected(
    database_url: str, make_database: Make, *, by_transaction: bool
) -> None:
    async with Pooler(database_url, by_transaction=by_transaction) as pooler:
        facts = await make_database(pooler.url).link()
        assert (facts.pooled, facts.shared) == (True, by_transaction)
    direct = await make_database(database_url).link()
    assert (direct.pooled, direct.shared) == (False, False)


def judged(connection_link: Link) -> list[tuple[str, str]]:
    findings: list[Finding] = list(judge_link(connection_link))
    return [(finding.grade.value, finding.text) for finding in findings]


def link(host: str = "db.example.org", sslmode: str = "verify-full", **changes: bool) -> Link:
    facts = {"encrypted": True, "pooled": False, "shared": False} | changes
    return Link(host=host, sslmode=sslmode, **facts)


@pytest.mark.parametrize(
    ("connection_link", "output"),
    [
        pytest.param(link(), [], id="verified"),
        pytest.param(link("127.0.0.1", "prefer", encrypted=False), [], id="loopback"),
        pytest.param(link("::1", "prefer", encrypted=False), [], id="loopback of IPv6"),
        pytest.param(link("/var/run/postgresql", "prefer", encrypted=False), [], id="socket"),
        pytest.param(
            link(sslmode="prefer", encrypted=False),
            [("advice", "the connection is not encrypted")],
            id="open",
        ),
        pytest.param(
            link(sslmode="require"),
            [("advice", "the connection is encrypted, but with sslmode require any server would do")],
            id="unverified",
        ),
        pytest.param(
            link("p.proxy-abc.us-west-2.rds.amazonaws.com", pooled=True),
            [("ok", "through RDS Proxy; each connection keeps a session of its own")],
            id="RDS Proxy",
        ),
    ],
)
def test_the_check_reports_tls_and_poolers(connection_link: Link, output: list[tuple[str, str]]) -> None:
    assert judged(connection_link) == output


def test_the_check_refuses_transaction_pooling() -> None:
    [(grade, text)] = judged(link(pooled=True, shared=True))
    assert grade == "wrong"
    assert "gives connections away after each transaction" in text
