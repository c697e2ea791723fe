"""Reads a database URL in the forms of libpq and of SQLAlchemy, also with several hosts.

`//a:1,b:2/db` is libpq's way to name two, `?host=a:1&host=b:2` and `?host=a,b&port=1,2` are SQLAlchemy's;
`//%2Fvar%2Frun/db` and `?host=/var/run` name the directory of a Unix socket.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

_URL = re.compile(
    r"(?P<scheme>[A-Za-z0-9+]+)://(?:(?P<user>[^:/?@]*)(?::(?P<password>[^@]*))?@)?(?P<hosts>[^/?]*)"
    r"(?:/(?P<database>[^?]*))?(?:\?(?P<query>.*))?"
)
_PORT = 5432
_LARGEST_PORT = 65535
_PARTS = frozenset({"host", "port", "user", "password", "dbname"})
"""What the query may say instead of the URL's own parts; there it wins, as in libpq."""


class DatabaseUrlError(ValueError):
    """The text is not a URL of a Postgres; the reason repeats none of it."""


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """The parts of a URL; hosts and ports as libpq takes them, several separated by commas."""

    host: str
    port: int | str
    database: str
    user: str
    password: str = field(repr=False)
    options: Mapping[str, str] = field(repr=False)
    """Everything else that the query says, such as `sslmode`."""


def read(url: str) -> DatabaseUrl:
    """The parts of a URL.

    Raises:
        DatabaseUrlError: it is not one.
    """
    found = _URL.fullmatch(url.strip())
    if found is None:
        raise DatabaseUrlError("cannot be understood")
    if "@" in found["hosts"]:
        # What stands before the last @ is half of a password, and hosts are shown to everybody.
        raise DatabaseUrlError('has more than one "@": write "@" in the password as %40')
    if not found["scheme"].startswith("postgres"):
        raise DatabaseUrlError("is not that of a Postgres")
    given = parse_qsl(found["query"] or "", keep_blank_values=True)
    options = {name: value for name, value in given if name not in _PARTS}
    part = {name: value for name, value in given if name in _PARTS}
    hosts = [value for name, value in given if name == "host" and value] or [found["hosts"]]
    host, port = places(hosts, part.get("port", ""))
    user = part.get("user") or unquote(found["user"] or "")
    return DatabaseUrl(
        host=host,
        port=port,
        database=part.get("dbname") or unquote(found["database"] or "") or user,
        user=user,
        password=part.get("password") or unquote(found["password"] or ""),
        options=options,
    )


def places(hosts: Iterable[str], ports: str = "") -> tuple[str, int | str]:
    """Hosts and ports as libpq takes them.

    Args:
        hosts: each one host or several separated by commas, with or without a port of its own.
        ports: one for all hosts that have none of their own, or as many as there are hosts.

    Raises:
        DatabaseUrlError: a port is not a number, or the numbers of hosts and ports differ.
    """
    named = [_host(text) for several in hosts for text in several.split(",")]
    given = [text.strip() for text in ports.split(",")]
    if len(given) not in {1, len(named)}:
        raise DatabaseUrlError(f"has {len(named)} hosts and {len(given)} ports")
    defaults = given * len(named) if len(given) == 1 else given
    found = [port(own or other or _PORT) for (_, own), other in zip(named, defaults, strict=True)]
    host = ",".join(name for name, _ in named)
    return host, found[0] if len(set(found)) == 1 else ",".join(map(str, found))


def port(value: object) -> int:
    """The number of a port.  Raises BadUrl."""
    text = str(value).strip()
    # Not by int alone, which takes `5_432` and the digits of every script.
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 0 < number <= _LARGEST_PORT:
        raise DatabaseUrlError("has a port that is not a number from 1 to 65535")
    return number


def _host(text: str) -> tuple[str, str]:
    """Name and port of one host; the port may be empty.  Addresses of IPv6 with a port stand in brackets."""
    text = text.strip()
    if match := re.fullmatch(r"\[([^\]]*)\](?::(.*))?", text):
        return unquote(match[1]), match[2] or ""
    if text.startswith("/") or text.count(":") > 1:
        return unquote(text), ""
    name, _, own = text.partition(":")
    return unquote(name), own
