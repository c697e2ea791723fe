"""Writes a Parquet file in row groups, so that the memory depends on a row group, and not on the table."""

from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

GROUP_BYTES = 64 << 20
"""A row group is closed at this size even if it has few rows, because rows may be large."""
_SAMPLE = 8192
"""Number of rows that decide whether a column gets a dictionary."""


class Sink(Protocol):
    """The file object that Parquet's writer writes to."""

    @property
    def closed(self) -> bool:
        """Whether it accepts no more bytes."""
        ...

    def write(self, data: Any) -> int:
        """Write these bytes."""
        ...

    def flush(self) -> None:
        """Do nothing: the sink itself decides when to pass bytes on."""
        ...

    def close(self) -> None:
        """Do nothing: the code that opened the sink finishes it."""
        ...


class RowGroups:
    """One Parquet file, written a row group at a time.

    Compressed by zstd at its lowest level, which gives half the size of snappy in the same time.  A column
    gets a dictionary if its values repeat in the first row group; a dictionary of distinct values would cost
    a quarter of the writing time and add a fifth to the size.
    """

    def __init__(self, sink: Sink, schema: pa.Schema, rows: int) -> None:
        """Write to `sink`, with at most `rows` rows in one row group."""
        self._limit = rows
        self._pending: list[pa.Table] = []
        self._rows = self._bytes = 0
        self._sink, self._schema = sink, schema
        self._writer: pq.ParquetWriter | None = None

    def add(self, rows: pa.Table) -> None:
        """Add rows, in the file's schema."""
        while self._rows + len(rows) >= self._limit:
            missing = self._limit - self._rows
            self._append(rows.slice(0, missing))
            self._flush()
            rows = rows.slice(missing)
        self._append(rows)
        if self._bytes >= GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        """Write the last row group and the footer."""
        self._flush()
        self._opened(pa.table({})).close()

    def abandon(self) -> None:
        """Drop the rows and close the writer, which would write its footer later, when it is collected."""
        self._pending = []
        if self._writer:
            self._writer.close()

    def _append(self, rows: pa.Table) -> None:
        if len(rows):
            self._pending.append(rows)
            self._rows += len(rows)
            self._bytes += rows.nbytes

    def _flush(self) -> None:
        if self._pending:
            rows = pa.concat_tables(self._pending)
            self._opened(rows).write_table(rows, row_group_size=self._limit)
        self._pending, self._rows, self._bytes = [], 0, 0

    def _opened(self, first: pa.Table) -> pq.ParquetWriter:
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._sink,
                self._schema,
                compression="zstd",
                compression_level=1,
                use_dictionary=[name for name in first.column_names if repeats(first.column(name))],
                dictionary_pagesize_limit=128 << 10,
            )
        return self._writer


def repeats(values: pa.ChunkedArray) -> bool:
    """Whether at least half of the first values occur more than once."""
    sample = values.slice(0, _SAMPLE)
    try:
        return bool(pc.count_distinct(sample, mode="all").as_py() * 2 <= len(sample))
    except pa.ArrowNotImplementedError:
        return False  # Arrow cannot count lists, JSON and UUIDs
