"""The encoder's thread, and how many blocks may wait for it."""

from typing import Any

from orca_daemon.export.encoder import Encoder
from orca_daemon.export.framing import BLOCK


class Encoded:
    """Replaces the reader and the file, and records the sizes of the blocks."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def read(self, block: memoryview) -> list[int]:
        """A table without rows, of the size of this block."""
        self.sizes.append(len(block))
        return []

    def add(self, rows: Any) -> None:
        """Record the size."""

    def close(self) -> None:
        """Do nothing."""


def test_a_large_row_is_encoded_before_the_next_is_read() -> None:
    encoded: Any = Encoded()
    encoder = Encoder(encoded, lambda: encoded, lambda _rows: None)
    encoder.start()

    for number in range(1, 4):
        encoder.take(memoryview(bytes(3 * BLOCK)))
        assert encoded.sizes == [3 * BLOCK] * number

    encoder.finish()


def test_a_large_row_that_cannot_be_encoded_blocks_no_thread() -> None:
    encoded: Any = Encoded()
    encoder = Encoder(None, lambda: encoded, lambda _rows: None)  # type: ignore[arg-type]
    encoder.start()

    encoder.take(memoryview(bytes(3 * BLOCK)))
    encoder.take(memoryview(bytes(3 * BLOCK)))
    encoder.join()

    assert isinstance(encoder.error, AttributeError)
