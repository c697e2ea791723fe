"""Data files in Parquet and ORC: what they claim to hold is compared with their size before it is read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from orca_daemon.reconcile.download import DataFileError
from orca_daemon.reconcile.manifest import FIELDS

_ROWS_OF_ANY, _ROWS_OF_A_BYTE = 1_000_000, 10
"""What a file may claim: keys and ETags do not repeat, so that a row takes bytes however it is packed."""
_RATIO, _FREE = 250, 64 << 20
"""What its columns may become for each of its bytes, beside what any file may."""
_LARGEST_FOOTER = 64 << 20
_FOOTER_ENTRIES = 10_000_000
_MARK, _ENCRYPTED = b"PAR1", b"PARE"
_TAIL = 8
_BATCH = 16_384
"""Rows that are in memory at one time: a stripe may be of any size."""


def check_parquet(path: Path, name: str) -> None:
    """Look at the footer.

    Raises:
        DataFileError: it is not Parquet, or holds more than a file of this size can.
        OSError: the disk cannot be read.
    """
    from pyarrow import parquet

    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(size - _TAIL, 0))
        tail = file.read(_TAIL)
    if tail[4:] == _ENCRYPTED:
        raise DataFileError(f"the data file {name} is encrypted Parquet")
    if tail[4:] != _MARK or int.from_bytes(tail[:4], "little") > min(size, _LARGEST_FOOTER):
        raise DataFileError(f"the data file {name} is not sound Parquet")
    try:
        found = parquet.ParquetFile(
            path,
            thrift_string_size_limit=_LARGEST_FOOTER,
            thrift_container_size_limit=_FOOTER_ENTRIES,
        ).metadata
        whole = sum(found.row_group(place).total_byte_size for place in range(found.num_row_groups))
    except (pa.ArrowException, OSError, ValueError) as error:
        if _of_the_disk(error):
            raise
        raise DataFileError(f"the data file {name} is not sound Parquet") from None
    _check_claims(name, size, found.num_rows, whole)


def as_parquet(path: Path, name: str) -> Path:
    """The rows of an ORC file in a format that DuckDB reads, as far as a comparison needs them.

    Raises:
        DataFileError: it is not ORC, or holds more than a file of this size can.
        OSError: the disk cannot be read, or is full.
    """
    target, size = path.with_suffix(".parquet"), path.stat().st_size
    try:
        _convert(path, target, name, size)
    except (pa.ArrowException, OSError, ValueError) as error:
        if _of_the_disk(error):
            raise
        raise DataFileError(f"the data file {name} cannot be read as ORC ({type(error).__name__})") from None
    path.unlink()
    return target


def _of_the_disk(error: Exception) -> bool:
    """Whether the operating system failed; Arrow's complaints about a file are OSErrors without a number."""
    return isinstance(error, OSError) and error.errno is not None


def _convert(path: Path, target: Path, name: str, size: int) -> None:
    from pyarrow import dataset, orc, parquet

    _check_claims(name, size, orc.ORCFile(path).nrows, 0)
    source = dataset.dataset(path, format="orc")
    columns = [column for column in source.schema.names if column in FIELDS.values()]
    options = {"batch_readahead": 0, "fragment_readahead": 0, "use_threads": False}
    batches = source.to_batches(columns=columns, batch_size=_BATCH, **options)
    schema = pa.schema([_field(source.schema.field(column)) for column in columns])
    # ORC counts nanoseconds, which DuckDB's functions do not take.
    form = {"compression": "lz4", "coerce_timestamps": "us", "allow_truncated_timestamps": True}
    with parquet.ParquetWriter(target, schema, **form) as writer:
        for batch in _within_limits(batches, name, size):
            writer.write_batch(
                pa.RecordBatch.from_arrays(
                    [values.cast(field.type) for values, field in zip(batch.columns, schema, strict=True)],
                    schema=schema,
                )
            )


def _within_limits(batches: Iterator[Any], name: str, size: int) -> Iterator[Any]:
    rows = whole = 0
    for batch in batches:
        rows += batch.num_rows
        whole += batch.nbytes
        _check_claims(name, size, rows, whole)
        yield batch


def _field(field: pa.Field) -> pa.Field:
    # As bytes: one key that is no UTF-8 must not make the whole file unreadable.
    return pa.field(field.name, pa.binary()) if pa.types.is_string(field.type) else field


def _check_claims(name: str, size: int, rows: int, whole: int) -> None:
    if rows > _ROWS_OF_ANY + _ROWS_OF_A_BYTE * size:
        raise DataFileError(
            f"the data file {name} holds more than {_ROWS_OF_A_BYTE} rows for each of its bytes"
        )
    if whole > _FREE + _RATIO * size:
        raise DataFileError(f"the data file {name} unpacks to more than {_RATIO} times its size")
