"""The meaning of each SQLSTATE, and that errors name only identifiers."""

import re

import psycopg2
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from orca_daemon.db.failures import PostgresError, SqlstateMeaning, doubtful, meaning, translate
from orca_daemon.db.sentences import sentence
from orca_daemon.db.session import cause, unreachable
from orca_daemon.engine.errors import DependencyDown, Reject

DECISIONS: dict[str, tuple[SqlstateMeaning, list[str | None]]] = {
    "no answer": (SqlstateMeaning.DOWN, [None]),
    "connection": (SqlstateMeaning.DOWN, ["08000", "08003", "08006", "08P01"]),
    "authorization": (SqlstateMeaning.DOWN, ["28000", "28P01"]),
    "read-only": (SqlstateMeaning.DOWN, ["25006"]),
    "resources": (SqlstateMeaning.DOWN, ["53000", "53100", "53200", "53300", "53400"]),
    "operators": (SqlstateMeaning.DOWN, ["57000", "57P01", "57P02", "57P03", "57P04", "57P05"]),
    "the server's disk": (SqlstateMeaning.DOWN, ["58000", "58030", "58P01", "58P02", "XX001", "XX002"]),
    "configuration": (SqlstateMeaning.DOWN, ["F0000", "F0001"]),
    "a lock of others": (SqlstateMeaning.DOWN, ["55P03"]),
    "a sequence at its end": (SqlstateMeaning.DOWN, ["2200H"]),
    "no database": (SqlstateMeaning.DOWN, ["3D000"]),
    "unknown outcome": (SqlstateMeaning.DOWN, ["40003"]),
    "no schema": (SqlstateMeaning.UNREADY, ["3F000"]),
    "tables, columns, privileges": (
        SqlstateMeaning.UNREADY,
        ["42P01", "42703", "42501", "42704", "42883", "42601"],
    ),
    "roll-backs": (SqlstateMeaning.AGAIN, ["40000", "40001", "40P01", "72000"]),
    "prepared statements": (SqlstateMeaning.AGAIN, ["26000", "0A000", "42P05", "42P03"]),
    "cardinality": (SqlstateMeaning.REJECT, ["21000"]),
    "data": (SqlstateMeaning.REJECT, ["22001", "22003", "22021", "22P02", "22P05"]),
    "constraints": (SqlstateMeaning.REJECT, ["23502", "23503", "23505", "23514", "23P01", "44000"]),
    "limits": (SqlstateMeaning.REJECT, ["54000", "54001", "54011", "54023"]),
    "cancelled": (SqlstateMeaning.RETRY, ["57014"]),
    "sessions ended for their time": (SqlstateMeaning.RETRY, ["25P03", "25P04"]),
    "transactions": (SqlstateMeaning.RETRY, ["25000", "25001", "25P01", "25P02", "2D000", "3B001", "0B000"]),
    "states of objects": (SqlstateMeaning.RETRY, ["55000", "55006", "55P02", "55P04"]),
    "triggers of others": (
        SqlstateMeaning.RETRY,
        ["09000", "27000", "38000", "39000", "P0000", "P0001", "P0004"],
    ),
    "others": (
        SqlstateMeaning.RETRY,
        ["XX000", "0L000", "HV000", "24000", "34000", "20000", "2B000", "ZZZZZ"],
    ),
}


@pytest.mark.parametrize(("expected", "sqlstates"), DECISIONS.values(), ids=DECISIONS)
def test_each_sqlstate_has_one_meaning(expected: SqlstateMeaning, sqlstates: list[str | None]) -> None:
    assert {sqlstate: meaning(sqlstate) for sqlstate in sqlstates} == dict.fromkeys(sqlstates, expected)


@pytest.mark.parametrize(
    "sqlstate", sorted({code for _, codes in DECISIONS.values() for code in codes if code})
)
def test_each_sqlstate_is_a_sentence_that_ends_with_its_code(sqlstate: str) -> None:
    told = sentence(sqlstate)
    assert re.fullmatch(rf"[a-z][^:()]+ [^:()]+ \(SQLSTATE {sqlstate}(, [a-z0-9_]+)?\)", told)
    assert " ".join(told.split()) == told


def test_every_condition_that_postgres_names_has_a_sentence_of_its_class_or_its_own() -> None:
    from psycopg2 import errorcodes

    codes = {value for name, value in vars(errorcodes).items() if name.isupper() and len(str(value)) == 5}
    # Successes and warnings are no errors; the rest is of SQL features that our statements do not use.
    unused = {"00", "01", "02", "03", "09", "0B", "10", "0F", "0L", "0P", "0Z", "20", "24", "27", "2B",
              "2D", "2F", "34", "38", "39", "3B"}  # fmt: skip
    general = sentence("ZZZZZ").partition(" (")[0]
    assert {code[:2] for code in codes if sentence(code).startswith(general)} == unused


def test_limits_and_cancellations_are_doubtful() -> None:
    assert [code for code in ("54000", "54001", "57014", "22001", "57P01", None) if doubtful(code)] == [
        "54000",
        "54001",
        "57014",
    ]


