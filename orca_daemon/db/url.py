"""Reads a database URL in the forms of libpq and of SQLAlchemy, also with several hosts.

Two hosts are `//a:1,b:2/db` for libpq, and `?host=a:1&host=b:2` or `?host=a,b&port=1,2` for SQLAlchemy.
`//%2Fvar%2Frun/db` and `?host=/var/run` name the directory of a Unix socket.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

URL = re.compile(
    r"(?P<scheme>[A-Za-z0-9+]+)://(?:(?P<user>[^:/?@]*)(?::(?P<password>[^@]*))?@)?(?P<hosts>[^/?]*)"
    r"(?:/(?P<database>[^?]*))?(?:\?(?P<query>.*))?"
)
"""The parts of a URL, still percent-encoded."""
_PORT = 5432
_LARGEST_PORT = 65535
_PARTS = frozenset({"host", "port", "user", "password", "dbname"})
"""Names in the query that override the URL's own parts, as in libpq."""


class DatabaseUrlError(ValueError):
    """The text is not the URL of a Postgres database; the reason quotes no part of it."""


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """The parts of a URL; several hosts and ports are separated by commas, as in libpq."""

    host: str
    port: int | str
    database: str
    user: str
    password: str = field(repr=False)
    options: Mapping[str, str] = field(repr=False)
    """All other parameters of the query, such as `sslmode`."""


def read(url: str) -> DatabaseUrl:
    """The parts of a URL.

    Raises:
        DatabaseUrlError: it is not the URL of a Postgres database.
    """
    match = URL.fullmatch(url.strip())
    if match is None:
        raise DatabaseUrlError("cannot be understood")
    if "@" in match["hosts"]:
        # The host would begin with a part of the password, and hosts are logged.
        raise DatabaseUrlError('has more than one "@"; write "@" in the password as %40')
    if not match["scheme"].startswith("postgres"):
        raise DatabaseUrlError("is not that of a Postgres")
    query = parse_qsl(match["query"] or "", keep_blank_values=True)
    options = {name: value for name, value in query if name not in _PARTS}
    part = {name: value for name, value in query if name in _PARTS}
    hosts = [value for name, value in query if name == "host" and value] or [match["hosts"]]
    host, port = hosts_and_ports(hosts, part.get("port", ""))
    user = part.get("user") or unquote(match["user"] or "")
    return DatabaseUrl(
        host=host,
        port=port,
        database=part.get("dbname") or unquote(match["database"] or "") or user,
        user=user,
        password=part.get("password") or unquote(match["password"] or ""),
        options=options,
    )


def hosts_and_ports(hosts: Iterable[str], ports: str = "") -> tuple[str, int | str]:
    """Hosts and ports in the form that libpq accepts.

    Args:
        hosts: each is one host, or several separated by commas, with or without a port of its own.
        ports: one port for all hosts without a port of their own, or one for each host.

    Raises:
        DatabaseUrlError: a port is not a number, or the numbers of hosts and ports differ.
    """
    split = [_host(text) for several in hosts for text in several.split(",")]
    listed = [text.strip() for text in ports.split(",")]
    if len(listed) not in {1, len(split)}:
        raise DatabaseUrlError(f"has {len(split)} hosts and {len(listed)} ports")
    defaults = listed * len(split) if len(listed) == 1 else listed
    numbers = [port(own or default or _PORT) for (_, own), default in zip(split, defaults, strict=True)]
    host = ",".join(name for name, _ in split)
    return host, numbers[0] if len(set(numbers)) == 1 else ",".join(map(str, numbers))


def port(value: object) -> int:
    """The number of a port.  Raises DatabaseUrlError."""
    text = str(value).strip()
    # Checked before `int`, which accepts `5_432` and the digits of every script.
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 0 < number <= _LARGEST_PORT:
        raise DatabaseUrlError("has a port that is not a number from 1 to 65535")
    return number


def _host(text: str) -> tuple[str, str]:
    """Name and port of one host; the port may be empty.  An IPv6 address with a port is in brackets."""
    text = text.strip()
    if match := re.fullmatch(r"\[([^\]]*)\](?::(.*))?", text):
        return unquote(match[1]), match[2] or ""
    if text.startswith("/") or text.count(":") > 1:
        return unquote(text), ""
    name, _, own = text.partition(":")
    return unquote(name), own
