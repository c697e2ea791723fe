"""What `orca-daemon local env` prints, evaluated by a real shell."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orca_daemon.cli import app
from orca_daemon.local.look import where_to_look
from orca_daemon.local.shell import lines
from orca_daemon.local.state import StateDirectory, Whereabouts

HERE = Whereabouts(
    aws_endpoint_url="http://127.0.0.1:1001",
    sqs_endpoint_url="http://127.0.0.1:1002",
    database_url="postgresql://postgres:p%27w%20d@127.0.0.1:1003/local_orca",
    http_url="http://127.0.0.1:1004",
    queues={},
    buckets={"protected": "local-protected"},
    environment={"AWS_REGION": "us-west-2", "ORCA_RESTORE__DESTINATIONS": '{"$(touch x)": "it\'s"}'},
)


def evaluated(environ: dict[str, str]) -> dict[str, str]:
    """The variables of a shell with this environment after `eval`."""
    show = f"'{sys.executable}' -c 'import json, os; print(json.dumps(dict(os.environ)))'"
    done = subprocess.run(
        ["/bin/sh", "-euc", "\n".join([*lines(HERE, environ), show])],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_a_shell_gets_what_orca_daemon_aws_and_psql_read() -> None:
    found = evaluated({"PATH": "/usr/bin:/bin"})
    wanted = {
        **HERE.environment,
        "AWS_DEFAULT_REGION": "us-west-2",
        "PGHOST": "127.0.0.1",
        "PGPORT": "1003",
        "PGUSER": "postgres",
        "PGPASSWORD": "p'w d",
        "PGDATABASE": "local_orca",
    }
    assert {name: found[name] for name in wanted} == wanted


def test_variables_of_other_accounts_and_queues_are_unset() -> None:
    foreign = {
        "AWS_PROFILE": "ops",
        "AWS_SESSION_TOKEN": "t",
        "RECOVERY_QUEUE_URL": "http://q",
        "DATABASE_URL": "x",
    }
    found = evaluated({"PATH": "/usr/bin:/bin", "HOME": "/root", **foreign})
    assert (found.keys() & foreign.keys(), found["HOME"]) == (set(), "/root")


def test_orca_daemon_is_put_on_a_path_that_lacks_it() -> None:
    folder = str(Path(sys.executable).parent)
    assert evaluated({"PATH": "/usr/bin:/bin"})["PATH"] == f"/usr/bin:/bin:{folder}"


def test_the_variables_of_a_running_stack_are_printed(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    state.publish(HERE)
    result = CliRunner().invoke(app, ["local", "env", "--state", str(tmp_path)])
    assert (result.exit_code, result.output.splitlines()) == (0, list(lines(HERE, os.environ)))
    state.close()


@pytest.mark.parametrize("left", [False, True], ids=["stopped", "killed"])
def test_no_variables_are_printed_without_a_running_stack(tmp_path: Path, *, left: bool) -> None:
    StateDirectory(tmp_path).close()
    if left:
        (tmp_path / "stack.json").write_text(json.dumps(asdict(HERE)))
    result = CliRunner().invoke(app, ["local", "env", "--state", str(tmp_path)])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"orca-daemon: no stack runs on {tmp_path}: start it with orca-daemon local --state {tmp_path}\n"
    )


def test_only_programs_that_this_machine_has_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    bare = "\n".join(where_to_look(HERE, tmp_path / "state", tmp_path))
    for name in ("psql", "aws"):
        (tmp_path / name).touch(0o755)
    whole = "\n".join(where_to_look(HERE, tmp_path / "state", tmp_path))
    assert [("psql " in text, "aws s3" in text, "orca-daemon jobs" in text) for text in (bare, whole)] == [
        (False, False, True),
        (True, True, True),
    ]
    assert "local env --state state)" in bare
    assert "p%27w" not in whole


def test_the_last_line_says_that_the_daemon_keeps_running(tmp_path: Path) -> None:
    printed = list(where_to_look(HERE, tmp_path, tmp_path))
    assert printed[-1].strip() == "The daemon keeps running; Ctrl-C stops everything."
