"""`orca-daemon run --print-config`: the effective settings, without passwords."""

import json

import pytest
from typer.testing import CliRunner

from orca_daemon.cli import app

HIDDEN = "**********"


def printed(monkeypatch: pytest.MonkeyPatch, **environ: str) -> dict[str, dict[str, object]]:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(app, ["run", "--print-config"])
    assert result.exit_code == 0
    assert "s3cret" not in result.output
    document: dict[str, dict[str, object]] = json.loads(result.stdout)
    return document


def test_of_a_url_only_the_password_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    document = printed(
        monkeypatch,
        DATABASE_URL="postgresql://u:s3cret@db.example:5433/orca?sslmode=require",
        ORCA_EXPORT__SOURCE_URL="postgresql://v:s3cret@other/d",
        ORCA_DATABASE__PASSWORD="s3cret",
    )

    assert document["database"]["url"] == f"postgresql://u:{HIDDEN}@db.example:5433/orca?sslmode=require"
    assert document["export"]["source_url"] == f"postgresql://v:{HIDDEN}@other/d"
    assert document["database"]["password"] == HIDDEN


def test_a_reference_to_a_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    document = printed(monkeypatch, ORCA_DATABASE__URL="ssm:/orca/database-url")

    assert document["database"]["url"] == "ssm:/orca/database-url"
    assert document["database"]["password"] is None
