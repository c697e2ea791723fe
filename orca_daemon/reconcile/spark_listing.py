"""The data files of an inventory as one relation in Spark's SQL: the rows that `listing` has in DuckDB's."""

from collections.abc import Mapping, Sequence

from orca_daemon.reconcile.listing import OTHER_BUCKET, REFUSED, UNKNOWN_TIME
from orca_daemon.reconcile.manifest import LONGEST_KEY, require

HASHES = (
    "struct(xxhash64(key_path), hash(key_path)) AS key_hash, "
    "xxhash64(etag, size_in_bytes, storage_class) AS content_hash"
)
"""Spark's own hashes, on both sides of the join.  Two for the key: of 300 million keys, two would have the
same 64 bits in one of 400 listings, and this comparison is not repeated with other hashes."""
_EXISTING = {"is_latest": "true", "is_delete_marker": "false"}
_NUL, _REPLACED = r"'\u0000'", r"'\uFFFD'"


def csv_schema(columns: Sequence[str]) -> str:
    """The schema of CSV files; `columns` has the names of its columns, "" for unused ones."""
    return ", ".join(f"{name or f'unread_{position}'} STRING" for position, name in enumerate(columns))


def csv_select(rows: str, bucket: str, columns: Sequence[str]) -> str:
    """The objects in the view `rows` of CSV, in which keys are URL-encoded."""
    # Java decodes bytes that are not UTF-8 to U+FFFD.
    decoded = "CASE WHEN contains(key, '%') OR contains(key, '+') THEN try_url_decode(key) ELSE key END"
    utf8 = (
        f"CASE WHEN contains({decoded}, {_REPLACED}) AND NOT contains(upper(key), '%EF%BF%BD') THEN NULL "
        f"ELSE {decoded} END"
    )
    flags = [_text_flag(name, existing) for name, existing in _EXISTING.items() if name in columns]
    return _select(rows, bucket, raw="key", decoded=utf8, flags=flags)


def typed_select(rows: str, bucket: str, types: Mapping[str, str]) -> str:
    """The objects in the view `rows` of Parquet or ORC, whose columns have these types.

    Raises:
        ManifestError: a column that a comparison needs is missing.
    """
    require(tuple(types))
    flags = [
        f"coalesce({name}, {existing}) = {existing}"
        if types[name] == "boolean"
        else _text_flag(name, existing)
        for name, existing in _EXISTING.items()
        if name in types
    ]
    return _select(
        rows,
        bucket,
        raw="make_valid_utf8(CAST(key AS STRING))",
        decoded="try_validate_utf8(CAST(key AS STRING))",
        flags=flags,
    )


def _select(rows: str, bucket: str, *, raw: str, decoded: str, flags: Sequence[str]) -> str:
    existing = " AND ".join(f"coalesce({flag}, true)" for flag in flags) or "true"
    unclear = " OR ".join(f"({flag}) IS NULL" for flag in flags) or "false"
    name = literal(bucket)
    cells = (
        f"SELECT {raw} AS raw, {decoded} AS decoded, try_cast(size AS BIGINT) AS number, "
        "coalesce(CAST(size AS STRING), '') AS size, {etag} AS etag, "
        "coalesce(CAST(storage_class AS STRING), '') AS storage_class, "
        f"try_cast(last_modified_date AS TIMESTAMP) AS modified, ({unclear}) AS unclear "
        f"FROM {rows} WHERE CASE WHEN CAST(bucket AS STRING) <=> {name} THEN {existing} "
        f"ELSE raise_error('{REFUSED}{OTHER_BUCKET}') END"
    ).format(etag=_etag("CAST(e_tag AS STRING)"))
    odd = (
        f"CASE WHEN coalesce(raw, '') = '' THEN 'key' WHEN decoded IS NULL THEN 'utf8' "
        f"WHEN contains(decoded, {_NUL}) THEN 'nul' WHEN octet_length(decoded) > {LONGEST_KEY} THEN 'long' "
        f"WHEN number IS NULL AND size <> '' THEN 'size' WHEN unclear THEN 'flag' "
        f"WHEN contains(etag, {_NUL}) OR contains(storage_class, {_NUL}) THEN 'text' END"
    )
    stamp = (
        "CASE WHEN modified BETWEEN TIMESTAMP '1970-01-01' AND TIMESTAMP '9999-12-31' "
        f"THEN date_format(modified, \"yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'\") ELSE '{UNKNOWN_TIME}' END"
    )
    return (
        f"SELECT {HASHES}, * FROM (SELECT CASE WHEN odd IS NULL THEN decoded ELSE coalesce(raw, '') END "
        f"AS key_path, etag, coalesce(number, 0L) AS size_in_bytes, {stamp} AS last_update, "
        "storage_class, odd "
        f"FROM (SELECT *, {odd} AS odd FROM ({cells})))"
    )


def catalog_select(rows: str, classes: Sequence[tuple[int, str]]) -> str:
    """The catalog, from the view `rows` of the staged files; `classes`: ids and names of storage classes."""
    names = " ".join(f"WHEN {key} THEN {literal(value)}" for key, value in classes)
    return (
        f"SELECT id, {HASHES}, storage_class_id < 0 AS recent FROM "
        f"(SELECT *, CASE abs(storage_class_id) {names} END AS storage_class FROM {rows})"
    )


def _etag(column: str) -> str:
    text = f"coalesce({column}, '')"
    return f"CASE WHEN startswith({text}, '\"') THEN {text} ELSE concat('\"', {text}, '\"') END"


def _text_flag(name: str, existing: str) -> str:
    return (
        f"CASE lower(coalesce(CAST({name} AS STRING), '')) WHEN '{existing}' THEN true WHEN '' THEN true "
        "WHEN 'true' THEN false WHEN 'false' THEN false END"
    )


def literal(text: str) -> str:
    """The text as a literal of Spark's SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
