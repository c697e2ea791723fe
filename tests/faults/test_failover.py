"""The database fails over to another under load: what was acknowledged is there, and the daemon goes on."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest

from orca_daemon.db.migrate import upgrade
from orca_daemon.local.binaries import account, binaries
from orca_daemon.local.postgres import Postgres
from tests.end_to_end.conftest import Deployment
from tests.faults.conftest import MakeLine, await_event, events
from tests.faults.workload import Workload, everything_is_accounted_for
from tests.memory import directory
from tests.waiting import until


class Standby(Postgres):
    """A server that follows another one, whose passwords it has."""

    def _set_password(self) -> None:
        psycopg2.connect(self.url(), connect_timeout=2).close()


PROBE = b"transaction_read_only"
"""What the daemon asks a server before it believes that it can work there again."""


@dataclass
class Pair:
    """A server, and another that has each commit before it is acknowledged."""

    primary: Postgres
    standby: Postgres

    @property
    def url(self) -> str:
        """Leads to whichever of both is the writer."""
        place = urlsplit(self.primary.url())
        hosts = f"127.0.0.1:{self.primary.port},127.0.0.1:{self.standby.port}"
        return (
            f"postgresql://{place.username}:{place.password}@{hosts}/postgres?target_session_attrs=read-write"
        )

    def kill_primary(self) -> None:
        """End it as a machine ends that loses its power; it never comes back."""
        assert self.primary.pid
        os.kill(self.primary.pid, signal.SIGQUIT)
        self.primary.stop()

    def promote(self) -> None:
        """Make the standby the writer."""
        assert execute(self.standby.url(), "SELECT pg_promote()") == [(True,)]


def execute(url: str, *statements: str) -> list[tuple[object, ...]]:
    """What the last one answers."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall()) if cursor.description else []


def followed(primary: Postgres, data: Path) -> Standby:
    """A copy of the server in this directory, ready to follow it."""
    [(rules,)] = execute(primary.url(), "SHOW hba_file")
    with Path(str(rules)).open("a", encoding="ascii") as file:
        file.write("host replication all 127.0.0.1/32 scram-sha-256\n")
    execute(primary.url(), "SELECT pg_reload_conf()")
    program = [str(binaries() / "pg_basebackup"), "-d", primary.url(), "-D", str(data), "-R", "-X", "stream"]
    subprocess.run([*program, "--checkpoint=fast", "--no-sync"], check=True, capture_output=True)
    if owner := account():
        for path in [data, *data.rglob("*")]:
            shutil.chown(path, *owner)
    return Standby(data, password=urlsplit(primary.url()).password)


@contextmanager
def under_load(work: Workload) -> Iterator[None]:
    """While it lasts, messages come and are worked."""
    with ThreadPoolExecutor(1) as thread:
        sending = thread.submit(work.send, 500)
        work.await_some()
        yield
    sending.result()


@pytest.fixture
def pair() -> Iterator[Pair]:
    with directory() as folder, Postgres(folder / "primary") as primary:
        upgrade(primary.url())
        with followed(primary, folder / "standby") as standby:
            execute(
                primary.url(),
                "ALTER SYSTEM SET synchronous_standby_names = '*'",
                "SELECT pg_reload_conf()",
            )
            follows = "SELECT sync_state FROM pg_stat_replication"
            until(lambda: execute(primary.url(), follows) == [("sync",)])
            yield Pair(primary, standby)


@pytest.fixture
def database_url(pair: Pair) -> str:
    return pair.url


def test_the_next_host_is_taken_when_the_writer_moves_there(
    deployment: Deployment, work: Workload, pair: Pair
) -> None:
    daemon = deployment.start()
    with under_load(work):
        pair.kill_primary()
        await_event(deployment, "dependency.down", dependency="postgres")
        pair.promote()
    work.send(20)
    everything_is_accounted_for(work, daemon)
    assert events(deployment, "attempt.failed") == []


@pytest.mark.matrix
def test_an_address_that_leads_to_a_standby_for_a_while_is_waited_for(
    deployment: Deployment, work: Workload, pair: Pair, line: MakeLine
) -> None:
    way = line(pair.primary.url())
    daemon = deployment.start(ORCA_DATABASE__URL=way.url)
    with under_load(work):
        pair.kill_primary()
        way.lead_to(pair.standby.url())
        way.proxy.await_request = PROBE
        await_event(deployment, "dependency.down", dependency="postgres")
        until(way.proxy.reached.is_set, output=deployment.output)
        pair.promote()
    work.send(20)
    everything_is_accounted_for(work, daemon)
    assert events(deployment, "attempt.failed") == []
