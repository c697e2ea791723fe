"""Shows the URL of a database to operators without its password.

What may be a part of a password is hidden, too: a password with "/", "&" or "@" in it that is not
percent-encoded ends in other parts of the URL.
"""

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl

from orca_daemon.db.url import URL, DatabaseUrlError, read

HIDDEN = "**********"
"""As pydantic shows a secret."""
_SCHEME = re.compile(r"postgres(ql)?(\+psycopg2?|\+asyncpg)?")
_HOSTS = re.compile(r"[\w.,:%\[\]-]*")
_NAME = re.compile(r"[\w.%-]*")
_VALUE = re.compile(r"[\w.,:/\[\]-]*")
_SHOWN = frozenset(
    {
        *("host", "hostaddr", "port", "dbname", "user", "target_session_attrs", "load_balance_hosts"),
        *("sslmode", "sslrootcert", "sslcert", "sslkey", "channel_binding", "gssencmode"),
        *("application_name", "connect_timeout", "tcp_user_timeout", "keepalives", "service"),
    }
)
"""Parameters of libpq that hold no secret."""


def shown_url(url: str) -> str:
    """The URL with `**********` for its password, for options that may be secret, and for unusual parts.

    All of it is hidden if it is not the URL of a Postgres, or does not show where the password ends.
    """
    match = URL.fullmatch(url.strip())
    try:
        read(url)
    except DatabaseUrlError:
        return HIDDEN
    if match is None or "@" in f"{match['database']}{match['query']}":
        return HIDDEN
    user = _if(_NAME, match["user"] or "")
    password = f":{HIDDEN}" if match["password"] else ""
    account = f"{user}{password}@" if user or password else ""
    database = "" if match["database"] is None else f"/{_if(_NAME, match['database'])}"
    query = f"?{'&'.join(_options(match['query']))}" if match["query"] else ""
    hosts = _if(_HOSTS, match["hosts"])
    return f"{_if(_SCHEME, match['scheme'])}://{account}{hosts}{database}{query}"


def _options(query: str) -> Iterator[str]:
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in _SHOWN:
            yield f"{name}={_if(_VALUE, value)}"
        else:
            yield f"password={HIDDEN}" if name == "password" else HIDDEN


def _if(pattern: re.Pattern[str], text: str) -> str:
    return text if pattern.fullmatch(text) else HIDDEN
