"""The worked example of docs/extend.md: its code, its commands and its test, as they stand on the page."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import PATIENCE, until

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/extend.md").read_text("utf-8")
CODE, TEST = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the project with the code and the test of the page added."""
    (line,) = re.findall(r"^\+(.*\n)", PAGE, re.MULTILINE)
    shutil.copytree(ROOT / "orca_daemon", tmp_path / "orca_daemon")
    queues = tmp_path / "orca_daemon/queues"
    (queues / "granule_notices.py").write_text(CODE, "utf-8")
    listing = (queues / "__init__.py").read_text("utf-8")
    listing = listing.replace(
        "from orca_daemon.queues import ", "from orca_daemon.queues import granule_notices, "
    )
    listing = listing.replace("    ]\n", f"{line}    ]\n")
    (queues / "__init__.py").write_text(listing, "utf-8")
    (tmp_path / "tests/queues").mkdir(parents=True)
    for name in ("__init__.py", "conftest.py", "memory.py", "waiting.py"):
        if (ROOT / "tests" / name).exists():
            shutil.copy(ROOT / "tests" / name, tmp_path / "tests")
    (tmp_path / "tests/queues/test_granule_notices.py").write_text(TEST, "utf-8")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.fixture
def stack(copy: Path) -> Iterator[Path]:
    """The directory in which the page's `orca-daemon local --state ./state` runs."""
    with (copy / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "orca_daemon", "local", "--state", "./state"],
            cwd=copy,
            stdout=log,
            stderr=log,
        )
        try:
            until(lambda: process.poll() is not None or (copy / "state/stack.json").exists())
            assert process.poll() is None, (copy / "log").read_text("utf-8")
            yield copy
        finally:
            process.terminate()
            assert process.wait(PATIENCE) == 0


def test_the_test_of_the_page_passes_with_its_code(copy: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "tests/queues/test_granule_notices.py",
        ],
        cwd=copy,
        # A worker of pytest-xdist is told so by its environment.
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_the_commands_of_the_page_send_to_the_queue_that_local_made(stack: Path) -> None:
    first, second, listed = (
        command
        for command in re.findall(r"^\$ (orca-daemon .*)$", PAGE, re.MULTILINE)
        if " local " not in command
    )
    assert in_shell(stack, f"{first}\n{second}").count("message ") == 2
    until(lambda: '"granule_id": "G1"' in (stack / "log").read_text("utf-8"))
    until(lambda: "granuleId is missing" in in_shell(stack, listed))
    warnings = [
        line for line in (stack / "log").read_text("utf-8").splitlines() if '"level": "warning"' in line
    ]
    assert [line for line in warnings if '"event": "message.dead_lettered"' not in line] == []


def in_shell(folder: Path, command: str) -> str:
    """What a command prints in a shell that has evaluated `local env`, as the page says."""
    script = f'eval "$(orca-daemon local env --state ./state)"\n{command}'
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["/bin/sh", "-euc", script],
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
