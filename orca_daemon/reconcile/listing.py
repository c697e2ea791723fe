"""The data files of an inventory as one relation, for each format: the latest versions of existing objects.

A row that cannot be compared or stored stays in the relation, and its column `odd` names the problem: the
object exists, so it must not be reported as missing, and the other rows can still be compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import duckdb

from orca_daemon.reconcile.inflate import LONGEST_LINE
from orca_daemon.reconcile.manifest import FIELDS, LONGEST_KEY, ManifestError, require

REFUSED = "inventory refused: "
"""Prefix of every error that our own SQL raises."""
OTHER_BUCKET = "it holds rows of another bucket"

ODD = {
    "key": "it has no key",
    "utf8": "its key is not UTF-8",
    "nul": "its key holds a NUL character",
    "long": f"its key has more than {LONGEST_KEY} bytes",
    "size": "its size is not a number",
    "flag": "IsLatest or IsDeleteMarker is neither true nor false",
    "text": "its ETag or storage class holds a NUL character",
}
"""The values of `odd`, each with a text for operators."""
# S3 URL-encodes the keys of CSV inventories, a space as `+`.  Most keys need no decoding, and this test is
# cheap.
_ENCODED = "contains({0}, '%') OR contains({0}, '+')"
KEY = f"CASE WHEN {_ENCODED} THEN TRY(url_decode(replace({{0}}, '+', ' '))) ELSE {{0}} END"
_BUFFER = 4 << 20
"""Buffer of the CSV reader, in bytes: DuckDB's default of 32 MB is more than a join leaves free."""
_EXISTING = {"is_latest": "true", "is_delete_marker": "false"}
_NUL = "chr(0)"
_NO_ROWS = (
    "SELECT '' AS key_path, '' AS etag, CAST(0 AS BIGINT) AS size_in_bytes, '' AS last_update, "
    "'' AS storage_class, CAST(NULL AS VARCHAR) AS odd WHERE false"
)
_POSITION = f"CAST(file_index AS BIGINT) * {1 << 40} + file_row_number"
"""Place of a row in the data files, by the virtual columns of `read_parquet`."""
# By starts_with, because trim takes six times as long.
QUOTED = "CASE WHEN starts_with(etag, '\"') THEN etag ELSE concat('\"', etag, '\"') END"
"""The ETag in double quotes, as the catalog has it."""
UNKNOWN_TIME = "1970-01-01T00:00:00.000000Z"
"""Replaces a LastModifiedDate that is missing or cannot be read; no real one can be that old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A relation of `key_path, etag, size_in_bytes, last_update, storage_class, odd`.

    ETags are as the listing has them, with or without quotes: see `QUOTED`.
    """

    source: str
    """A SELECT in DuckDB's SQL."""
    stamp: str
    """A SQL expression that turns `s3_last_update` into text that Postgres reads as a timestamp."""
    raw: str = "key"
    """A SQL expression for the key as the data file has it, as text."""
    rows: int = 0
    """Number of rows, old versions included, if the relation can be read again; otherwise 0."""
    placed: str = ""
    """`source` with the column `position`, which is unique; "" if the relation can be read only once."""
    again: str = ""
    """`placed`, but only rows whose position is a `key_path` in `wanted`; "" if it can be read only once."""


def no_files() -> Listing:
    """The listing of an inventory without data files."""
    return Listing(source=_NO_ROWS, stamp="s3_last_update")


def csv_listing(columns: Sequence[str], bucket: str, path: str) -> Listing:
    """The objects in the CSV at this path; `columns` has the names of its columns, "" for unused ones."""
    names = [name or f"unread_{position}" for position, name in enumerate(columns)]
    types = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
    # All options are set, because one odd row would make DuckDB's sniffer read all other rows differently.
    rows = (
        f"read_csv({literal(path)}, columns = {{{types}}}, header = false, auto_detect = false, delim = ',', "
        "quote = '\"', escape = '\"', strict_mode = true, "
        f"buffer_size = {_BUFFER}, max_line_size = {2 * LONGEST_LINE})"
    )
    flags = {name: _csv_flag(name, existing) for name, existing in _EXISTING.items() if name in names}
    return Listing(
        source=_select(
            rows,
            bucket=bucket,
            cells={
                "bucket": "bucket",
                "key": "key",
                "decoded": KEY.format("key"),
                "etag": "e_tag",
                "size": "size",
                "number": "TRY_CAST(size AS BIGINT)",
                "modified": "last_modified_date",
                "storage_class": "storage_class",
            },
            flags=flags,
            usual=[f"{name} = '{_EXISTING[name]}'" for name in flags],
        ),
        stamp=_stamp("TRY_CAST(s3_last_update AS TIMESTAMP)"),
    )


