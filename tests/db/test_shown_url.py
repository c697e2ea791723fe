"""The URL of a database as operators see it: never with a part of its password."""

from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orca_daemon.db.shown_url import HIDDEN, shown_url

MARKS = ("Pw1", "Pw2", "Pw3")
NOISE = st.text("/?#@:;&=%+,[] \t\\'\"aé\n", max_size=4)
FORMS = (
    "postgresql://u:{}@h:5432/d",
    "postgresql://u:{}@h/d?sslmode=require",
    "postgresql+psycopg2://:{}@h/d",
    "postgres://u:{}@a:1,b:2/d?target_session_attrs=read-write",
    "postgresql://u:{}@/d?host=a:1&host=b:2",
    "postgresql://u:{}@%2Fvar%2Frun/d",
    "postgresql://u@h/d?password={}",
    "postgresql://h/d?user=u&password={}&sslmode=require",
    "postgresql:///d?sslmode=require;password={}",
    "postgresql://h/d?pass%77ord={}",
    "postgresql://h/d?sslpassword={}",
    "postgresql://h/d;password={}",
    "postgresql://h/d#{}",
    "postgresql://u:{0}@a,v:{0}@b/d",
    "postgresql://u:x@h/d?options=-cx%3D{}",
    "host=h password={}",
    "mysql://u:{}@h/d",
    "{}",
)


@st.composite
def passwords(draw: st.DrawFn) -> str:
    """A password of three recognisable parts, with anything between them."""
    return f"{MARKS[0]}{draw(NOISE)}{MARKS[1]}{draw(NOISE)}{MARKS[2]}"


@given(passwords(), st.sampled_from(FORMS), st.booleans())
@example("Pw1@Pw2/Pw3", FORMS[0], False)
@example("Pw1?Pw2&Pw3", FORMS[6], False)
def test_no_part_of_a_password_is_shown(password: str, form: str, encoded: bool) -> None:  # noqa: FBT001  drawn
    shown = shown_url(form.format(quote(password, safe="") if encoded else password))

    assert [mark for mark in MARKS if mark in shown] == []


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:s3@h:5432/d", f"postgresql://u:{HIDDEN}@h:5432/d"),
        ("postgresql://u:s%403%2F@h/d?sslmode=verify-full", f"postgresql://u:{HIDDEN}@h/d?sslmode=verify-full"),
        ("postgresql+psycopg2://u@h/d", "postgresql+psycopg2://u@h/d"),
        ("postgresql://h", "postgresql://h"),
        ("postgres://u:s@a:1,b:2/d", f"postgres://u:{HIDDEN}@a:1,b:2/d"),
        ("postgresql://u:s@/d?host=a:1&host=b:2", f"postgresql://u:{HIDDEN}@/d?host=a:1&host=b:2"),
        ("postgresql://[::1]:5432/d", "postgresql://[::1]:5432/d"),
        ("postgresql://h/d?user=u&password=s", f"postgresql://h/d?user=u&password={HIDDEN}"),
        ("postgresql://h/d?sslrootcert=/etc/ca.pem", "postgresql://h/d?sslrootcert=/etc/ca.pem"),
        ("postgresql://h/d?colour=red", f"postgresql://h/d?{HIDDEN}"),
        ("postgresql://u:s@t@h/d", HIDDEN),
        ("postgresql://u:s@t/u@h/d", HIDDEN),
        ("h", HIDDEN),
    ],
)  # fmt: skip
def test_all_but_the_password_is_shown(url: str, shown: str) -> None:
    assert shown_url(url) == shown
