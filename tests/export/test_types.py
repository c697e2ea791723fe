"""Every value of every type is read back from Parquet unchanged, with pyarrow and with DuckDB."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from io import BufferedWriter, BytesIO
from pathlib import Path
from typing import Any

import duckdb
import psycopg2.extras
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg2 import sql
from sqlalchemy import Connection, create_engine, text

from orca_daemon.db.address import parse
from orca_daemon.db.connect import connect
from orca_daemon.export import query
from orca_daemon.export.catalog import find
from orca_daemon.export.columns import codec, schema
from orca_daemon.export.framing import Blocks, Reader, UnstorableError
from orca_daemon.export.parquet import RowGroups
from orca_daemon.export.tables import Relation
from orca_daemon.settings import DatabaseSection as DatabaseSettings
from tests.export.conftest import Source

COLUMNS = {
    "small": "smallint",
    "whole": "integer",
    "large": "bigint",
    "price": "numeric(12,3)",
    "wide": "numeric(60,20)",
    "free": "numeric",
    "single": "real",
    "double": "double precision",
    "flag": "boolean",
    "words": "text",
    "short": "varchar(40)",
    "day": "date",
    "clock": "time",
    "local": "timestamp",
    "moment": "timestamptz",
    "ref": "uuid",
    "raw": "bytea",
    "doc": "jsonb",
    "numbers": "integer[]",
    "names": "text[]",
    "prices": "numeric(10,2)[]",
    "moments": "timestamptz[]",
    "refs": "uuid[]",
    "raws": "bytea[]",
    "matrix": "integer[][]",
    "email": "address",
    "mood": "mood",
}
SETUP = """
CREATE DOMAIN address AS text;
CREATE TYPE mood AS ENUM ('fair', 'foul');
CREATE TABLE everything (position int GENERATED ALWAYS AS IDENTITY, last_updated timestamptz, {columns});
"""
words = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=40)
moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))  # noqa: DTZ001  zones come later


def numbers(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "small": numbers(16),
    "whole": numbers(32),
    "large": numbers(64),
    "price": st.decimals(-(10**8), 10**8, places=3),
    "wide": st.decimals(-(10**30), 10**30, places=20),
    "free": st.decimals(allow_nan=False, allow_infinity=False, places=7),
    "single": st.floats(width=32),
    "double": st.floats(),
    "flag": st.booleans(),
    "words": words,
    "short": words,
    "day": st.dates(),
    "clock": st.times(),
    "local": moments,
    "moment": moments.map(lambda moment: moment.replace(tzinfo=UTC)),
    "ref": st.uuids(),
    "raw": st.binary(max_size=60),
    "doc": st.dictionaries(words, st.none() | st.integers(-(2**53), 2**53) | words, max_size=3),
    "numbers": st.lists(st.none() | numbers(32), max_size=5),
    "names": st.lists(st.none() | words, max_size=5),
    "prices": st.lists(st.none() | st.decimals(-(10**7), 10**7, places=2), max_size=4),
    "moments": st.lists(st.none() | moments.map(lambda moment: moment.replace(tzinfo=UTC)), max_size=4),
    "refs": st.lists(st.none() | st.uuids(), max_size=3),
    "raws": st.lists(st.none() | st.binary(max_size=9), max_size=3),
    "matrix": st.sampled_from([[[1, 2], [3, 4]], [[5], [None]]]),
    "email": words,
    "mood": st.sampled_from(["fair", "foul"]),
}
rows = st.lists(
    st.fixed_dictionaries({name: st.none() | values for name, values in VALUES.items()}),
    min_size=1,
    max_size=8,
)


@pytest.fixture
def session(source: Source) -> Iterator[Connection]:
    """The table of all types, in the session settings of an export."""
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    source.run(SETUP.format(columns=columns))
    there = DatabaseSettings.model_validate({"url": source.url})
    engine = create_engine(
        "postgresql+psycopg2://", creator=lambda: connect(parse(source.url), there, statement_timeout=0)
    )
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        psycopg2.extras.register_uuid(conn_or_curs=driver)  # type: ignore[no-untyped-call]
        yield connection
    engine.dispose()


def exported(session: Connection, name: str = "everything", scale: int | None = None, rows: int = 3) -> bytes:
    """The table's file, made by the code of an export without a window and without S3."""
    table = find(session, Relation.parse(name))
    codecs = tuple(codec(column, numeric_scale=scale) for column in table.columns)
    file_schema = schema(table.columns, codecs, {})
    sink, reader = BytesIO(), Reader(table.columns, codecs, file_schema)
    groups = RowGroups(sink, file_schema, rows)
    driver: Any = session.connection.driver_connection
    with (
        driver.cursor() as cursor,
        BufferedWriter(Blocks(lambda block: groups.add(reader.read(block))), 64) as out,
    ):
        cursor.copy_expert(query.copy(table.relation, table.columns, codecs, sql.SQL("true")), out)
    groups.close()
    return sink.getvalue()


