"""Standard output that is closed, full, or without a reader: the daemon works, and a clean stop exits 0."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import asyncio, sys, threading, types, warnings
from orca_daemon.ops.bootstrap import open_standard_streams
open_standard_streams()
import structlog
from orca_daemon.app import life
from orca_daemon.ops.exits import Exit

class Unraisable:
    def __del__(self):
        raise RuntimeError("unraisable")

async def serve(*_):
    warnings.simplefilter("always")
    warnings.warn("careless")
    thread = threading.Thread(target=lambda: 1 / 0, name="worker")
    thread.start()
    thread.join()
    Unraisable()
    structlog.get_logger().info("ready")
    if sys.argv[1] == "crash":
        raise KeyError("crash")
    return Exit[sys.argv[1]]

life.serve = serve
life.main(types.SimpleNamespace(log=types.SimpleNamespace(level="info", format="json")), None)
"""


def shell(redirection: str, ending: str = "CLEAN") -> "subprocess.CompletedProcess[bytes]":
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(
        ["sh", "-c", f'exec "$0" "$@" {redirection}', sys.executable, "-c", PROGRAM, ending],
        env=environment,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "redirection",
    [
        pytest.param(">&- 2>&- <&-", id="all closed"),
        pytest.param(">/dev/full 2>/dev/full", id="full"),
        pytest.param(">&-", id="closed", marks=pytest.mark.matrix),
        pytest.param("| true", id="its reader gone", marks=pytest.mark.matrix),
    ],
)
def test_a_clean_stop_exits_0(redirection: str) -> None:
    ended = shell(redirection)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_closed_standard_descriptor_is_not_reused(tmp_path: Path) -> None:
    program = "from orca_daemon.ops.bootstrap import open_standard_streams as o; o(); import os; print(1); "
    program += f"f = open({str(tmp_path / 'file')!r}, 'w'); assert f.fileno() > 2; os.write(1, b'x')"
    ended = subprocess.run(
        ["sh", "-c", 'exec "$0" "$@" >&- <&-', sys.executable, "-c", program],
        timeout=60,
        check=False,
        capture_output=True,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.parametrize(("ending", "code"), [("CLEAN", 0), ("TASK_DIED", 70), ("crash", 1)])
def test_all_log_lines_are_written_before_the_process_ends(ending: str, code: int) -> None:
    ended = shell("", ending)
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    named = [line["event"] for line in lines]
    assert (ended.returncode, ended.stderr) == (code, b"")
    expected = ["library.message", "thread.crashed", "error.unraisable", "ready"]
    assert named == expected + (["process.crashed"] if ending == "crash" else [])
    assert "careless" in lines[0]["text"]
    assert "ZeroDivisionError" in lines[1]["exception"]
