"""Postgres is restarted, or its password is changed, while the daemon processes messages."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import boto3
import psycopg2
import pytest

from orca_daemon.db.migrate import upgrade
from orca_daemon.local.moto import REGION
from orca_daemon.local.postgres import Postgres
from tests.end_to_end.conftest import Deployment
from tests.faults.conftest import await_event, events
from tests.faults.workload import Workload, everything_is_accounted_for


@pytest.fixture
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("postgres") / "data"


@pytest.fixture
def server(data: Path) -> Iterator[list[Postgres]]:
    """A server for this test alone, because the shared one runs without fsync; the list's last one runs."""
    servers = [Postgres(data)]
    servers[0].start()
    yield servers
    servers[-1].stop()


@pytest.fixture
def database_url(server: list[Postgres]) -> str:
    upgrade(server[0].url())
    return server[0].url()


def restart(server: list[Postgres], data: Path) -> None:
    """Start Postgres again with the same data on the same port."""
    password = urlsplit(server[0].url()).password
    server.append(Postgres(data, port=server[0].port, password=password))
    server[-1].start()
    assert server[-1].port == server[0].port


@pytest.mark.parametrize(
    "signal_",
    [signal.SIGINT, pytest.param(signal.SIGQUIT, marks=pytest.mark.matrix)],
    ids=["fast", "immediate"],
)
def test_a_restart_of_postgres_under_load_only_costs_time(
    deployment: Deployment, work: Workload, server: list[Postgres], data: Path, signal_: signal.Signals
) -> None:
    daemon = deployment.start()
    work.send(200)
    work.await_first_row()
    pid = server[0].pid
    assert pid
    os.kill(pid, signal_)
    server[0].stop()
    work.send(20)
    await_event(deployment, "dependency.down", dependency="postgres")
    restart(server, data)
    everything_is_accounted_for(work, daemon)
    assert events(deployment, "attempt.failed") == []


@pytest.mark.matrix
def test_a_daemon_that_starts_before_its_database_waits_for_it(
    deployment: Deployment, work: Workload, server: list[Postgres], data: Path
) -> None:
    work.send(20)
    server[0].stop()
    daemon = deployment.launch()
    await_event(deployment, "start.waiting")
    restart(server, data)
    daemon.ready()
    everything_is_accounted_for(work, daemon)


@pytest.mark.matrix
def test_a_password_that_is_rotated_under_load_is_read_again_from_secrets_manager(
    deployment: Deployment, work: Workload, server: list[Postgres], data: Path, aws_endpoint: str
) -> None:
    url = urlsplit(server[0].url())
    secret = {"host": url.hostname, "port": url.port, "user_database": "postgres", "user_username": "app"}
    with closing(boto3.client("secretsmanager", endpoint_url=aws_endpoint, region_name=REGION)) as secrets:
        arn = secrets.create_secret(
            Name=uuid4().hex, SecretString=json.dumps(secret | {"user_password": "old"})
        )["ARN"]
        execute(server[0].url(), "CREATE ROLE app LOGIN PASSWORD 'old' IN ROLE orca_app")
        daemon = deployment.start(ORCA_DATABASE__URL="", ORCA_DATABASE__SECRET_ARN=arn)
        work.send(200)
        work.await_first_row()

        execute(server[0].url(), "ALTER ROLE app PASSWORD 'new'")
        execute(
            server[0].url(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'"
        )
        work.send(20)
        await_event(deployment, "dependency.down", dependency="postgres")
        secrets.put_secret_value(SecretId=arn, SecretString=json.dumps(secret | {"user_password": "new"}))
    everything_is_accounted_for(work, daemon)
    assert events(deployment, "attempt.failed") == []
    for password in ("old", "new"):
        assert f'"{password}"' not in deployment.log.read_text("utf-8")


def execute(url: str, statement: str) -> None:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(statement)
