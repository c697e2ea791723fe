"""The log's buffer and thread: logging never waits; the reader gets lines in order and a notice of gaps."""

import fcntl
import os
import re
import resource
import select
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orca_daemon.ops.log_writer import RESERVE, LogWriter
from tests.waiting import until

PIPE = 4096
LINE = b"%0199d\n"
"""Two hundred bytes."""


def notice(count: int) -> bytes:
    return b"dropped %d\n" % count


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The reading and the writing end of a small pipe."""
    ours, theirs = os.pipe()
    fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, PIPE)
    yield ours, theirs
    # The writing end stays open: a thread may still be writing to it.
    os.close(ours)


def lines_until(fd: int, last: bytes) -> list[bytes]:
    """Read lines up to one that begins with `last`."""
    data = b""
    while not re.search(rb"^" + last + rb".*\n$", data, re.MULTILINE):
        assert select.select([fd], [], [], 20)[0], data[-200:]
        data += os.read(fd, 65_536)
    return data.splitlines()


def test_lines_are_written_in_order(pipe: tuple[int, int]) -> None:
    writer = LogWriter(pipe[1], notice)
    for number in range(1_000):
        writer.put(LINE % number)
    writer.put(b"end\n")

    assert [int(line) for line in lines_until(pipe[0], b"end")[:-1]] == list(range(1_000))
    assert (writer.flush(20), writer.dropped) == (True, 0)


def test_a_stopped_reader_delays_nothing_and_gets_the_number_of_dropped_lines(
    pipe: tuple[int, int],
) -> None:
    writer = LogWriter(pipe[1], notice, capacity=10_000)
    began = time.monotonic()
    for number in range(1_000):
        writer.put(LINE % number)
    assert time.monotonic() - began < 10
    dropped = writer.dropped
    assert dropped > 900

    read = threading.Thread(target=lambda: lines.extend(lines_until(pipe[0], b"end")))
    lines: list[bytes] = []
    read.start()
    until(lambda: writer.flush(0.1))
    writer.put(b"end\n")
    read.join(20)

    kept = 1_000 - dropped
    assert lines == [*(b"%0199d" % number for number in range(kept)), b"dropped %d" % dropped, b"end"]


def test_a_flush_waits_no_longer_than_its_limit(pipe: tuple[int, int]) -> None:
    writer = LogWriter(pipe[1], notice)
    for number in range(100):
        writer.put(LINE % number)
    assert writer.flush(0.05) is False


def test_a_full_disk_drops_and_counts_lines_until_there_is_space(tmp_path: Path) -> None:
    target = os.open("/dev/full", os.O_WRONLY)
    writer = LogWriter(target, notice)
    for number in range(10):
        writer.put(LINE % number)
    assert writer.flush(20) is False
    assert writer.dropped == 10

    file = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    os.dup2(file, target)
    writer.put(b"again\n")
    assert writer.flush(20) is True
    assert (tmp_path / "log").read_bytes() == b"dropped 10\nagain\n"


def test_a_closed_pipe_drops_lines_and_raises_nothing() -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    writer = LogWriter(theirs, notice)
    for round_ in range(1, 4):
        writer.put(b"dropped\n")
        assert writer.flush(20) is False
        assert writer.dropped == round_


def test_a_non_blocking_pipe_is_waited_for(pipe: tuple[int, int]) -> None:
    os.set_blocking(pipe[1], False)
    writer = LogWriter(pipe[1], notice)
    for number in range(200):
        writer.put(LINE % number)
    writer.put(b"end\n")

    assert len(lines_until(pipe[0], b"end")) == 201
    assert writer.dropped == 0


def test_a_line_after_a_partial_one_begins_a_new_line(tmp_path: Path) -> None:
    file = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    writer = LogWriter(file, notice)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        writer.put(LINE % 1)
        assert writer.flush(20) is False
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert writer.dropped == 1

    writer.put(b"whole\n")
    assert writer.flush(20) is True
    assert (tmp_path / "log").read_bytes().splitlines() == [b"0" * 100, b"dropped 1", b"whole"]


def test_each_thread_keeps_its_order(pipe: tuple[int, int]) -> None:
    writer = LogWriter(pipe[1], notice)

    def log(name: int) -> None:
        for number in range(300):
            writer.put(b"%d %d\n" % (name, number))

    threads = [threading.Thread(target=log, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.put(b"end\n")

    lines = [tuple(map(int, line.split())) for line in lines_until(pipe[0], b"end")[:-1]]
    assert [[number for by, number in lines if by == name] for name in range(4)] == [list(range(300))] * 4


def test_lines_of_metrics_are_dropped_last(pipe: tuple[int, int]) -> None:
    writer = LogWriter(pipe[1], notice, capacity=10_000)
    for number in range(100):
        writer.put(LINE % number)
    lost = writer.dropped
    assert lost > 0

    writer.put_reserved(b"metrics\n")
    writer.put(LINE % 0)
    assert writer.dropped == lost + 1
    writer.put_reserved(b"m" * RESERVE + b"\n")
    assert writer.dropped == lost + 2
    writer.put_reserved(b"end\n")

    lines = lines_until(pipe[0], b"end")
    kept = [line for line in lines if not line.startswith(b"dropped")]
    assert kept[-2:] == [b"metrics", b"end"]
    assert sum(int(line.split()[1]) for line in lines if line.startswith(b"dropped")) == lost + 2
