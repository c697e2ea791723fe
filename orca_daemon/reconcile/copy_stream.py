"""Streams rows out of Postgres by COPY, as Arrow batches, and checks their number."""

import io
import os
import re
import threading
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from pyarrow import csv

from orca_daemon.reconcile.binary_copy import UnreadableError
from orca_daemon.reconcile.pipe import PIPE_SIZE, large_pipe
from orca_daemon.reconcile.protocol import Statement

QUOTE = "\x01"
"""Occurs in no key and no ETag, so Postgres never has to quote; the default quote is in every ETag."""
_BLOCK = 1 << 20
_COLUMN = re.compile(r"CSV column #(\d+)")


class CopyStream:
    """One COPY on a connection of its own, parsed while it runs.

    A thread of its own writes the output of the COPY to a pipe; the thread that reads the batches parses it.

    Args:
        connection: the driver's connection; in use until the stream ends.
        statement: COPY … TO STDOUT in CSV with our quote.
        schema: names and types of its columns.
        name: names the rows in errors.
    """

    def __init__(
        self,
        connection: Any,
        statement: Statement,
        schema: pa.Schema,
        name: str,
    ) -> None:
        self.rows = 0
        self._connection, self._schema = connection, schema
        self._statement, self._name = statement, name
        self._sent: int | None = None
        """Rows by Postgres's count; None until the COPY has ended."""
        self._ended = self._abandoned = False
        self.error: BaseException | None = None
        """The first error of this stream."""

    def reader(self) -> pa.RecordBatchReader:
        """The rows.  The COPY starts with the first batch that is read, and its failure ends the stream."""
        return pa.RecordBatchReader.from_batches(self._schema, self._batches())

    def check(self) -> None:
        """Check that all rows were read: to the reader, a broken connection looks like the end of the rows.

        Raises:
            psycopg2.Error: Postgres did not send all rows.
            UnreadableError: rows cannot be read, or are missing.
        """
        if self.error is not None:
            raise self.error
        if not self._ended:
            raise UnreadableError(f"{self._name} was not read to its end")
        if self.rows != self._sent:
            raise UnreadableError(
                f"{self._name} has {self._sent} rows by Postgres's count, and {self.rows} came"
            )

    def _batches(self) -> Iterator[pa.RecordBatch]:
        inlet, outlet = large_pipe()
        thread = threading.Thread(target=self._copy, args=(outlet,), name="copy", daemon=True)
        thread.start()
        try:
            # The pipe is closed on every path: without a reader, the thread of the COPY would block for ever.
            with io.BufferedReader(io.FileIO(inlet), PIPE_SIZE) as pipe:
                yield from self._parsed(pipe)
        except pa.ArrowInvalid as error:
            self._fail(UnreadableError(f"{self._name} cannot be read: {self._describe(error)}"))
        except BaseException:
            # The reader stopped early, so the error of the aborted COPY is not recorded.
            self._abandoned = True
            raise
        thread.join()
        self._ended = True
        self.check()

    def _fail(self, error: BaseException) -> None:
        """Keep the first error; later ones are its consequences."""
        if self.error is None and not self._abandoned:
            self.error = error

    def _parsed(self, pipe: "io.BufferedReader[io.FileIO]") -> Iterator[pa.RecordBatch]:
        if not pipe.peek(1):
            return  # no rows, or the COPY failed; `check` knows which
        batches = csv.open_csv(
            pipe,
            read_options=csv.ReadOptions(column_names=self._schema.names, block_size=_BLOCK),
            parse_options=csv.ParseOptions(quote_char=QUOTE, newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types=self._schema, true_values=["t"], false_values=["f"]
            ),
        )
        for batch in batches:
            self.rows += batch.num_rows
            yield batch

    def _describe(self, error: pa.ArrowInvalid) -> str:
        """The problem, without the value that Arrow's own text quotes."""
        match = _COLUMN.search(str(error))
        if match is None or int(match[1]) >= len(self._schema.names):
            return "its rows are not CSV"
        column = self._schema.names[int(match[1])]
        return (
            f"{column} holds text that is not UTF-8"
            if "UTF8" in str(error)
            else f"{column} is of another type"
        )

    def _copy(self, outlet: int) -> None:
        try:
            with os.fdopen(outlet, "wb", buffering=PIPE_SIZE) as pipe, self._connection.cursor() as cursor:
                cursor.copy_expert(
                    cursor.mogrify(self._statement.text, self._statement.values).decode(), pipe
                )
                self._sent = cursor.rowcount
        except BaseException as error:  # noqa: BLE001  `check` raises it in the thread that reads
            self._fail(error)
