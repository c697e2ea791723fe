"""The data files of an inventory as one relation, whatever their format: latest versions that exist."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orca_daemon.reconcile.manifest import require

REFUSED = "inventory refused: "
"""Begins every error that our own SQL raises."""

# S3 encodes the keys of CSV inventories, a space as `+`; most keys need nothing, and that test is cheap.
KEY = (
    "CASE WHEN contains({0}, '%') OR contains({0}, '+') THEN url_decode(replace({0}, '+', ' ')) ELSE {0} END"
)
# Two hashes that go different ways from the first byte on, for a fifth of MD5's time.  96 bits: among 300
# million keys two meet once in 10^12 listings.  Bytes count here: a join that outgrows its memory costs half
# as much again.
HASHES = (
    "hash(key_path) AS key_hash, CAST(hash('~' || key_path) & 4294967295 AS UINTEGER) AS key_rest, "
    "hash(etag, size_in_bytes, storage_class) AS content_hash"
)
_BUFFER = 4 << 20
"""Bytes that the CSV reader takes at a time: 32 MB, as DuckDB has it, are more than a join leaves over."""
_EXISTING = {"is_latest": "true", "is_delete_marker": "false"}
_NO_ROWS = (
    "SELECT '' AS key_path, '' AS etag, CAST(0 AS BIGINT) AS size_in_bytes, '' AS last_update, "
    "'' AS storage_class WHERE false"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A relation of `key_path, etag, size_in_bytes, last_update, storage_class`."""

    source: str
    """A SELECT in DuckDB's SQL."""
    stamp: str
    """Makes of `s3_last_update` a text that Postgres reads as a timestamp."""


def listing(
    engine: duckdb.DuckDBPyConnection,
    form: str,
    columns: Sequence[str],
    bucket: str,
    files: Sequence[Path],
) -> Listing:
    """The objects in these files; ORC has become Parquet by now.

    Raises:
        ManifestError: Parquet files without the columns that a comparison needs.
    """
    if not files:
        return Listing(source=_NO_ROWS, stamp="s3_last_update")
    if form == "CSV":
        return Listing(source=_csv(columns, bucket, files), stamp="s3_last_update")
    names = [row[0] for row in engine.execute(f"DESCRIBE SELECT * FROM {_parquet(files)}").fetchall()]
    require(tuple(names))
    return Listing(
        source=_typed(names, bucket, files),
        stamp="strftime(make_timestamp(s3_last_update), '%Y-%m-%dT%H:%M:%S.%fZ')",
    )


def quoted_etag(column: str) -> str:
    """The ETag in double quotes, as the catalog has it, whether the listing had them or not."""
    # Not by trim, which takes six times as long.
    return f"CASE WHEN starts_with({column}, '\"') THEN {column} ELSE concat('\"', {column}, '\"') END"


def _csv(columns: Sequence[str], bucket: str, files: Sequence[Path]) -> str:
    names = [name or f"unread_{position}" for position, name in enumerate(columns)]
    types = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
    # Nothing is guessed: a sniffer that sees one odd row reads all others differently.
    rows = (
        f"read_csv({_paths(files)}, columns = {{{types}}}, header = false, auto_detect = false, "
        "delim = ',', quote = '\"', escape = '\"', compression = 'gzip', strict_mode = true, "
        f"buffer_size = {_BUFFER})"
    )
    return _select(
        rows,
        names,
        bucket,
        key=KEY.format("key"),
        size="CAST(coalesce(nullif(size, ''), '0') AS BIGINT)",
        modified="last_modified_date",
        plain="{} = '{}'",
        flag=(
            "CASE lower({0}) WHEN 'true' THEN true WHEN 'false' THEN false "
            f"ELSE error('{REFUSED}{{0}} is neither true nor false') END = {{1}}"
        ),
    )


def _typed(names: Sequence[str], bucket: str, files: Sequence[Path]) -> str:
    return _select(
        _parquet(files),
        names,
        bucket,
        key="key",
        size="coalesce(size, 0)",
        modified="epoch_us(last_modified_date)",
        plain="{} = {}",
        flag="coalesce({0}, {1}) = {1}",
    )


def _select(
    rows: str,
    names: Sequence[str],
    bucket: str,
    *,
    key: str,
    size: str,
    modified: str,
    plain: str,
    flag: str,
) -> str:
    wanted = {name: value for name, value in _EXISTING.items() if name in names}
    # Nearly all rows are the first case, which costs a fifth of the last.
    at_once = " AND ".join(plain.format(*item) for item in wanted.items()) or "true"
    looked_at = " AND ".join(flag.format(*item) for item in wanted.items()) or "true"
    return (
        f"SELECT {key} AS key_path, {quoted_etag('e_tag')} AS etag, {size} AS size_in_bytes, "
        f"{modified} AS last_update, coalesce(storage_class, '') AS storage_class FROM {rows} "
        f"WHERE CASE WHEN bucket = {literal(bucket)} AND key IS NOT NULL AND {at_once} THEN true "
        f"WHEN bucket IS DISTINCT FROM {literal(bucket)} "
        f"THEN error('{REFUSED}it holds rows of another bucket') "
        f"WHEN key IS NULL THEN error('{REFUSED}it holds rows without a key') "
        f"ELSE {looked_at} END"
    )


def _parquet(files: Sequence[Path]) -> str:
    return f"read_parquet({_paths(files)})"


def _paths(files: Sequence[Path]) -> str:
    return "[" + ", ".join(literal(str(file)) for file in files) + "]"


def literal(text: str) -> str:
    """The text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"
