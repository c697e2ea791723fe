"""Data files in Parquet and ORC: checks the number of rows and bytes that they claim before reading them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from orca_daemon.reconcile.download import DataFileError
from orca_daemon.reconcile.manifest import FIELDS

_BASE_ROWS, _ROWS_PER_BYTE = 1_000_000, 10
"""Limit of rows: a base, and more for each byte.  Keys and ETags are unique, so every row takes bytes."""
_RATIO, _FREE = 250, 64 << 20
"""Limit of unpacked bytes: `_FREE`, and `_RATIO` for each byte of the file."""
_LARGEST_FOOTER = 64 << 20
_FOOTER_ENTRIES = 10_000_000
_MAGIC, _ENCRYPTED = b"PAR1", b"PARE"
"""Last bytes of a file (Parquet format: file format)."""
_TAIL = 8
"""Length of the footer's size and the magic bytes."""
_BATCH = 16_384
"""Rows that are in memory at one time: a stripe may have any size."""


def check_parquet(path: Path, name: str) -> None:
    """Check the footer of a Parquet file.

    Raises:
        DataFileError: it is not Parquet, or claims more than a file of this size can hold.
        OSError: the disk cannot be read.
    """
    from pyarrow import parquet

    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(size - _TAIL, 0))
        tail = file.read(_TAIL)
    if tail[4:] == _ENCRYPTED:
        raise DataFileError(f"the data file {name} is encrypted Parquet")
    if tail[4:] != _MAGIC or int.from_bytes(tail[:4], "little") > min(size, _LARGEST_FOOTER):
        raise DataFileError(f"the data file {name} is not sound Parquet")
    try:
        metadata = parquet.ParquetFile(
            path,
            thrift_string_size_limit=_LARGEST_FOOTER,
            thrift_container_size_limit=_FOOTER_ENTRIES,
        ).metadata
        unpacked = sum(metadata.row_group(n).total_byte_size for n in range(metadata.num_row_groups))
    except (pa.ArrowException, OSError, ValueError) as error:
        if _is_disk_error(error):
            raise
        raise DataFileError(f"the data file {name} is not sound Parquet") from None
    _check_limits(name, size, metadata.num_rows, unpacked)


def as_parquet(path: Path, name: str) -> Path:
    """Convert an ORC file to Parquet, which DuckDB reads; only the columns that a comparison needs.

    Raises:
        DataFileError: it is not ORC, or claims more than a file of this size can hold.
        OSError: the disk cannot be read, or is full.
    """
    target, size = path.with_suffix(".parquet"), path.stat().st_size
    try:
        _convert(path, target, name, size)
    except (pa.ArrowException, OSError, ValueError) as error:
        if _is_disk_error(error):
            raise
        raise DataFileError(f"the data file {name} cannot be read as ORC ({type(error).__name__})") from None
    path.unlink()
    return target


def _is_disk_error(error: Exception) -> bool:
    """Whether the operating system failed; Arrow reports a bad file by an OSError without an errno."""
    return isinstance(error, OSError) and error.errno is not None


def _convert(path: Path, target: Path, name: str, size: int) -> None:
    from pyarrow import dataset, orc, parquet

    _check_limits(name, size, orc.ORCFile(path).nrows, 0)
    source = dataset.dataset(path, format="orc")
    columns = [column for column in source.schema.names if column in FIELDS.values()]
    options = {"batch_readahead": 0, "fragment_readahead": 0, "use_threads": False}
    batches = source.to_batches(columns=columns, batch_size=_BATCH, **options)
    schema = pa.schema([_field(source.schema.field(column)) for column in columns])
    # Timestamps in microseconds, because DuckDB's functions do not accept ORC's nanoseconds.
    parquet_options = {"compression": "lz4", "coerce_timestamps": "us", "allow_truncated_timestamps": True}
    with parquet.ParquetWriter(target, schema, **parquet_options) as writer:
        for batch in _within_limits(batches, name, size):
            writer.write_batch(
                pa.RecordBatch.from_arrays(
                    [values.cast(field.type) for values, field in zip(batch.columns, schema, strict=True)],
                    schema=schema,
                )
            )


def _within_limits(batches: Iterator[Any], name: str, size: int) -> Iterator[Any]:
    rows = unpacked = 0
    for batch in batches:
        rows += batch.num_rows
        unpacked += batch.nbytes
        _check_limits(name, size, rows, unpacked)
        yield batch


def _field(field: pa.Field) -> pa.Field:
    # Text as bytes, so that one key that is not UTF-8 does not make the whole file unreadable.
    return pa.field(field.name, pa.binary()) if pa.types.is_string(field.type) else field


def _check_limits(name: str, size: int, rows: int, unpacked: int) -> None:
    if rows > _BASE_ROWS + _ROWS_PER_BYTE * size:
        raise DataFileError(
            f"the data file {name} holds more than {_ROWS_PER_BYTE} rows for each of its bytes"
        )
    if unpacked > _FREE + _RATIO * size:
        raise DataFileError(f"the data file {name} unpacks to more than {_RATIO} times its size")
