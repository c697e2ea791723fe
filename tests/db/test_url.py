"""Database URLs in every form that libpq and SQLAlchemy accept."""

import pytest

from orca_daemon.db.url import DatabaseUrl, DatabaseUrlError, read


def url(
    host: str,
    port: int | str = 5432,
    database: str = "d",
    user: str = "u",
    password: str = "",
    **options: str,
) -> DatabaseUrl:
    return DatabaseUrl(host, port, database, user, password, options)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://u:p@h:5433/d", url("h", 5433, password="p")),
        ("postgres://u@h/d", url("h")),
        ("postgresql+psycopg2://u@h/d", url("h")),
        ("postgresql://u@h", url("h", database="u")),
        ("postgresql://u:p%40%2Fw@h/d", url("h", password="p@/w")),
        ("postgresql://u:p/w?x@h/d", url("h", password="p/w?x")),
        ("postgresql://u@a:1,b:2/d", url("a,b", "1,2")),
        ("postgresql://u@a,b/d?port=1,2", url("a,b", "1,2")),
        ("postgresql://u@a,b:6/d?port=5", url("a,b", "5,6")),
        ("postgresql://u@a:6,b:6/d", url("a,b", 6)),
        ("postgresql://u@/d?host=a:1&host=b:2", url("a,b", "1,2")),
        ("postgresql://u@/d?host=a:1&host=b", url("a,b", "1,5432")),
        ("postgresql://u@/d?host=a,b&port=1,2", url("a,b", "1,2")),
        (
            "postgresql://u@a:1,b:2/d?target_session_attrs=read-write",
            url("a,b", "1,2", target_session_attrs="read-write"),
        ),
        ("postgresql://u@%2Fvar%2Frun/d", url("/var/run")),
        ("postgresql://u@%2Fvar%2Frun:6/d", url("/var/run", 6)),
        ("postgresql://u@/d?host=/var/run", url("/var/run")),
        ("postgresql:///d?host=%2Fvar%2Frun&user=u", url("/var/run")),
        ("postgresql://u@[::1]:5433/d", url("::1", 5433)),
        ("postgresql://u@[::1],[fe80::1]:6/d", url("::1,fe80::1", "5432,6")),
        ("postgresql://u@/d?host=::1", url("::1")),
        ("postgresql://u@h/d?sslmode=require&sslrootcert=/a", url("h", sslmode="require", sslrootcert="/a")),
        ("postgresql://h/d?user=u&password=p", url("h", password="p")),
        (" postgresql://u@h/d\n", url("h")),
        ("postgresql://u@h/d?connect_timeout=3\r\n", url("h", connect_timeout="3")),
    ],
    ids=str,
)  # fmt: skip
def test_is_read(text: str, expected: DatabaseUrl) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("", "cannot be understood"),
        ("u@h/d", "cannot be understood"),
        ("mysql://u@h/d", "not that of a Postgres"),
        ("postgresql://u:p@w@h/d", "%40"),
        ("postgresql://u@h:x/d", "port"),
        ("postgresql://u@h:0/d", "port"),
        ("postgresql://u@h:65536/d", "port"),
        ("postgresql://u@h:5_4/d", "port"),
        ("postgresql://u@a,b,c/d?port=1,2", "3 hosts and 2 ports"),
    ],
)
def test_mistakes_are_reported_by_name(text: str, output: str) -> None:
    with pytest.raises(DatabaseUrlError, match=output):
        read(text)
