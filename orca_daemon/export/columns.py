"""Maps each type of Postgres to its form in COPY and to its type in the file.

Times and UUIDs are copied as hexadecimal digits of their binary form, which is exact for every value, and
cheaper on both sides than text.  Types without a counterpart in Parquet become text as Postgres formats it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
from psycopg2 import sql

from orca_daemon.export import decode

DECIMAL_DIGITS = 38
"""A longer decimal takes twice the space, and DuckDB reads it as a floating-point number."""
WIDEST_DECIMAL = 76


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of the source.  Domains are replaced by their base types."""

    name: str
    declared: str
    """The type as it is written in SQL: `numeric(10,2)`."""
    type: str
    """Its name in `pg_type`; empty for a type that is not built into Postgres."""
    element: str | None = None
    """The same for the elements of an array; None if the column is not an array."""
    modifier: int = -1
    dimensions: int = 1


@dataclass(frozen=True, slots=True)
class Codec:
    """The conversion of one column from Postgres to the file."""

    select: Callable[[sql.Composable], sql.Composable]
    """The expression that COPY selects, for the column's name."""
    wire: pa.DataType
    """The type that the CSV reader produces."""
    arrow: pa.DataType
    """The type in the file."""
    decode: Callable[[pa.Array], pa.Array]
    """Converts from `wire` to `arrow`."""


def codec(column: Column, *, numeric_scale: int | None = None) -> Codec:
    """The codec of a column.

    Args:
        column: the column.
        numeric_scale: digits after the point for `numeric` without a declared scale; None makes it text.
    """
    if column.element is not None:
        return _array(column, _kind(column.element, column.modifier, numeric_scale))
    return _scalar(column.type, _kind(column.type, column.modifier, numeric_scale))


_PLAIN: dict[str, pa.DataType] = {
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "oid": pa.uint32(),
    "float4": pa.float32(),
    "float8": pa.float64(),
    "bool": pa.bool_(),
}
_SENT: dict[str, tuple[pa.DataType, Callable[[pa.Array], pa.Array]]] = {
    "timestamptz": (pa.timestamp("us", tz="UTC"), decode.timestamptz),
    "timestamp": (pa.timestamp("us"), decode.timestamp),
    "date": (pa.date32(), decode.date),
    "time": (pa.time64("us"), decode.time),
    "uuid": (pa.uuid(), decode.uuid),
}
_JSON = ("json", "jsonb")


def _kind(name: str, modifier: int, numeric_scale: int | None) -> pa.DataType:
    """The type in the file for a Postgres type that is not an array."""
    if name in _PLAIN:
        return _PLAIN[name]
    if name in _SENT:
        return _SENT[name][0]
    if name == "numeric":
        return _decimal(modifier, numeric_scale)
    if name == "bytea":
        return pa.binary()
    return pa.json_(pa.string()) if name in _JSON else pa.string()


def _decimal(modifier: int, numeric_scale: int | None) -> pa.DataType:
    # numeric(p,s) keeps p in the upper half of its modifier and s, which may be negative, in 11 bits.
    if modifier < 0:
        return pa.string() if numeric_scale is None else pa.decimal128(DECIMAL_DIGITS, numeric_scale)
    packed = modifier - 4
    digits, scale = packed >> 16, ((packed & 0x7FF) ^ 1024) - 1024
    if scale < 0:
        digits, scale = digits - scale, 0
    digits = max(digits, scale)
    if digits > WIDEST_DECIMAL:
        return pa.string()
    return pa.decimal128(digits, scale) if digits <= DECIMAL_DIGITS else pa.decimal256(digits, scale)


def _scalar(name: str, kind: pa.DataType) -> Codec:
    if name in _SENT:
        send = sql.SQL(f"pg_catalog.{name}_send({{}})")
        return Codec(send.format, pa.binary(), kind, _SENT[name][1])
    if name == "bytea":
        return Codec(_itself, pa.binary(), kind, decode.bytea)
    if isinstance(kind, pa.JsonType):
        return Codec(_itself, pa.string(), kind, decode.json)
    if pa.types.is_decimal256(kind):  # the CSV reader does not support it
        return Codec(_itself, pa.string(), kind, lambda values: values.cast(kind))
    if name in _PLAIN or pa.types.is_decimal(kind):
        return Codec(_itself, kind, kind, _unchanged)
    return Codec(_itself, pa.string(), kind, _unchanged)


def _array(column: Column, kind: pa.DataType) -> Codec:
    nested = kind
    for _ in range(column.dimensions):
        nested = pa.list_(nested)
    # Elements as text, because the JSON form of numbers and times depends on settings of the session.
    select = sql.SQL("pg_catalog.array_to_json({}::pg_catalog.text[])").format
    return Codec(select, pa.string(), nested, decode.arrays(column.element or "", kind, nested))


def _itself(column: sql.Composable) -> sql.Composable:
    return column


def _unchanged(values: pa.Array) -> pa.Array:
    return values


def schema(columns: tuple[Column, ...], codecs: tuple[Codec, ...], metadata: dict[bytes, bytes]) -> pa.Schema:
    """The schema of the file; the metadata of each field has its Postgres type."""
    fields = [
        pa.field(column.name, codec.arrow, metadata={"postgres_type": column.declared})
        for column, codec in zip(columns, codecs, strict=True)
    ]
    return pa.schema(fields, metadata=metadata)


_AT_COLUMN = re.compile(r"CSV column #(\d+)")


def describe(error: pa.ArrowInvalid, columns: tuple[Column, ...]) -> str:
    """The problem, in a sentence without the value that Arrow's own text quotes."""
    match = _AT_COLUMN.search(str(error))
    if match is None or int(match[1]) >= len(columns):
        return "a row cannot be stored in the file"
    column = columns[int(match[1])]
    return f"column {column.name} holds a value that its type in the file cannot hold ({column.declared})"
