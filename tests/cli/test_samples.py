"""`config` and `policy` print the project's own files, from a checkout and from an installed package."""

import json
import os
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orca_daemon.cli import app
from orca_daemon.cli.policy import fill, words
from orca_daemon.cli.samples import IN_CHECKOUT

ROOT = Path(__file__).parents[2]
POLICY = (ROOT / "deploy/iam/policy.json").read_text("utf-8")
FILES = {"config": ROOT / "config/orca-daemon.toml", "policy": ROOT / "deploy/iam/policy.json"}


def statement(*resources: str) -> dict[str, object]:
    return {"Sid": "A", "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": list(resources)}


@pytest.mark.parametrize("command", FILES)
def test_a_checkout_prints_its_own_file(command: str) -> None:
    assert CliRunner().invoke(app, [command]).output == FILES[command].read_text("utf-8")


def test_the_wheel_gets_the_files_that_a_checkout_prints() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    added = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]

    assert added == {source: f"orca_daemon/samples/{name}" for name, source in IN_CHECKOUT.items()}


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as the image has it, without a checkout around it."""
    site = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        runpy.run_path("deploy/image/finish.py")["copy_package"](site)
    return site


@pytest.mark.parametrize("command", FILES)
def test_an_installed_package_prints_its_own_copy(command: str, installed: Path, tmp_path: Path) -> None:
    program = [sys.executable, "-m", "orca_daemon", command]
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    printed = subprocess.run(
        program, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
    )

    assert printed.stdout == FILES[command].read_text("utf-8")


def test_a_word_becomes_a_line_for_each_of_its_values() -> None:
    document = {"Statement": [statement("arn:aws:s3:::ARCHIVE_BUCKET/*", "arn:aws:s3:::EXPORT_BUCKET/*")]}

    assert fill(document, {"ARCHIVE_BUCKET": ["a", "b"], "EXPORT_BUCKET": []}) == {
        "Statement": [statement("arn:aws:s3:::a/*", "arn:aws:s3:::b/*")]
    }


def test_a_statement_without_a_resource_is_left_out() -> None:
    document = {"Statement": [statement("arn:aws:kms:REGION:ACCOUNT:key/KEY_ID"), statement("b")]}

    assert fill(document, {"KEY_ID": []}) == {"Statement": [statement("b")]}


def test_a_policy_with_every_word_filled_in_has_none_left_and_the_same_actions() -> None:
    known = words(json.loads(POLICY))
    printed = CliRunner().invoke(app, ["policy", *(f"{word}={word.lower()}" for word in known)])

    assert printed.stderr == ""
    filled = json.loads(printed.stdout)
    assert words(filled) == []
    assert [each["Action"] for each in filled["Statement"]] == [
        each["Action"] for each in json.loads(POLICY)["Statement"]
    ]


def test_words_that_are_left_are_listed() -> None:
    printed = CliRunner().invoke(app, ["policy", "REGION=us-west-2", "ACCOUNT=123456789012", "KEY_ID="])

    assert "still to be replaced: ARCHIVE_BUCKET, " in printed.stderr
    assert "KEY_ID" not in printed.stderr
    assert "key/" not in printed.stdout


@pytest.mark.parametrize("argument", ["BUCKET=a", "REGION", "=a"])
def test_an_unknown_word_is_refused_with_the_words_that_there_are(argument: str) -> None:
    printed = CliRunner().invoke(app, ["policy", argument], env={"COLUMNS": "200"})

    assert printed.exit_code == 2
    assert "REGION, REPORTS_BUCKET" in printed.output
