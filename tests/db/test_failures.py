"""What each SQLSTATE asks for, and that nothing but identifiers is told of it."""

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from orca_daemon.db.connect import cause
from orca_daemon.db.failures import Failed, Meaning, meaning, translate
from orca_daemon.engine.errors import DependencyDown, Reject


@pytest.mark.parametrize(
    ("sqlstates", "expected"),
    [
        ([None], Meaning.DOWN),
        (["08000", "08003", "08006", "08P01"], Meaning.DOWN),
        (["53000", "53100", "53200", "53300"], Meaning.DOWN),
        (["57P01", "57P02", "57P03"], Meaning.DOWN),
        (["25006", "28P01", "28000"], Meaning.DOWN),
        (["40001", "40P01", "26000"], Meaning.AGAIN),
        (["55P03", "57014"], Meaning.RETRY),
        (["22001", "22P02", "22021"], Meaning.REJECT),
        (["23502", "23503", "23505", "23514"], Meaning.REJECT),
        (["42P01", "42501", "25P02", "25P03", "XX000", "0A000", "57000"], Meaning.RETRY),
    ],
)
def test_each_sqlstate_has_one_meaning(sqlstates: list[str | None], expected: Meaning) -> None:
    assert {sqlstate: meaning(sqlstate) for sqlstate in sqlstates} == dict.fromkeys(sqlstates, expected)


@pytest.mark.parametrize(
    ("statement", "kind", "said"),
    [
        (
            "INSERT INTO orca.recovery_status VALUES (1, 'row-content')",
            Reject,
            "23505 unique_violation on pk_recovery_status",
        ),
        ("SELECT CAST('row-content' AS integer)", Reject, "22P02 invalid_text_representation"),
        (
            "INSERT INTO orca.recovery_status VALUES (9, NULL)",
            Reject,
            "23502 not_null_violation on value",
        ),
        (
            "SELECT 'row-content' FROM nowhere",
            Failed,
            '42P01 undefined_table (relation "nowhere" does not exist)',
        ),
    ],
)
def test_an_error_is_told_without_the_values_of_rows(
    owner: Engine, statement: str, kind: type[Exception], said: str
) -> None:
    with owner.connect() as connection, pytest.raises(DBAPIError) as caught:
        connection.execute(text(statement))
    error = translate(caught.value)
    assert (type(error), str(error)) == (kind, said)


def test_a_lost_connection_is_told_as_the_database_being_down(owner: Engine) -> None:
    with owner.connect() as connection, pytest.raises(DBAPIError) as caught:
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert isinstance(translate(caught.value), DependencyDown)


@pytest.mark.parametrize(
    ("text", "told"),
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
        ("FATAL:  role hunter2 does not exist", "no connection can be opened"),
        ("something else that says hunter2", "no connection can be opened"),
    ],
)  # fmt: skip
def test_a_refused_connection_is_told_without_the_password(text: str, told: str) -> None:
    assert cause(text, "hunter2") == told
