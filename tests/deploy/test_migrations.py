"""The migration commands of the platforms, run as they are written, without a terminal."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from orca_daemon.cli import app
from orca_daemon.db import migrate
from orca_daemon.db.address import parse
from orca_daemon.db.schema import SchemaVerdict

ROOT = Path(__file__).parents[2]


def kubernetes() -> list[str]:
    pod = yaml.safe_load((ROOT / "deploy/k8s/migration/job.yaml").read_text("utf-8"))["spec"]["template"][
        "spec"
    ]
    command: list[str] = pod["containers"][0]["args"]
    return command


def ecs() -> list[str]:
    overrides = json.loads((ROOT / "deploy/ecs/migration-overrides.json").read_text("utf-8"))
    command: list[str] = overrides["containerOverrides"][0]["command"]
    return command


def compose() -> list[str]:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"]
    command: list[str] = services["migration"]["command"]
    return command


@pytest.mark.parametrize("command", [kubernetes(), ecs(), compose()], ids=["k8s", "ecs", "compose"])
def test_a_migration_makes_the_schema_and_may_be_repeated(command: list[str], empty_database: str) -> None:
    for _ in range(2):
        ended = CliRunner().invoke(app, command, env={"DATABASE_URL": empty_database})
        assert ended.exit_code == 0, ended.output

    assert migrate.status(parse(empty_database)).verdict is SchemaVerdict.OK
