"""Database URLs for logging in as another role."""

from contextlib import closing
from urllib.parse import urlsplit

import psycopg2

from orca_daemon.local.postgres import set_password


def login(url: str, role: str) -> str:
    """Give a role a password and return the database URL with which the role can log in.

    `url` is the superuser's.  The password is the same for each call, so URLs of earlier calls stay valid.
    """
    password = f"of-{role}"
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        set_password(connection, role, password)
    return as_role(url, role, password)


def as_role(url: str, role: str, password: str) -> str:
    """The URL with another role and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{role}:{password}@{parts.hostname}:{parts.port}").geturl()
