"""Collects rows into row groups and writes those: memory depends on a row group, not on the table."""

from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

GROUP_BYTES = 64 << 20
"""A row group is closed at this size even if it has few rows: rows may be large."""


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

    zstd at its lowest level: a third smaller than snappy, a tenth slower.  Dictionaries stay small, because
    columns of distinct values otherwise build a large one for nothing (5 % of the time, 15 % of the size).
    """

    def __init__(self, sink: Sink, schema: pa.Schema, rows: int) -> None:
        """`rows`: the most of one row group."""
        self._limit = rows
        self._pending: list[pa.Table] = []
        self._rows = self._bytes = 0
        self.rows = 0
        self._writer = pq.ParquetWriter(
            sink, schema, compression="zstd", compression_level=1, dictionary_pagesize_limit=128 << 10
        )

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
        self._writer.close()

    def abandon(self) -> None:
        """Let go of everything.  Left alone, the writer would write its footer when it is collected."""
        self._pending = []
        self._writer.close()

    def _keep(self, rows: pa.Table) -> None:
        if len(rows):
            self._pending.append(rows)
            self._rows += len(rows)
            self._bytes += rows.nbytes

    def _flush(self) -> None:
        if self._pending:
            self._writer.write_table(pa.concat_tables(self._pending), row_group_size=self._limit)
            self.rows += self._rows
        self._pending, self._rows, self._bytes = [], 0, 0
