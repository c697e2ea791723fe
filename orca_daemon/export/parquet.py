"""Collects rows into row groups and writes those: memory depends on a row group, not on the table."""

from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

GROUP_BYTES = 64 << 20
"""A row group is closed at this size even if it has few rows: rows may be large."""


_SAMPLE = 8192
"""Rows by which dictionaries are decided."""


class Sink(Protocol):
    """Where the bytes of a file go."""

    @property
    def closed(self) -> bool:
        """Whether it takes no more."""
        ...

    def write(self, data: Any) -> int:
        """Take these bytes."""
        ...

    def flush(self) -> None:
        """Nothing: bytes go on when there are enough of them."""
        ...

    def close(self) -> None:
        """Nothing: whoever opened the sink finishes it."""
        ...


class RowGroups:
    """One Parquet file, written a row group at a time.

    zstd at its lowest level: half the size of snappy for the same time.  A column gets a dictionary if its
    values repeat in the first row group; a dictionary of distinct values costs a quarter of the time of
    writing and a fifth of the size, for nothing.
    """

    def __init__(self, sink: Sink, schema: pa.Schema, rows: int) -> None:
        """`rows`: the most of one row group."""
        self._limit = rows
        self._pending: list[pa.Table] = []
        self._rows = self._bytes = 0
        self._sink, self._schema = sink, schema
        self._writer: pq.ParquetWriter | None = None

    def add(self, rows: pa.Table) -> None:
        """Take rows of the file's schema."""
        while self._rows + len(rows) >= self._limit:
            room = self._limit - self._rows
            self._keep(rows.slice(0, room))
            self._flush()
            rows = rows.slice(room)
        self._keep(rows)
        if self._bytes >= GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        """Write what is left, and the footer."""
        self._flush()
        self._opened(pa.table({})).close()

    def abandon(self) -> None:
        """Let go of everything.  Left alone, the writer would write its footer when it is collected."""
        self._pending = []
        if self._writer:
            self._writer.close()

    def _keep(self, rows: pa.Table) -> None:
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
    """Whether at least half of the first values are repetitions."""
    sample = values.slice(0, _SAMPLE)
    try:
        return bool(pc.count_distinct(sample, mode="all").as_py() * 2 <= len(sample))
    except pa.ArrowNotImplementedError:
        return False  # lists, JSON, UUIDs