def parquet_listing(engine: duckdb.DuckDBPyConnection, bucket: str, files: Sequence[Path]) -> Listing:
    """The objects in these Parquet files.

    Raises:
        ManifestError: the files lack a column that a comparison needs, have it in a type that cannot be read,
            or differ in it.
    """
    _check_agreement(engine, files)
    rows = parquet(files)
    described = engine.execute(f"DESCRIBE SELECT * FROM {rows}").fetchall()
    types = {str(name): str(kind) for name, kind, *_ in described}
    require(tuple(types))
    decoded = _text(types, "key")
    cells = {
        "bucket": _text(types, "bucket"),
        "key": decoded if decoded == "key" else f"coalesce({decoded}, CAST(key AS VARCHAR))",
        "decoded": decoded,
        "etag": _text(types, "e_tag"),
        "size": "size",
        "number": "TRY_CAST(size AS BIGINT)",
        "modified": _microseconds(types, "last_modified_date"),
        "storage_class": _text(types, "storage_class"),
    }
    flags = {name: _flag(types, name) for name in _EXISTING if name in types}
    usual = [f"{name} = {_EXISTING[name]}" for name in flags if types[name] == "BOOLEAN"]
    if len(usual) < len(flags):
        usual = ["false"]
    select = partial(_select, bucket=bucket, cells=cells, flags=flags, usual=usual, nul_anywhere=True)
    wanted = f"{_POSITION} IN (SELECT key_path FROM wanted)"
    return Listing(
        source=select(rows),
        stamp=_stamp("make_timestamp(s3_last_update)"),
        raw=cells["key"],
        rows=_rows(engine, files),
        placed=select(rows, position=_POSITION),
        again=select(f"(SELECT *, {_POSITION} AS position FROM {rows} WHERE {wanted})", position="position"),
    )


