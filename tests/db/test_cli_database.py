"""`orca-daemon db`: what it says, what it does, how it exits."""

import json

import pytest
from typer.testing import CliRunner, Result

from orca_daemon.cli import app
from orca_daemon.db import migrate


@pytest.fixture
def database(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ORCA_DATABASE__URL", empty_database.replace("postgres@", "postgres:s3cret-pa55@"))
    return empty_database


def call(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["db", *arguments])
    assert "s3cret-pa55" not in result.output + result.stderr
    return result


def test_a_dry_run_says_what_would_be_done_and_does_nothing(database: str) -> None:
    result = call("upgrade", "--dry-run")
    assert result.exit_code == 0
    assert "create the schema orca" in result.stdout
    assert migrate.status(database).version == 0


def test_an_upgrade_that_nobody_can_be_asked_about_needs_a_yes(database: str) -> None:
    assert call("upgrade").exit_code == 2
    assert migrate.status(database).version == 0


def test_an_upgrade_says_its_steps_and_the_second_one_has_none(database: str) -> None:
    first = call("upgrade", "--yes", "--json")
    assert first.exit_code == 0
    answer = json.loads(first.stdout)
    assert answer["done"]
    assert answer["steps"]
    assert json.loads(call("upgrade", "--yes", "--json").stdout) == {"steps": [], "done": True}


def test_status_exits_by_whether_the_daemon_can_work(database: str) -> None:
    before = call("status", "--json")
    assert before.exit_code == 1
    assert json.loads(before.stdout)["verdict"] == "absent"
    call("upgrade", "--yes")
    after = call("status")
    assert after.exit_code == 0
    assert "ok" in after.stdout


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("postgresql://u:s3cret-pa55@127.0.0.1:1/x", 1, "Connection refused"),
        ("mysql://u:s3cret-pa55@h/x", 78, "not that of a Postgres"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    url: str, code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCA_DATABASE__URL", url)
    for command in ("status", "upgrade"):
        result = call(command)
        assert result.exit_code == code
        assert said in result.stderr
        assert len(result.stderr.splitlines()) == 1