def insert(session: Connection, rows: list[dict[str, Any]]) -> None:
    names = list(rows[0])
    driver: Any = session.connection.driver_connection
    statement = sql.SQL("INSERT INTO everything ({}) VALUES %s").format(
        sql.SQL(", ").join(map(sql.Identifier, names))
    )
    template = "(" + ", ".join(f"CAST(%s AS {COLUMNS[name]})" for name in names) + ")"
    with driver.cursor() as cursor:
        psycopg2.extras.execute_values(
            cursor, statement, [adapted(row, names) for row in rows], template=template
        )


def adapted(row: dict[str, Any], names: list[str]) -> list[Any]:
    return [json.dumps(row[name]) if name == "doc" and row[name] is not None else row[name] for name in names]


def stored(name: str, value: Any) -> Any:
    """A value as pyarrow reads it from the file."""
    if value is None:
        return None
    if name == "free":
        return f"{value:f}"
    if name == "doc":
        return value
    return value


def same(one: Any, other: Any) -> bool:
    return bool(one == other or (one != one and other != other))  # noqa: PLR0124  NaN is NaN


@settings(max_examples=30)
@given(rows=rows)
def test_pyarrow_reads_every_value_as_it_was(session: Connection, rows: list[dict[str, Any]]) -> None:
    session.connection.rollback()
    insert(session, rows)

    # Postgres stores rows where a page has space, so their order in the table may differ.
    read = pq.read_table(BytesIO(exported(session))).sort_by("position").to_pylist()

    session.connection.rollback()
    assert len(read) == len(rows)
    for expected, actual in zip(rows, read, strict=True):
        actual["doc"] = actual["doc"] and json.loads(actual["doc"])
        for name, value in expected.items():
            assert same(actual[name], stored(name, value)), name


