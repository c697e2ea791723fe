"""Cuts the stream of COPY into blocks of whole rows and reads them into Arrow."""

import io
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
from pyarrow import csv

from orca_daemon.export.columns import Codec, Column, culprit

BLOCK = 2 << 20
"""Bytes that are collected before a block is cut."""


class UnstorableError(Exception):
    """A value has no place in the file; the text names its column and not the value."""


class Blocks(io.RawIOBase):
    """The end of a buffered writer: passes on all whole rows of what it is given.

    Behind `io.BufferedWriter`, rows reach it thousands at a time: the driver's call for each row ends in C.
    """

    def __init__(self, take: Callable[[memoryview], None]) -> None:
        super().__init__()
        self._take = take
        self._rest = b""

    def writable(self) -> bool:  # noqa: D102  as the base class says
        return True

    def write(self, data: Any) -> int:
        """Take whole rows, keep the beginning of the next."""
        # The one copy of the data: the writer uses its buffer again.
        block = b"".join((self._rest, data))
        if end := last_row_end(block):
            self._take(memoryview(block)[:end])
        self._rest = block[end:]
        return len(data)


def last_row_end(block: bytes) -> int:
    """Where the last whole row of this CSV ends, or 0; it begins with a row.

    A newline ends a row when the quotes before it are even in number.
    """
    quotes, end = block.count(b'"'), len(block)
    while (newline := block.rfind(b"\n", 0, end)) >= 0:
        quotes -= block.count(b'"', newline, end)
        if quotes % 2 == 0:
            return newline + 1
        end = newline
    return 0


class Reader:
    """Turns blocks of CSV into tables of the file's schema."""

    def __init__(self, columns: Sequence[Column], codecs: Sequence[Codec], schema: pa.Schema) -> None:
        self._columns, self._codecs, self._schema = tuple(columns), tuple(codecs), schema
        # Arrow wants distinct names, and Postgres's may be anything.
        self._names = [str(number) for number in range(len(columns))]
        types = dict(zip(self._names, (codec.wire for codec in codecs), strict=True))
        self._parse = csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)
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
        # One block, because a row may be longer than any size chosen beforehand.
        options = csv.ReadOptions(column_names=self._names, block_size=len(block) + 1)
        try:
            rows = csv.read_csv(pa.BufferReader(pa.py_buffer(block)), options, self._parse, self._convert)
        except pa.ArrowInvalid as error:
            raise UnstorableError(culprit(error, self._columns)) from None
        return pa.Table.from_arrays(
            [self._decoded(number, rows.column(number)) for number in range(len(self._columns))],
            schema=self._schema,
        )

    def _decoded(self, number: int, values: pa.ChunkedArray) -> pa.Array:
        try:
            return self._codecs[number].decode(pa.concat_arrays(values.chunks))
        except ValueError as error:
            column = self._columns[number]
            reason = error if type(error).__module__.startswith("orca_daemon") else "it cannot be read"
            raise UnstorableError(f"a value of column {column.name} ({column.declared}): {reason}") from None
