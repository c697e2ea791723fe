"""Access to the embedded stack: only its owner, who can read its directory, has the passwords."""

import json
import os
import pwd
import stat
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
from psycopg2.extensions import connection

from orca_daemon.local.postgres import Postgres
from orca_daemon.local.state import StateDirectory, Whereabouts, without_password
from tests.conftest import Server

HERE = Whereabouts(
    aws_endpoint_url="http://127.0.0.1:1001",
    sqs_endpoint_url="http://127.0.0.1:1002",
    database_url="postgresql://postgres:hunter2@127.0.0.1:1003/orca",
    http_url="http://127.0.0.1:1004",
    queues={},
    buckets={},
    environment={"ORCA_DATABASE__URL": "postgresql://postgres:hunter2@127.0.0.1:1003/orca"},
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def connect(url: str) -> connection:
    return psycopg2.connect(url, connect_timeout=10)


@pytest.mark.parametrize("password", ["", ":guess"], ids=["none", "a guess"])
def test_a_login_without_the_password_fails(postgres: Server, password: str) -> None:
    parts = urlsplit(postgres.url)
    url = parts._replace(netloc=f"postgres{password}@{parts.hostname}:{parts.port}").geturl()
    with pytest.raises(psycopg2.OperationalError, match="password"):
        connect(url)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_of_the_machine_has_no_access() -> None:
    nobody = pwd.getpwnam("nobody")
    with Postgres(fast=True) as server, closing(connect(server.url())) as ours, ours.cursor() as cursor:
        cursor.execute("SHOW unix_socket_directories")
        (folder,) = cursor.fetchone() or ("",)
        if child := os.fork():
            assert os.waitpid(child, 0)[1] == 0
            return
        try:
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
            psycopg2.connect(host=folder, port=server.port, user="postgres", dbname="postgres")
        except psycopg2.OperationalError:
            os._exit(0)
        finally:
            os._exit(1)


def test_a_data_directory_without_passwords_gets_one(tmp_path: Path) -> None:
    with Postgres(tmp_path / "data", fast=True):
        pass
    (tmp_path / "data" / "pg_hba.conf").write_text("local all all trust\nhost all all all trust\n")
    with Postgres(tmp_path / "data", fast=True, password="known") as server:
        connect(server.url()).close()
        assert urlsplit(server.url()).password == "known"
        with pytest.raises(psycopg2.OperationalError, match="password"):
            connect(without_password(server.url()))


def test_only_the_owner_can_read_the_stack_file(tmp_path: Path) -> None:
    path = tmp_path / "state"
    before = os.umask(0)
    try:
        with closing(StateDirectory(path)) as directory:
            directory.publish(HERE)
            assert (mode(path), mode(path / "stack.json")) == (0o700, 0o600)
    finally:
        os.umask(before)
    assert mode(path / ".last.json") == 0o600
    with closing(StateDirectory(path)) as again:
        assert again.password("database_url") == "hunter2"


def test_a_shared_directory_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "something").touch()
    tmp_path.chmod(0o755)
    with closing(StateDirectory(tmp_path)) as directory:
        directory.publish(HERE)
        assert (mode(tmp_path), mode(tmp_path / "stack.json")) == (0o755, 0o600)


def test_a_directory_of_an_earlier_version_is_made_private(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    tmp_path.chmod(0o755)
    StateDirectory(tmp_path).close()
    assert mode(tmp_path) == 0o700


def test_printed_addresses_have_no_password() -> None:
    assert "hunter2" not in repr(HERE) + json.dumps(HERE.without_passwords())
    assert HERE.without_passwords()["database_url"] == "postgresql://postgres@127.0.0.1:1003/orca"
    assert HERE.database_url.count("hunter2") == 1