def _rows(engine: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> int:
    """The number of rows by the files' footers."""
    ((rows,),) = engine.execute(
        f"SELECT sum(num_rows)::BIGINT FROM parquet_file_metadata({_paths(files)})"
    ).fetchall()
    return int(rows)


def _check_agreement(engine: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> None:
    """Raise ManifestError if the files differ in a column that a comparison reads.

    DuckDB reads all files with the columns of the first one: delete markers of the others would count as
    objects, and keys stored as bytes would be different keys.  It does convert numbers and times.
    """
    different = engine.execute(
        "SELECT DISTINCT name FROM (SELECT name, count(DISTINCT file_name) AS present FROM ("
        "SELECT file_name, lower(name) AS name, "
        "CASE WHEN lower(name) NOT IN ('size', 'last_modified_date') THEN duckdb_type END AS kind "
        f"FROM parquet_schema({_paths(files)})) WHERE name IN (SELECT unnest($names)) GROUP BY name, kind) "
        "WHERE present <> $files ORDER BY name",
        {"names": list(FIELDS.values()), "files": len(files)},
    ).fetchall()
    if different:
        raise ManifestError(f"its data files differ in the column {', '.join(name for (name,) in different)}")


def stored_listing(rows: str) -> Listing:
    """A listing that ORCA stored in Postgres, with the keys URL-encoded as in the inventory."""
    decoded = KEY.format("key_path")
    odd = (
        f"CASE WHEN ({_ENCODED.format('key_path')}) IS NOT TRUE THEN NULL WHEN {decoded} IS NULL THEN 'utf8' "
        f"WHEN contains({decoded}, {_NUL}) THEN 'nul' END"
    )
    return Listing(
        source=(
            f"SELECT CASE WHEN odd IS NULL THEN decoded ELSE raw END AS key_path, etag, size_in_bytes, "
            f"last_update, storage_class, odd FROM (SELECT key_path AS raw, {decoded} AS decoded, "
            f"etag, size_in_bytes, last_update, storage_class, {odd} AS odd "
            f"FROM {rows})"
        ),
        stamp="s3_last_update",
    )


def _select(
    rows: str,
    *,
    bucket: str,
    cells: Mapping[str, str],
    flags: Mapping[str, str],
    usual: Sequence[str],
    nul_anywhere: bool = False,
    position: str = "",
) -> str:
    """The relation, as a SELECT.

    Args:
        rows: a table function.
        bucket: the bucket that was listed.
        cells: expressions over its columns; `decoded` is null if the key cannot be decoded, `number` is null
            if the size is not a number.
        flags: expressions that are true for an object that exists, false for one that does not, null if the
            flag cannot be read.
        usual: conditions that are true for nearly all existing objects, at a fifth of the cost of `flags`.
        nul_anywhere: whether other fields than an encoded key may hold a NUL character.
        position: the expression of a column `position`, if it is wanted.
    """
    existing = " AND ".join(usual) or "true"
    maybe_existing = " AND ".join(f"coalesce({flag}, true)" for flag in flags.values()) or "true"
    unclear = " OR ".join(f"({flag}) IS NULL" for flag in flags.values()) or "false"
    key, decoded, size, number = cells["key"], cells["decoded"], cells["size"], cells["number"]
    etag, storage_class = cells["etag"], f"coalesce({cells['storage_class']}, '')"
    nul = f"contains({decoded}, {_NUL}) OR contains({etag}, {_NUL}) OR contains({storage_class}, {_NUL})"
    special = f"{decoded} IS NULL OR {nul}" if nul_anywhere else _ENCODED.format(key)
    # The order of the cases matters: nearly all rows are decided by the first, at a fifth of the cost.
    odd = (
        f"CASE WHEN {number} IS NOT NULL AND strlen({key}) BETWEEN 1 AND {LONGEST_KEY} AND NOT ({special}) "
        f"AND {existing} THEN NULL WHEN key IS NULL OR {key} = '' THEN 'key' "
        f"WHEN {decoded} IS NULL THEN 'utf8' WHEN contains({decoded}, {_NUL}) THEN 'nul' "
        f"WHEN strlen({decoded}) > {LONGEST_KEY} THEN 'long' "
        f"WHEN {number} IS NULL AND coalesce(CAST({size} AS VARCHAR), '') <> '' THEN 'size' "
        f"WHEN {unclear} THEN 'flag' "
        f"WHEN contains({etag}, {_NUL}) OR contains({storage_class}, {_NUL}) THEN 'text' END"
    )
    path = (
        "CASE WHEN odd IS NULL THEN key_path ELSE coalesce(raw, '') END"
        if key != decoded
        else "coalesce(raw, '')"
    )
    place, placed = ("position, ", f"{position} AS position, ") if position else ("", "")
    return (
        # An odd row keeps its raw key: if the catalog has that key, the two rows are joined, so that the
        # catalog's row is not reported as a phantom.
        f"SELECT {path} AS key_path, etag, "
        f"size_in_bytes, last_update, storage_class, {place}odd "
        f"FROM (SELECT {key} AS raw, {decoded} AS key_path, {placed}"
        f"{etag} AS etag, coalesce({number}, 0) AS size_in_bytes, {cells['modified']} AS last_update, "
        f"{storage_class} AS storage_class, {odd} AS odd FROM {rows} "
        f"WHERE CASE WHEN {cells['bucket']} = {literal(bucket)} AND {existing} THEN true "
        f"WHEN {cells['bucket']} IS DISTINCT FROM {literal(bucket)} THEN error('{REFUSED}{OTHER_BUCKET}') "
        f"ELSE {maybe_existing} END)"
    )


def _csv_flag(name: str, existing: str) -> str:
    """True if the flag says that the object exists; an empty field counts as absent, like null elsewhere."""
    return (
        f"CASE lower(coalesce({name}, '')) WHEN '{existing}' THEN true WHEN '' THEN true "
        "WHEN 'true' THEN false WHEN 'false' THEN false END"
    )


def _flag(types: Mapping[str, str], name: str) -> str:
    if types[name] == "BOOLEAN":
        return f"coalesce({name}, {_EXISTING[name]}) = {_EXISTING[name]}"
    return _csv_flag(_text(types, name), _EXISTING[name])


def _text(types: Mapping[str, str], name: str) -> str:
    """An expression for the text in a column; null if it is bytes that are not UTF-8."""
    match types[name]:
        case "VARCHAR":
            return name
        case "BLOB":  # a writer may not mark the column as text
            return f"TRY(decode({name}))"
        case kind:
            raise ManifestError(f"the column {name} of a data file is of type {kind}, which is not text")


def _microseconds(types: Mapping[str, str], name: str) -> str:
    kind = types[name]
    if kind.startswith("TIMESTAMP") or kind == "DATE":
        return f"epoch_us({name})"
    return f"epoch_us(TRY_CAST({_text(types, name)} AS TIMESTAMP))"


def _stamp(timestamp: str) -> str:
    return (
        f"CASE WHEN {timestamp} BETWEEN TIMESTAMP '1970-01-01' AND TIMESTAMP '9999-12-31' "
        f"THEN strftime({timestamp}, '%Y-%m-%dT%H:%M:%S.%fZ') ELSE '{UNKNOWN_TIME}' END"
    )


def parquet(files: Sequence[Path], options: str = "") -> str:
    """The table function that reads these Parquet files."""
    # Without Hive partitioning, because a parent directory named `size=10` would become a column.
    return f"read_parquet({_paths(files)}, hive_partitioning = false{options})"


def _paths(files: Sequence[Path]) -> str:
    return f"[{', '.join(literal(str(file)) for file in files)}]"


def literal(text: str) -> str:
    """The text as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"
