"""requirements/install.py shows how far the set-up is: with programs that print what pip and uv do."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "requirements/install.py"
PIP = """Looking in links: /somewhere
Ignoring colorama: markers 'sys_platform == "win32"' don't match your environment
Collecting duckdb==2.0.0
  Downloading duckdb-2.0.0.whl (20.5 MB)
Collecting idna==3.20
  Downloading idna-3.20.whl (500 kB)
Installing collected packages: duckdb, idna"""
UV = """Downloading duckdb (19.5MiB)
 Downloaded duckdb
Prepared 2 packages in 1.0s
Installed 2 packages in 20ms"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The script, beside pins of three packages, one of them for another platform."""
    (tmp_path / "dev.txt").write_text(
        "duckdb==2.0.0\nidna==3.20\ncolorama==0.4.6 ; sys_platform == 'win32'\n"
    )
    (tmp_path / "install.py").write_text(SCRIPT.read_text("utf-8"), "utf-8")
    return tmp_path / "install.py"


def installer(printed: str, code: int = 0) -> list[str]:
    return [sys.executable, "-c", f"print({printed!r}); raise SystemExit({code})"]


def run(script: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, script, *command], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("printed", "megabytes"), [(PIP, 21), (UV, 20)], ids=["pip", "uv"])
def test_a_pipe_gets_a_line_for_each_step(script: Path, printed: str, megabytes: int) -> None:
    done = run(script, *installer(printed))
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines() == [
        "  fetching packages: 3",
        f"  installing 2 packages, {megabytes} MB downloaded",
    ]


def test_a_failure_shows_what_the_installer_said_and_its_exit_code(script: Path) -> None:
    done = run(script, *installer("Collecting nothing\nERROR: no space left on device", code=7))
    assert (done.returncode, "ERROR: no space left on device" in done.stderr) == (7, True)


def test_a_terminal_shows_one_line_that_changes_and_is_cleared(script: Path) -> None:
    leader, follower = pty.openpty()
    process = subprocess.Popen([sys.executable, script, *installer(PIP)], stderr=follower)
    os.close(follower)
    assert process.wait(60) == 0
    printed = os.read(leader, 1 << 20).decode()
    os.close(leader)
    assert "fetching packages: 2 of 2, 21 MB downloaded" in printed
    assert "\n" not in printed
    assert max(map(len, printed.split("\r"))) < 80
    assert printed.split("\r")[-2].strip() == ""