NOWHERE = 'a table does not exist: relation "nowhere" does not exist (SQLSTATE 42P01, undefined_table)'
CANCELLED = (
    "the server cancelled a statement: canceling statement due to statement timeout "
    "(SQLSTATE 57014, query_canceled)"
)
LIMIT = "SQLSTATE 54000, program_limit_exceeded"
ANY_TOO_LARGE = "index row requires 9632 bytes, maximum size is 8191"
TOO_LARGE = 'index row size 6432 exceeds btree version 4 maximum 2704 for index "pk_recovery_job"'
JOB_OF_DIGESTS = (
    "INSERT INTO orca.recovery_job VALUES ((SELECT string_agg(md5(i::text), '') FROM "
    "generate_series(1, {}) i), 'row-content', 'g', 'a', 1, now(), NULL)"
)


@pytest.mark.parametrize(
    ("statement", "kind", "output"),
    [
        (
            "INSERT INTO orca.recovery_status VALUES (1, 'row-content')",
            Reject,
            "another row has the same key (constraint pk_recovery_status, SQLSTATE 23505, unique_violation)",
        ),
        (
            "SELECT CAST('row-content' AS integer)",
            Reject,
            "a text is not a value of the type that is needed (SQLSTATE 22P02, invalid_text_representation)",
        ),
        (
            "SELECT CAST('row-content' AS timestamptz)",
            Reject,
            "a text is not a date or time that Postgres can read (SQLSTATE 22007, invalid_datetime_format)",
        ),
        (
            "INSERT INTO orca.recovery_status VALUES (9, NULL)",
            Reject,
            "a column that needs a value has none (column value, SQLSTATE 23502, not_null_violation)",
        ),
        (
            "SELECT 'row-content' FROM nowhere",
            DependencyDown,
            f"postgres is down: the schema or a privilege is missing: {NOWHERE}",
        ),
        (
            "SELECT 'row-content' FROM pg_sleep(60)",
            PostgresError,
            CANCELLED,
        ),
        (
            JOB_OF_DIGESTS.format(300),
            Reject,
            f"a limit of the server is exceeded: {ANY_TOO_LARGE} ({LIMIT})",
        ),
        (
            JOB_OF_DIGESTS.format(200),
            Reject,
            f"a limit of the server is exceeded: {TOO_LARGE} (constraint pk_recovery_job, {LIMIT})",
        ),
    ],
    ids=["23505", "22P02", "22007", "23502", "42P01", "57014", "54000 of any index", "54000 of a B-tree"],
)
def test_an_error_is_reported_without_the_values_of_rows(
    owner: Engine, statement: str, kind: type[Exception], output: str
) -> None:
    with owner.connect() as connection:
        connection.execute(text("SET statement_timeout = '500ms'"))
        with pytest.raises(DBAPIError) as caught:
            connection.execute(text(statement))
    error = translate(caught.value)
    assert (type(error), str(error)) == (kind, output)


def test_a_lost_connection_is_reported_as_a_database_that_is_down(owner: Engine) -> None:
    with owner.connect() as connection, pytest.raises(DBAPIError) as caught:
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert isinstance(translate(caught.value), DependencyDown)


TWO_HOSTS = """connection to server at "a", port 1 failed: Connection refused
    Is the server running?
connection to server at "b", port 2 failed: FATAL:  the database system is starting up"""


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        (
            'connection to server at "db" (10.0.0.1), port 5432 failed: FATAL:  password failed\n',
            "no connection can be opened: password failed",
        ),
        (
            'connection to server at "db" (10.0.0.1), port 5432 failed: Connection refused\n\tIs it running',
            "no connection can be opened: Connection refused",
        ),
        ('could not translate host name "db" to address: Name not known\n',
         'no connection can be opened: could not translate host name "db" to address: Name not known'),
        ('invalid dsn: invalid connection option "ssl"\n',
         'no connection can be opened: invalid connection option "ssl"'),
        ('invalid sslmode value: "full"', 'no connection can be opened: invalid sslmode value: "full"'),
        ('invalid sslmode value: "hunter2"', "no connection can be opened"),
        (TWO_HOSTS, "no connection can be opened: Connection refused; the database system is starting up"),
        ("could not match 2 port numbers to 3 hosts",
         "no connection can be opened: could not match 2 port numbers to 3 hosts"),
        ("FATAL:  role hunter2 does not exist", "no connection can be opened"),
        ("something else that says hunter2", "no connection can be opened"),
    ],
)  # fmt: skip
def test_a_refused_connection_is_reported_without_the_password(text: str, reported: str) -> None:
    assert cause(text, "hunter2") == reported


@pytest.mark.parametrize(
    ("parameters", "server"),
    [
        ({"host": "db", "port": 5432, "dbname": "orca", "user": "u"}, " (host db, port 5432, dbname orca)"),
        ({"host": "a,b", "port": "1,2"}, " (host a,b, port 1,2)"),
        ({}, " (the default server of libpq)"),
        ({"host": "db", "dbname": "orca", "password": "orca"}, " (host db, dbname orca)"),
    ],
    ids=["one host", "two hosts", "no host", "a password like a name"],
)
def test_a_refused_connection_names_the_server(parameters: dict[str, object], server: str) -> None:
    refused = psycopg2.OperationalError("connection failed: Connection refused")
    assert str(unreachable(refused, parameters)) == f"no connection can be opened: Connection refused{server}"
