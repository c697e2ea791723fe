"""Rows streamed out of Postgres by COPY, as Arrow batches."""

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
from pyarrow import csv

from orca_daemon.reconcile.protocol import Statement

QUOTE = "\x01"
"""In no key and no ETag, so that Postgres never has to quote; the usual one is in every ETag."""
_BLOCK = 1 << 20
_PIPE = 1 << 20


class CopyStream:
    """One COPY on a connection of its own, read while it runs.

    Args:
        connection: the driver's; in use until the stream ends.
        statement: COPY … TO STDOUT in CSV with our quote.
        schema: names and types of its columns.
        arrived: told the number of rows so far, from the thread that reads.
    """

    def __init__(
        self,
        connection: Any,
        statement: Statement,
        schema: pa.Schema,
        arrived: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.rows = 0
        self._connection, self._schema, self._arrived = connection, schema, arrived
        self._statement = statement
        self._error: BaseException | None = None

    def reader(self) -> pa.RecordBatchReader:
        """The rows.  The COPY begins when the first batch is asked for, and its failure ends the stream."""
        return pa.RecordBatchReader.from_batches(self._schema, self._batches())

    def check(self) -> None:
        """Raise what ended the COPY: to a reader, a connection that broke looks like the end of the rows."""
        if self._error is not None:
            raise self._error

    def _batches(self) -> Iterator[pa.RecordBatch]:
        inlet, outlet = _pipe()
        thread = threading.Thread(target=self._copy, args=(outlet,), name="copy", daemon=True)
        thread.start()
        # Closed on every way out: a COPY that nobody reads would block its thread for ever.
        with os.fdopen(inlet, "rb", buffering=0) as pipe:
            yield from self._parsed(pipe)
        thread.join()
        self.check()

    def _parsed(self, pipe: Any) -> Iterator[pa.RecordBatch]:
        try:
            batches = csv.open_csv(
                pipe,
                read_options=csv.ReadOptions(column_names=self._schema.names, block_size=_BLOCK),
                parse_options=csv.ParseOptions(quote_char=QUOTE, newlines_in_values=True),
                convert_options=csv.ConvertOptions(
                    column_types=self._schema, true_values=["t"], false_values=["f"]
                ),
            )
        except pa.ArrowInvalid:
            return  # not a single byte: no rows, or no connection, which `check` tells apart
        for batch in batches:
            self.rows += batch.num_rows
            self._arrived(self.rows)
            yield batch

    def _copy(self, outlet: int) -> None:
        try:
            with os.fdopen(outlet, "wb", buffering=_PIPE) as pipe, self._connection.cursor() as cursor:
                cursor.copy_expert(
                    cursor.mogrify(self._statement.text, self._statement.values).decode(), pipe
                )
        except BaseException as error:  # noqa: BLE001  raised again by `check`, in the thread that reads
            self._error = error


def _pipe() -> tuple[int, int]:
    inlet, outlet = os.pipe()
    if set_size := getattr(fcntl, "F_SETPIPE_SZ", None):
        fcntl.fcntl(outlet, set_size, _PIPE)
    return inlet, outlet
