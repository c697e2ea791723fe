"""kubectl and docker accept each documented command: it gets as far as the server, which is not there."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.commands import ROOT, Command
from tests.deploy.test_sequences import AFTER, CONTAINER, EACH_VERSION, KUBERNETES

SERVER = "127.0.0.1:9"
"""Nothing listens there."""
OPTIONS = {"kubectl": f"--server=http://{SERVER}", "docker": f"--host=tcp://{SERVER}"}
COMMANDS = [
    command
    for command in [*KUBERNETES, *EACH_VERSION, *CONTAINER, *AFTER]
    # Compose is a plugin, and a build reads files before it asks the server.
    if command[0] in OPTIONS and command[1] not in {"compose", "build"}
]
pytestmark = pytest.mark.outside


@pytest.mark.parametrize(
    "command", COMMANDS, ids=[f"{number}-{each[0]}" for number, each in enumerate(COMMANDS)]
)
def test_the_client_sends_the_command_to_the_server(command: Command, tmp_path: Path) -> None:
    program, *arguments = command
    if shutil.which(program) is None:
        pytest.skip(f"needs {program}")
    given = [ROOT / "deploy/systemd/environment" if word == "orca.env" else word for word in arguments]
    ended = subprocess.run(
        [program, OPTIONS[program], *map(str, given)],
        cwd=ROOT,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        check=False,
        capture_output=True,
        text=True,
    )

    assert SERVER in ended.stderr
