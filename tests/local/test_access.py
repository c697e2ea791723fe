"""Who may use the embedded stack: whoever can read its directory, which is its owner."""

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
def test_nobody_is_let_in_without_the_password(postgres: Server, password: str) -> None:
    parts = urlsplit(postgres.url)
    url = parts._replace(netloc=f"postgres{password}@{parts.hostname}:{parts.port}").geturl()
    with pytest.raises(psycopg2.OperationalError, match="password"):
        connect(url)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_is_let_in_nowhere() -> None:
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


def test_a_server_that_let_everyone_in_lets_nobody_in_from_now_on(tmp_path: Path) -> None:
    with Postgres(tmp_path / "data", fast=True):
        pass
    (tmp_path / "data" / "pg_hba.conf").write_text("local all all trust\nhost all all all trust\n")
    with Postgres(tmp_path / "data", fast=True, password="known") as server:
        connect(server.url()).close()
        assert urlsplit(server.url()).password == "known"
        with pytest.raises(psycopg2.OperationalError, match="password"):
            connect(without_password(server.url()))


def test_the_address_list_is_for_its_owner_alone(tmp_path: Path) -> None:
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


def test_a_directory_that_others_use_too_stays_theirs(tmp_path: Path) -> None:
    (tmp_path / "something").touch()
    tmp_path.chmod(0o755)
    with closing(StateDirectory(tmp_path)) as directory:
        directory.publish(HERE)
        assert (mode(tmp_path), mode(tmp_path / "stack.json")) == (0o755, 0o600)


def test_a_directory_of_an_earlier_version_is_closed(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    tmp_path.chmod(0o755)
    StateDirectory(tmp_path).close()
    assert mode(tmp_path) == 0o700


def test_what_is_shown_has_no_password() -> None:
    assert "hunter2" not in repr(HERE) + json.dumps(HERE.shown())
    assert HERE.shown()["database_url"] == "postgresql://postgres@127.0.0.1:1003/orca"
    assert HERE.database_url.count("hunter2") == 1
