"""Real processes on real terminals of several widths and kinds, and without one."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from contextlib import suppress

import pytest
from sqlalchemy import Connection

from tests.cli.archived import JOB, insert_jobs, insert_reports
from tests.cli.test_listings import FOLDER

COMMAND = [sys.executable, "-m", "orca_daemon"]
JOBS = [*COMMAND, "jobs"]
_COLOUR = re.compile(r"\x1b\[\d+m")


@pytest.fixture(autouse=True)
def jobs(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    insert_jobs(connection, monkeypatch)
    for name in ("COLUMNS", "NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)


def on_terminal(columns: int, variables: Mapping[str, str]) -> str:
    """What the command writes to a terminal of this width."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = os.environ | variables
    with subprocess.Popen(JOBS, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        written = bytearray()
        with suppress(OSError):  # Linux reports the end of the other side as an error
            while chunk := os.read(ours, 65536):
                written += chunk
    os.close(ours)
    assert process.returncode == 0, written
    return written.decode().replace("\r\n", "\n")


def expected(form: str) -> list[str]:
    """The lines of the table in this form."""
    _, _, after = (FOLDER / "jobs.txt").read_text("utf-8").partition(f"==> {form} <==\n")
    return [line for line in after.partition("\n\n")[0].splitlines() if not line.startswith("(stderr)")]


@pytest.mark.parametrize(
    ("columns", "variables", "coloured"),
    [
        (80, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (120, {"TERM": "dumb"}, False),
        (200, {"TERM": "xterm"}, True),
    ],
    ids=["80 columns without colours", "120 columns, dumb", "200 columns in colours"],
)
def test_a_table_fits_the_terminal(columns: int, variables: dict[str, str], *, coloured: bool) -> None:
    written = on_terminal(columns, variables)
    plain = _COLOUR.sub("", written)
    assert plain.splitlines()[:4] == expected(f"{columns} columns")
    assert (written != plain) is coloured
    assert plain.replace("\n", "").isprintable()
    assert all(len(line) <= columns for line in plain.splitlines())


def test_a_terminal_of_another_encoding_gets_question_marks_and_a_pipe_an_error() -> None:
    variables = {"TERM": "dumb", "PYTHONIOENCODING": "ascii"}
    written = on_terminal(80, variables)
    assert "evil?[31m?" in written
    assert JOB in written
    result = subprocess.run(JOBS, env=os.environ | variables, capture_output=True, check=False)
    assert result.returncode == 1
    assert result.stderr.decode().startswith("orca-daemon: standard output is not in UTF-8")


def test_a_terminal_without_a_width_counts_as_eighty_columns() -> None:
    written = on_terminal(0, {"TERM": "dumb"})
    assert written.splitlines()[:4] == expected("80 columns")


@pytest.mark.parametrize(
    "arguments", [["jobs"], ["report", "4711", "--kind", "orphan", "--csv"]], ids=["table", "CSV"]
)
def test_a_reader_that_has_gone_ends_the_command_without_a_word(
    connection: Connection, arguments: list[str]
) -> None:
    insert_reports(connection)
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run([*COMMAND, *arguments], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (result.returncode, result.stderr) == (1, b"")


def test_a_pipe_gets_a_whole_table_and_nothing_else() -> None:
    result = subprocess.run(
        JOBS, env=os.environ | {"TERM": "xterm", "COLUMNS": "20"}, capture_output=True, check=True
    )
    assert result.stdout.decode().splitlines() == expected("a pipe")
    assert result.stderr == b""
