"""Unusual sources: other encodings, hidden rows, names with dots, domains in arrays, time limits."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import psycopg2
import pyarrow as pa
import pytest
from pydantic import SecretStr

from orca_daemon.db.database import Database
from orca_daemon.export.catalog import HiddenError
from orca_daemon.export.encoder import Encoder
from orca_daemon.export.framing import UnstorableError
from orca_daemon.export.source import other_database
from orca_daemon.export.table import RowsLostError
from orca_daemon.export.tables import ChangeTime, Relation, Table
from orca_daemon.settings import DatabaseSection as DatabaseSettings
from orca_daemon.settings import ExportSection as ExportSettings
from orca_daemon.settings import Settings
from tests.conftest import Server
from tests.export.conftest import HOUR, T0, Exporter, Source, table
from tests.roles import login


@pytest.fixture
def encoded(postgres: Server, exporter: Exporter) -> Iterator[Callable[[str], Source]]:
    """Makes a database with an encoding as the exporter's source."""
    name = f"source_{datetime.now(UTC):%H%M%S%f}"
    url = postgres.url.rpartition("/")[0] + f"/{name}"

    def make(encoding: str) -> Source:
        postgres._execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
        exporter.database.close()
        exporter.database = Database(DatabaseSettings(url=SecretStr(url)))
        connection = psycopg2.connect(url, client_encoding="UTF8" if encoding != "SQL_ASCII" else encoding)
        connection.autocommit = True
        return Source(url, connection)

    yield make
    exporter.database.close()
    postgres.drop(url)


async def test_names_and_values_of_a_latin1_source_come_through(
    encoded: Callable[[str], Source], exporter: Exporter
) -> None:
    with closing(encoded("LATIN1").connection) as connection:
        source = Source("", connection)
        source.run('CREATE TABLE "été" ("créé" text, last_updated timestamptz)')
        source.run("INSERT INTO \"été\" VALUES ('é', %s)", T0 - HOUR)

        assert await exporter.rows(T0, table("été")) == [{"créé": "é", "last_updated": T0 - HOUR}]


@pytest.mark.parametrize("kind", ["text", "varchar(9)", "text[]", "json"])
async def test_bytes_that_are_not_utf8_fail_with_the_name_of_the_column(
    encoded: Callable[[str], Source], exporter: Exporter, kind: str
) -> None:
    with closing(encoded("SQL_ASCII").connection) as connection:
        source = Source("", connection)
        source.run(f"CREATE TABLE one (fine text, odd {kind}, last_updated timestamptz)")
        value = {"text[]": b"ARRAY[E'caf\\xe9']", "json": b"'\"caf\xe9\"'"}.get(kind, b"E'caf\\xe9'")
        with connection.cursor() as cursor:
            cursor.execute(b"INSERT INTO one VALUES ('ok', " + value + b", '2026-11-01T11:00Z')")

        with pytest.raises(UnstorableError, match=r"^column odd holds text that is not UTF-8$"):
            await exporter.rows(T0, table("one"))

        source.run("DELETE FROM one")
        source.run("INSERT INTO one VALUES ('still ok', NULL, '2026-11-01T11:00Z')")
        assert [row["fine"] for row in await exporter.rows(T0, table("one"))] == ["still ok"]


async def test_hidden_rows_are_an_error_and_other_tables_are_exported(
    source: Source, exporter: Exporter
) -> None:
    for name in ("seen", "hidden"):
        source.run(f"CREATE TABLE {name} (id int, last_updated timestamptz)")
        source.run(f"INSERT INTO {name} SELECT i, %s FROM generate_series(1, 10) i", T0 - HOUR)
    source.run("ALTER TABLE hidden ENABLE ROW LEVEL SECURITY")
    source.run("CREATE POLICY few ON hidden USING (id <= 3)")
    source.run("CREATE ROLE exporting LOGIN; GRANT SELECT ON seen, hidden TO exporting")
    exporter.database.close()
    exporter.database = Database(DatabaseSettings(url=SecretStr(login(source.url, "exporting"))))
    try:
        report = await exporter.run(T0, table("hidden"), table("seen"))
        exporter.database.close()
    finally:
        source.run("DROP OWNED BY exporting; DROP ROLE exporting")

    assert [(outcome.table, type(outcome.error), outcome.rows) for outcome in report.outcomes] == [
        ("hidden", HiddenError, 0),
        ("seen", type(None), 10),
    ]
    assert "row-level security hides rows of hidden from exporting" in report.reasons


