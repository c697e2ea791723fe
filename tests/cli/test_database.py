"""`orca-daemon db`: its output, its effects, its exit codes."""

import json
import os
from contextlib import closing
from urllib.parse import urlsplit
from uuid import uuid4

import boto3
import pytest
from typer.testing import CliRunner, Result

from orca_daemon.cli import app
from orca_daemon.db import migrate
from orca_daemon.db.schema import SchemaVerdict
from tests.db.conftest import address_parts


@pytest.fixture
def database(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ORCA_DATABASE__URL", empty_database)
    return empty_database


def call(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["db", *arguments])
    secret = urlsplit(os.environ.get("ORCA_DATABASE__URL", "")).password or "s3cret-pa55"
    assert secret not in result.output + result.stderr
    return result


def test_a_dry_run_prints_the_steps_and_changes_nothing(database: str) -> None:
    result = call("upgrade", "--dry-run")
    assert result.exit_code == 0
    assert "create the schema orca" in result.stdout
    assert migrate.status(database).version == 0


def test_an_upgrade_without_a_terminal_needs_yes(database: str) -> None:
    result = call("upgrade")
    expected = "orca-daemon: stdin is not a terminal; pass --yes or --dry-run\n"
    assert (result.exit_code, result.stderr) == (2, expected)
    assert migrate.status(database).version == 0


def test_an_upgrade_reports_its_steps_and_a_second_one_has_none(database: str) -> None:
    first = call("upgrade", "--yes", "--json")
    assert first.exit_code == 0
    document = json.loads(first.stdout)
    assert document["done"]
    assert document["steps"]
    second = json.loads(call("upgrade", "--yes", "--json").stdout)
    assert second == {"kind": "db upgrade", "format": 1, "steps": [], "done": True}


def test_status_exits_0_only_if_the_daemon_can_work(database: str) -> None:
    before = call("status", "--json")
    assert before.exit_code == 1
    assert json.loads(before.stdout)["verdict"] == "absent"
    call("upgrade", "--yes")
    after = call("status")
    assert after.exit_code == 0
    assert "ok" in after.stdout
    assert "missing indexes" in after.stdout


@pytest.mark.parametrize(
    ("url", "code", "output"),
    [
        (
            "postgresql://u:s3cret-pa55@127.0.0.1:1/x",
            1,
            "Connection refused (host 127.0.0.1, port 1, dbname x)",
        ),
        ("postgresql://u:s3cret-pa55@127.0.0.1:1/x?connect_timeout=5", 1, "Connection refused"),
        ("postgresql://u:s3cret-pa55@127.0.0.1:1/x?application_name=me", 1, "Connection refused"),
        ("mysql://u:s3cret-pa55@h/x", 78, "not that of a Postgres"),
        (
            "postgresql://u:s3cret-pa55@x@h/x",
            78,
            'the database URL has more than one "@"; write "@" in the password as %40',
        ),
    ],
)
def test_an_error_is_reported_in_one_line(
    url: str, code: int, output: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCA_DATABASE__URL", url)
    for command in ("status", "upgrade"):
        result = call(command)
        assert result.exit_code == code
        assert output in result.stderr
        assert len(result.stderr.splitlines()) == 1


def test_orcas_secret_names_the_administrator_for_the_upgrade(
    empty_database: str, aws_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = address_parts(empty_database) | {
        "admin_database": "postgres",
        "admin_username": "postgres",
        "admin_password": urlsplit(empty_database).password,
        "user_username": "nobody_yet",
        "user_password": "s3cret-pa55",
    }
    with closing(
        boto3.client("secretsmanager", endpoint_url=aws_endpoint, region_name="us-west-2")
    ) as client:
        name = f"dev-{uuid4().hex}"
        client.create_secret(Name=f"{name}-orca-db-login-secret", SecretString=json.dumps(secret))
    monkeypatch.setenv("ORCA_AWS__ENDPOINT_URL", aws_endpoint)
    monkeypatch.setenv("ORCA_AWS__REGION", "us-west-2")
    monkeypatch.setenv("PREFIX", name)
    refused = call("status")
    assert (refused.exit_code, "nobody_yet" in refused.stderr) == (1, True)
    assert call("upgrade", "--yes").exit_code == 0
    assert migrate.status(empty_database).verdict is SchemaVerdict.OK


def test_a_missing_secret_is_a_wrong_setting(aws_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCA_AWS__ENDPOINT_URL", aws_endpoint)
    monkeypatch.setenv("ORCA_AWS__REGION", "us-west-2")
    monkeypatch.setenv("PREFIX", "missing")
    result = call("status")
    assert (result.exit_code, "ResourceNotFoundException" in result.stderr) == (78, True)
