"""deploy/systemd/orca-daemon runs a command with the user, the settings and the folders of the service."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).parents[2] / "deploy/systemd"
WRAPPER = SYSTEMD / "orca-daemon"
UNIT = (SYSTEMD / "orca-daemon.service").read_text("utf-8")
STAND_IN = """#!/bin/sh
# Stands in for systemd-run, which needs a running systemd: it keeps its options, and runs the command.
: >"$RECORD"
while [ "$1" != -- ]; do printf '%s\\n' "$1" >>"$RECORD"; shift; done
printf '%s\\n' "$2" >>"$RECORD"
shift 2
exec "$COMMAND" "$@"
"""
COMMAND = """#!/bin/sh
printf '%s|' "$@"
cat
exit 3
"""
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs the wrapper as a user whose id is given, on a stand-in for systemd-run."""

    def call(*arguments: str, user: int = 0) -> "subprocess.CompletedProcess[str]":
        for name, text in {
            "systemd-run": STAND_IN,
            "command": COMMAND,
            "id": f"#!/bin/sh\necho {user}\n",
        }.items():
            (tmp_path / name).write_text(text, "utf-8")
            (tmp_path / name).chmod(0o755)
        environment = {
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "RECORD": str(tmp_path / "options"),
            "COMMAND": str(tmp_path / "command"),
        }
        program = [str(WRAPPER), *arguments]
        return subprocess.run(
            program, env=environment, input="lines\n", check=False, capture_output=True, text=True
        )

    return call


def of_unit(name: str) -> str:
    found = re.search(rf"^{name}=(.+)$", UNIT, re.MULTILINE)
    assert found is not None
    return found[1]


def test_arguments_input_and_exit_code_are_passed_on(run: Run) -> None:
    ended = run("send", "--reason", "two words", "*", "")

    assert (ended.returncode, ended.stdout) == (3, "send|--reason|two words|*||lines\n")


def test_the_command_has_the_user_the_settings_and_the_folders_of_the_service(
    run: Run, tmp_path: Path
) -> None:
    run("jobs", "--stuck", "24h")
    options = (tmp_path / "options").read_text("utf-8").splitlines()

    names = [
        "DynamicUser",
        "User",
        "EnvironmentFile",
        "StateDirectory",
        "StateDirectoryMode",
        "WorkingDirectory",
    ]
    assert {f"--property={name}={of_unit(name)}" for name in names} == {
        each for each in options if each.startswith("--property=")
    }
    program, _, _, file = shlex.split(of_unit("ExecStart"))
    assert options[-1] == program
    assert f"--setenv=ORCA_CONFIG={file}" in options
    work_dir = re.search(r"^Environment=(ORCA_RECONCILE__WORK_DIR=.+)$", UNIT, re.MULTILINE)
    assert work_dir is not None
    assert f"--setenv={work_dir[1]}" in options


def test_systemd_gets_the_name_of_the_command_and_nothing_that_it_is_given(run: Run, tmp_path: Path) -> None:
    run("send", "--body", "secret")

    # systemd writes the description to the journal.
    assert "secret" not in (tmp_path / "options").read_text("utf-8")


def test_another_user_than_root_is_told_why_it_does_not_work(run: Run, tmp_path: Path) -> None:
    ended = run("jobs", user=1000)

    assert ended.returncode == 77
    assert "as root" in ended.stderr
    assert not (tmp_path / "options").exists()


@pytest.mark.skipif(shutil.which("systemd-run") is None, reason="needs systemd-run")
def test_systemd_run_knows_every_option(tmp_path: Path, run: Run) -> None:
    run("jobs")
    options = (tmp_path / "options").read_text("utf-8").splitlines()[:-1]
    ended = subprocess.run(
        ["systemd-run", *options, "--version"], check=False, capture_output=True, text=True
    )

    assert (ended.returncode, ended.stderr) == (0, "")