@settings(max_examples=15)
@given(rows=rows)
def test_duckdb_reads_every_value_as_it_was(
    session: Connection, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    session.connection.rollback()
    insert(session, rows)
    file = tmp_path / "everything.parquet"
    file.write_bytes(exported(session))
    session.connection.rollback()

    actual = duckdb.execute(
        "SELECT small, whole, large, price, flag, words, day, clock, local, epoch_us(moment), ref, raw, doc,"
        f" numbers, names, prices, refs, matrix, email, mood, double FROM '{file}' ORDER BY position"
    ).fetchall()

    names = (
        "small whole large price flag words day clock local moment ref raw doc numbers names prices refs"
        " matrix email mood double"
    )
    for expected, row in zip(rows, actual, strict=True):
        for name, value in zip(names.split(), row, strict=True):
            assert same(_of_duckdb(name, value), expected[name]), name


def _of_duckdb(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name == "moment":
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value)
    return json.loads(value) if name == "doc" else value


def test_the_file_declares_types_not_text(session: Connection) -> None:
    insert(session, [{"small": 1}])

    kinds = {field.name: str(field.type) for field in pq.read_schema(BytesIO(exported(session)))}

    assert kinds == {
        "position": "int32",
        "last_updated": "timestamp[us, tz=UTC]",
        "small": "int16",
        "whole": "int32",
        "large": "int64",
        "price": "decimal128(12, 3)",
        "wide": "decimal256(60, 20)",
        "free": "string",
        "single": "float",
        "double": "double",
        "flag": "bool",
        "words": "string",
        "short": "string",
        "day": "date32[day]",
        "clock": "time64[us]",
        "local": "timestamp[us]",
        "moment": "timestamp[us, tz=UTC]",
        "ref": "extension<arrow.uuid>",
        "raw": "binary",
        "doc": "extension<arrow.json>",
        "numbers": "list<element: int32>",
        "names": "list<element: string>",
        "prices": "list<element: decimal128(10, 2)>",
        "moments": "list<element: timestamp[us, tz=UTC]>",
        "refs": "list<element: extension<arrow.uuid>>",
        "raws": "list<element: binary>",
        "matrix": "list<element: list<element: int32>>",
        "email": "string",
        "mood": "string",
    }
    field = pq.read_schema(BytesIO(exported(session))).field("price")
    assert field.metadata[b"postgres_type"] == b"numeric(12,3)"


def test_years_outside_pythons_range_and_infinity_are_kept(session: Connection, tmp_path: Path) -> None:
    moments = ["infinity", "-infinity", "20000-01-01 00:00:00.000001+00", "0044-03-15 12:00:00+00 BC"]
    for moment in moments:
        session.execute(
            text("INSERT INTO everything (moment, day) VALUES (:m, CAST(:m AS timestamptz)::date)"),
            {"m": moment},
        )
    file = tmp_path / "far.parquet"
    file.write_bytes(exported(session))

    actual = duckdb.execute(
        f"SET TimeZone = 'UTC'; SELECT moment::varchar, day::varchar FROM '{file}'"
    ).fetchall()

    assert actual == [
        ("infinity", "infinity"),
        ("-infinity", "-infinity"),
        ("20000-01-01 00:00:00.000001+00", "20000-01-01"),
        ("0044-03-15 (BC) 12:00:00+00", "0044-03-15 (BC)"),
    ]


FAR: list[tuple[str, list[str]]] = [
    ("timestamptz", ["infinity", "-infinity", "20000-01-01 00:00:00.000001+00", "0044-03-15 12:00:00+00 BC"]),
    ("timestamp", ["infinity", "0001-12-31 23:59:59.5 BC", "294247-01-10 04:00:54.775806", "4713-01-01 BC"]),
    ("date", ["infinity", "-infinity", "4713-02-29 BC", "5874897-12-31", "2000-02-29", "0004-02-29"]),
    ("time", ["24:00:00", "00:00:00.000001", "23:59:59.999999"]),
]


@pytest.mark.parametrize(("kind", "values"), FAR, ids=[kind for kind, _ in FAR])
def test_times_in_an_array_equal_those_in_a_column(
    session: Connection, tmp_path: Path, kind: str, values: list[str]
) -> None:
    session.execute(text(f"CREATE TABLE far (alone {kind}, list {kind}[])"))
    for value in values:
        session.execute(text(f"INSERT INTO far VALUES ('{value}', ARRAY['{value}'::{kind}, NULL])"))
    file = tmp_path / "far.parquet"
    file.write_bytes(exported(session, "far"))

    actual = duckdb.execute(f"SELECT alone = list[1], list[2] IS NULL FROM '{file}'").fetchall()

    assert actual == [(True, True)] * len(values)


def test_undeclared_numerics_become_decimals_if_a_scale_is_set(session: Connection) -> None:
    insert(session, [{"free": Decimal("12.50")}])

    read = pq.read_table(BytesIO(exported(session, scale=4)))

    assert read.schema.field("free").type == pa.decimal128(38, 4)
    assert read.column("free").to_pylist() == [Decimal("12.5000")]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("price", "'NaN'"),
        ("numbers", "ARRAY[[1],[2]]"),
        ("matrix", "ARRAY[1, 2]"),
        ("prices", "ARRAY['NaN'::numeric(10,2)]"),
    ],
)
def test_a_value_that_the_file_cannot_hold_is_an_error_that_names_only_the_column(
    session: Connection, column: str, value: str
) -> None:
    session.execute(text(f"INSERT INTO everything ({column}) VALUES ({value})"))

    with pytest.raises(UnstorableError, match=f"column {column} ") as caught:
        exported(session)

    assert "NaN" not in str(caught.value)


ARRAYS: list[tuple[str, str, list[Any]]] = [
    ("double precision[]", "'{1.5,Infinity,-Infinity,NULL}'", [1.5, float("inf"), float("-inf"), None]),
    ("real[]", "'{1e-30}'", [pytest.approx(1e-30)]),
    ("boolean[]", "'{t,f,NULL}'", [True, False, None]),
    ("bigint[]", "'{9223372036854775807}'", [2**63 - 1]),
    ("smallint[]", "'{}'", []),
    ("date[]", "'{2026-02-28}'", [date(2026, 2, 28)]),
    ("time[]", "'{23:59:59.999999}'", [time(23, 59, 59, 999999)]),
    ("timestamp[]", "'{2026-02-28 01:02:03.5}'", [datetime(2026, 2, 28, 1, 2, 3, 500000)]),  # noqa: DTZ001
    ("text[][]", "'{{NULL,ab},{cd,NULL}}'", [[None, "ab"], ["cd", None]]),
    ("jsonb[]", """ARRAY['{"a": [1, "x"]}'::jsonb, NULL]""", ['{"a": [1, "x"]}', None]),
    ("numeric[]", "'{1.50}'", ["1.50"]),
    ("numeric(50,3)[]", "'{1.5}'", [Decimal("1.500")]),
    ("mood[]", "'{fair}'", ["fair"]),
    ("varchar(9)[]", """ARRAY['say "x"', E'\\t\\\\', '']""", ['say "x"', "\t\\", ""]),
]