async def test_a_view_over_hidden_rows_fails_by_its_name(source: Source, exporter: Exporter) -> None:
    source.run("CREATE TABLE hidden (id int, last_updated timestamptz)")
    source.run("ALTER TABLE hidden ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    source.run("CREATE ROLE viewing LOGIN; GRANT CREATE ON SCHEMA public TO viewing")
    source.run("ALTER TABLE hidden OWNER TO viewing")
    source.run("CREATE VIEW seen AS SELECT * FROM hidden; ALTER VIEW seen OWNER TO viewing")
    try:
        report = await exporter.run(T0, table("seen"))
    finally:
        source.run("REASSIGN OWNED BY viewing TO postgres; DROP OWNED BY viewing; DROP ROLE viewing")

    assert 'would be affected by row-level security policy for table "hidden"' in report.reasons
    assert "postgres is down" not in report.reasons


SCHEMA, NAME = 'odd."schema', 'ta.b"le'
QUOTED = '"odd.""schema"."ta.b""le"'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("staff", Relation("staff")),
        ("public.staff", Relation("staff", "public")),
        ("Public.Staff", Relation("Staff", "Public")),
        (QUOTED, Relation(NAME, SCHEMA)),
        ('"odd.name"', Relation("odd.name")),
        ('sales."order.line"', Relation("order.line", "sales")),
        ('"a.b".c', Relation("c", "a.b")),
        ("a.b.c", Relation("b.c", "a")),
        ("été.ça", Relation("ça", "été")),
    ],
    ids=str,
)
def test_a_table_name_is_parsed_as_in_sql(text: str, expected: Relation) -> None:
    assert Relation.parse(text) == expected
    assert Relation.parse(str(expected)) == expected


async def test_a_table_with_dots_and_quotes_in_its_names_is_exported(
    source: Source, exporter: Exporter
) -> None:
    source.run('CREATE SCHEMA "odd.""schema"')
    source.run(f"CREATE TABLE {QUOTED} (id int, last_updated timestamptz)")
    source.run(f"INSERT INTO {QUOTED} VALUES (1, %s)", T0 - HOUR)
    odd = Table("odd", Relation.parse(QUOTED), (ChangeTime("last_updated"),))

    assert [row["id"] for row in await exporter.rows(T0, odd)] == [1]


DOMAINS = """
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE DOMAIN small AS positive CHECK (value < 100);
CREATE DOMAIN price AS numeric(10,2);
CREATE DOMAIN day AS date;
CREATE DOMAIN whole AS int[];
CREATE TABLE one (
    numbers positive[], nested small[], prices price[], days day[], wholes whole, of_wholes whole[],
    grid positive[][], last_updated timestamptz
)
"""


async def test_arrays_of_domains_are_lists_of_the_base_type(source: Source, exporter: Exporter) -> None:
    source.run(DOMAINS)
    source.run(
        "INSERT INTO one VALUES ('{1,2}', '{3}', '{1.50}', '{2026-01-01}', '{4}', ARRAY['{5}'::whole],"
        " '{{1,2},{3,4}}', %s)",
        T0 - HOUR,
    )

    report = await exporter.run(T0, table("one"))

    file = exporter.read(report.keys["one"])
    assert {name: file.schema.field(name).type for name in file.column_names[:-1]} == {
        "numbers": pa.list_(pa.field("element", pa.int32())),
        "nested": pa.list_(pa.field("element", pa.int32())),
        "prices": pa.list_(pa.field("element", pa.decimal128(10, 2))),
        "days": pa.list_(pa.field("element", pa.date32())),
        "wholes": pa.list_(pa.field("element", pa.int32())),
        "of_wholes": pa.list_(pa.field("element", pa.string())),
        "grid": pa.list_(pa.field("element", pa.list_(pa.field("element", pa.int32())))),
    }
    (row,) = file.to_pylist()
    assert (row["numbers"], row["nested"], row["wholes"], row["of_wholes"]) == ([1, 2], [3], [4], ["{5}"])
    assert row["grid"] == [[1, 2], [3, 4]]


async def test_rows_are_compared_with_the_servers_count(
    source: Source, exporter: Exporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.run("CREATE TABLE one (id int, last_updated timestamptz)")
    source.run("INSERT INTO one SELECT i, %s FROM generate_series(1, 10) i", T0 - HOUR)

    finish = Encoder.finish
    monkeypatch.setattr(Encoder, "finish", lambda encoder: finish(encoder) - 1)

    with pytest.raises(RowsLostError, match="Postgres counted 10 rows, and 9 came"):
        await exporter.rows(T0, table("one"))
    assert exporter.listed() == []


async def test_a_time_limit_of_transactions_does_not_end_an_export(
    source: Source, exporter: Exporter
) -> None:
    name = source.url.rpartition("/")[2]
    source.run("CREATE TABLE one (id int, last_updated timestamptz)")
    source.run("INSERT INTO one VALUES (1, %s)", T0 - HOUR)
    for limit in ("transaction_timeout", "idle_in_transaction_session_timeout", "statement_timeout"):
        source.run(f"ALTER DATABASE \"{name}\" SET {limit} = '300ms'")

    def linger(*_: Any) -> None:
        limits = "-c transaction_timeout=0 -c statement_timeout=0"
        with closing(psycopg2.connect(source.url, options=limits)) as other, other.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.5)")

    exporter.options["progress"] = linger
    assert len(await exporter.rows(T0, table("one"))) == 1


def test_settings_of_tls_apply_to_every_source_and_our_client_certificate_only_to_our_own() -> None:
    other = other_database(
        Settings(
            database=DatabaseSettings(
                sslmode="verify-full", sslrootcert="system", sslcert="ours", sslkey="ours"
            ),
            export=ExportSettings(source_secret="reader"),
        )
    )

    assert other is not None
    assert (other.sslmode, other.sslrootcert) == ("verify-full", "system")
    assert (other.sslcert, other.sslkey) == (None, None)
