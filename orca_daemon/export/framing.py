"""Cuts the stream of COPY into blocks of whole rows and reads them into Arrow."""

import io
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
from pyarrow import csv

from orca_daemon.export.columns import Codec, Column, describe

BLOCK = 2 << 20
"""Bytes that are buffered before a block is cut."""
DELIMITER, QUOTE = "\x1f", "\x01"
"""Control characters: commas and quotes are in texts, and would cost time to quote, to count and to parse."""


class UnstorableError(Exception):
    """A value does not fit the file; the text names its column, and not the value."""


class Blocks(io.RawIOBase):
    """The raw stream under a buffered writer: passes on whole rows, and keeps the incomplete last one.

    The driver calls `write` for each row.  `io.BufferedWriter`, which is written in C, takes those calls, so
    that this class is called once for thousands of rows.
    """

    def __init__(self, take: Callable[[memoryview], None]) -> None:
        super().__init__()
        self._take = take
        self._rest = b""

    def writable(self) -> bool:  # noqa: D102  the base class documents it
        return True

    def write(self, data: Any) -> int:
        """Pass on the whole rows, and keep the beginning of the next."""
        # Copied, because the writer uses its buffer again.  As a rule it passes on whole rows, so nothing
        # is left over.
        block = b"".join((self._rest, data)) if self._rest else bytes(data)
        if end := last_row_end(block):
            self._take(memoryview(block)[:end])
        self._rest = block[end:]
        return len(data)


def last_row_end(block: bytes) -> int:
    """The offset after the last whole row of this CSV, or 0; the block must begin with a row.

    A newline ends a row if the number of quotes before it is even.
    """
    quote = QUOTE.encode()
    if quote not in block:  # nearly always; counting takes ten times as long
        return block.rfind(b"\n") + 1
    quotes, end = block.count(quote), len(block)
    while (newline := block.rfind(b"\n", 0, end)) >= 0:
        quotes -= block.count(quote, newline, end)
        if quotes % 2 == 0:
            return newline + 1
        end = newline
    return 0


class Reader:
    """Turns blocks of CSV into tables of the file's schema."""

    def __init__(self, columns: Sequence[Column], codecs: Sequence[Codec], schema: pa.Schema) -> None:
        self._columns, self._codecs, self._schema = tuple(columns), tuple(codecs), schema
        # Numbers as names, because Arrow needs distinct names, and those of a query's columns need not be.
        self._names = [str(number) for number in range(len(columns))]
        types = dict(zip(self._names, (codec.wire for codec in codecs), strict=True))
        self._parse = csv.ParseOptions(
            delimiter=DELIMITER, quote_char=QUOTE, newlines_in_values=True, ignore_empty_lines=False
        )
        self._convert = csv.ConvertOptions(
            column_types=types,
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
            true_values=["t"],
            false_values=["f"],
        )

    def read(self, block: memoryview) -> pa.Table:
        """The rows of a block.

        Raises:
            UnstorableError: a value does not fit its column's type in the file.
        """
        # Without Arrow's own threads, because each connection has one.
        options = csv.ReadOptions(
            column_names=self._names,
            use_threads=False,
            block_size=len(block) + 1,  # one block, because a row may be longer than any fixed size
        )
        try:
            rows = csv.read_csv(pa.BufferReader(pa.py_buffer(block)), options, self._parse, self._convert)
        except pa.ArrowInvalid as error:
            raise UnstorableError(describe(error, self._columns)) from None
        return pa.Table.from_arrays(
            [self._decoded(number, rows.column(number)) for number in range(len(self._columns))],
            schema=self._schema,
        )

    def _decoded(self, number: int, values: pa.ChunkedArray) -> pa.Array:
        try:
            # A single chunk as it is: concat_arrays would copy it.
            whole = values.chunk(0) if values.num_chunks == 1 else pa.concat_arrays(values.chunks)
            return self._codecs[number].decode(whole)
        except ValueError as error:
            column = self._columns[number]
            reason = error if type(error).__module__.startswith("orca_daemon") else "it cannot be read"
            raise UnstorableError(f"a value of column {column.name} ({column.declared}): {reason}") from None
