"""The database fails over to a standby under load: no acknowledged commit is lost, the daemon continues."""

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
from tests.faults.conftest import MakeLink, await_event, events
from tests.faults.workload import Workload, everything_is_accounted_for
from tests.memory import directory
from tests.waiting import until


class Standby(Postgres):
    """A streaming replica; it has the roles and passwords of its primary."""

    def _set_password(self) -> None:
        psycopg2.connect(self.url(), connect_timeout=2).close()


PROBE = b"transaction_read_only"
"""Part of the query with which the daemon's probe checks that a server is writable."""


@dataclass
class Pair:
    """A primary and a synchronous standby: a commit is acknowledged only once the standby has it."""

    primary: Postgres
    standby: Postgres

    @property
    def url(self) -> str:
        """URL with both hosts; libpq connects to the one that is writable."""
        parts = urlsplit(self.primary.url())
        user = f"{parts.username}:{parts.password}"
        hosts = f"127.0.0.1:{self.primary.port},127.0.0.1:{self.standby.port}"
        return f"postgresql://{user}@{hosts}/postgres?target_session_attrs=read-write"

    def kill_primary(self) -> None:
        """Stop it without a shutdown checkpoint, as a power failure does; it does not return."""
        assert self.primary.pid
        os.kill(self.primary.pid, signal.SIGQUIT)
        self.primary.stop()

    def promote(self) -> None:
        """Make the standby the writer."""
        assert execute(self.standby.url(), "SELECT pg_promote()") == [(True,)]


def execute(url: str, *statements: str) -> list[tuple[object, ...]]:
    """Execute the statements and return the rows of the last one."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall()) if cursor.description else []


def make_standby(primary: Postgres, data: Path) -> Standby:
    """Copy the primary into this directory and return a standby that replicates from it."""
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
    """During the block messages are sent and processed."""
    with ThreadPoolExecutor(1) as thread:
        sending = thread.submit(work.send, 500)
        work.await_first_row()
        yield
    sending.result()


@pytest.fixture
def pair() -> Iterator[Pair]:
    with directory() as folder, Postgres(folder / "primary") as primary:
        upgrade(primary.url())
        with make_standby(primary, folder / "standby") as standby:
            execute(
                primary.url(),
                "ALTER SYSTEM SET synchronous_standby_names = '*'",
                "SELECT pg_reload_conf()",
            )
            sync_state = "SELECT sync_state FROM pg_stat_replication"
            until(lambda: execute(primary.url(), sync_state) == [("sync",)])
            yield Pair(primary, standby)


@pytest.fixture
def database_url(pair: Pair) -> str:
    return pair.url


def test_the_daemon_connects_to_the_next_host_after_a_failover(
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
def test_the_daemon_waits_while_its_address_leads_to_a_read_only_standby(
    deployment: Deployment, work: Workload, pair: Pair, make_link: MakeLink
) -> None:
    link = make_link(pair.primary.url())
    daemon = deployment.start(ORCA_DATABASE__URL=link.url)
    with under_load(work):
        pair.kill_primary()
        link.retarget(pair.standby.url())
        link.proxy.await_request = PROBE
        await_event(deployment, "dependency.down", dependency="postgres")
        until(link.proxy.reached.is_set, output=deployment.output)
        pair.promote()
    work.send(20)
    everything_is_accounted_for(work, daemon)
    assert events(deployment, "attempt.failed") == []
