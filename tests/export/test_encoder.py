"""The encoder's thread: the order of the parts, and how many rows may wait for it."""

import threading
from typing import Any

import pyarrow as pa
import pytest

from orca_daemon.export import encoder as module
from orca_daemon.export.encoder import Encoder, StoppedError


class File:
    """Replaces the file, and records the rows."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.may_write = threading.Event()
        self.may_write.set()

    def add(self, rows: pa.Table) -> None:
        """Record the rows, once the test allows it."""
        self.may_write.wait()
        self.rows += rows.column("id").to_pylist()

    def close(self) -> None:
        """Do nothing."""

    def abandon(self) -> None:
        """Do nothing."""


def _started(file: Any, parts: int = 1) -> Encoder:
    encoder = Encoder(lambda: file, lambda _rows: None, parts)
    encoder.start()
    return encoder


def _rows(*numbers: int) -> pa.Table:
    return pa.table({"id": numbers})


def test_rows_are_written_in_the_order_of_the_parts_however_they_come() -> None:
    file = File()
    encoder = _started(file, parts=3)

    encoder.put(2, _rows(5))
    encoder.put(0, _rows(1))
    encoder.put(1, _rows(4))
    encoder.put(0, _rows(2, 3))
    for part in (1, 2, 0):
        encoder.end(part)

    assert encoder.finish() == 5
    assert file.rows == [1, 2, 3, 4, 5]


def test_a_large_row_is_written_before_the_next_is_read() -> None:
    file = File()
    encoder = _started(file)

    for number in (1, 2, 3):
        encoder.put(0, _rows(number), alone=True)
        assert file.rows == list(range(1, number + 1))

    encoder.end(0)
    encoder.finish()


def test_a_later_part_waits_when_many_bytes_wait_and_the_due_part_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_AHEAD", 1)
    file, put = File(), threading.Event()
    encoder = _started(file, parts=2)
    encoder.put(1, _rows(2))

    def more() -> None:
        encoder.put(1, _rows(3))
        put.set()

    later = threading.Thread(target=more)
    later.start()
    encoder.put(0, _rows(1))
    assert not put.is_set()
    encoder.end(0)
    later.join()
    encoder.end(1)

    assert encoder.finish() == 3
    assert file.rows == [1, 2, 3]


def test_a_failure_ends_the_wait_of_everybody_with_its_error() -> None:
    encoder = _started(None)

    with pytest.raises(AttributeError):
        encoder.put(0, _rows(1), alone=True)
    with pytest.raises(AttributeError):
        encoder.put(0, _rows(2))
    with pytest.raises(AttributeError):
        encoder.finish()


def test_nobody_waits_for_an_encoder_that_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AHEAD", 1)
    file = File()
    file.may_write.clear()
    encoder = _started(file, parts=2)
    encoder.put(1, _rows(2))
    errors: list[BaseException] = []

    def more() -> None:
        with pytest.raises(StoppedError) as caught:
            encoder.put(1, _rows(3))
        errors.append(caught.value)

    later = threading.Thread(target=more)
    later.start()
    encoder.stop()
    later.join()
    file.may_write.set()
    encoder.abandon()

    assert len(errors) == 1
    assert file.rows == []
