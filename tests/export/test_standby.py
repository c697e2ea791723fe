"""Exports from a standby, which takes no writes but shares snapshots all the same."""

import threading

import pytest
from pydantic import SecretStr

from orca_daemon.db.database import Database
from orca_daemon.local.postgres import Postgres
from orca_daemon.settings import DatabaseSection as DatabaseSettings
from tests.export.conftest import HOUR, T0, Exporter, table
from tests.export.readers import FILLER, watch
from tests.faults.test_failover import execute, make_standby
from tests.memory import directory
from tests.waiting import until

pytestmark = pytest.mark.matrix
ROWS = 60


async def test_several_connections_read_a_standby(
    exporter: Exporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = watch(monkeypatch, exporter)
    copies.together = threading.Barrier(3)
    with directory() as folder, Postgres(folder / "primary", fast=True) as primary:
        execute(primary.url(), f"CREATE TABLE one (id int, last_updated timestamptz, {FILLER})")
        with make_standby(primary, folder / "standby") as standby:
            execute(
                primary.url(),
                f"INSERT INTO one SELECT i, '{T0 - HOUR}' FROM generate_series(1, {ROWS}) i",
            )
            until(lambda: execute(standby.url(), "SELECT count(*) FROM one") == [(ROWS,)])
            exporter.database.close()
            exporter.database = Database(DatabaseSettings(url=SecretStr(standby.url())))

            rows = await exporter.rows(T0, table("one"))

            exporter.database.close()
    assert [row["id"] for row in rows] == list(range(1, ROWS + 1))
    assert len(copies.parts) == 3