@pytest.mark.parametrize(("kind", "value", "expected"), ARRAYS, ids=[kind for kind, _, _ in ARRAYS])
def test_arrays_are_lists_of_their_elements(
    session: Connection, kind: str, value: str, expected: list[Any]
) -> None:
    session.execute(text(f"CREATE TABLE arrays (v {kind})"))
    session.connection.driver_connection.cursor().execute(f"INSERT INTO arrays VALUES ({value}), (NULL)")  # type: ignore[union-attr]

    read = pq.read_table(BytesIO(exported(session, "arrays"))).column("v").to_pylist()

    assert read == [expected, None]


OTHERS: list[tuple[str, str, Any]] = [
    ("interval", "'1 day 02:03:04'", "P1DT2H3M4S"),
    ("inet", "'10.0.0.1/8'", "10.0.0.1/8"),
    ("int4range", "'[1,5)'", "[1,5)"),
    ("timetz", "'01:02:03+05'", "01:02:03+05"),
    ("char(3)", "'ab'", "ab "),
    ("numeric(90,2)", "1.5", "1.50"),
    ("numeric(3,-2)", "12345", Decimal(12300)),
    ("oid", "4294967295", 2**32 - 1),
    ("json", "'{ \"a\" : 1 }'", '{ "a" : 1 }'),
]


@pytest.mark.parametrize(("kind", "value", "expected"), OTHERS, ids=[kind for kind, _, _ in OTHERS])
def test_other_types_are_text_or_the_nearest_number(
    session: Connection, kind: str, value: str, expected: Any
) -> None:
    session.execute(text(f"CREATE TABLE others (v {kind})"))
    session.connection.driver_connection.cursor().execute(f"INSERT INTO others VALUES ({value}), (NULL)")  # type: ignore[union-attr]

    read = pq.read_table(BytesIO(exported(session, "others"))).column("v").to_pylist()

    assert read == [expected, None]


def test_a_table_of_one_column_keeps_its_nulls_and_empty_texts(session: Connection) -> None:
    session.execute(text("CREATE TABLE single (word text)"))
    session.execute(text("INSERT INTO single VALUES (NULL), (''), (E'\n'), ('\\.'), (NULL)"))

    read = pq.read_table(BytesIO(exported(session, "single")))

    assert read.column("word").to_pylist() == [None, "", "\n", "\\.", None]


def test_names_of_columns_may_be_anything(session: Connection) -> None:
    session.execute(text('CREATE TABLE "Odd ""Name""" ("a b" int, "select" text, "%s" int, "ö;--" int)'))
    session.execute(text('INSERT INTO "Odd ""Name""" VALUES (1, \'x\', 2, 3)'))

    read = pq.read_table(BytesIO(exported(session, 'Odd "Name"')))

    assert read.to_pylist() == [{"a b": 1, "select": "x", "%s": 2, "ö;--": 3}]


def test_a_row_longer_than_a_block_is_one_row(session: Connection) -> None:
    long = 'quote " comma , newline \n' * 200_000
    session.execute(
        text("INSERT INTO everything (words, small) VALUES (:long, 1), ('short', 2)"), {"long": long}
    )

    read = pq.read_table(BytesIO(exported(session)), columns=["words", "small"])

    assert read.to_pylist() == [{"words": long, "small": 1}, {"words": "short", "small": 2}]


def test_only_columns_of_repeating_values_get_a_dictionary(session: Connection) -> None:
    session.execute(text("CREATE TABLE many (same text, own text, few int, list int[])"))
    session.execute(
        text("INSERT INTO many SELECT 'x', md5(i::text), i % 3, ARRAY[i] FROM generate_series(1, 3000) i")
    )

    metadata = pq.read_metadata(BytesIO(exported(session, "many", rows=2000)))

    group = metadata.row_group(0)
    encodings = {group.column(n).path_in_schema: group.column(n).encodings for n in range(4)}
    assert {path for path, actual in encodings.items() if "RLE_DICTIONARY" in actual} == {"same", "few"}
    assert [metadata.row_group(n).num_rows for n in range(2)] == [2000, 1000]
