"""Resolves the address of the database, with user and password, from settings, a secret, or both."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import SecretStr

from orca_daemon.db import url as urls
from orca_daemon.db.url import DatabaseUrlError
from orca_daemon.engine.errors import DependencyDown, NotYet, Reject
from orca_daemon.settings import DatabaseSection as DatabaseSettings
from orca_daemon.settings import shown

DEPENDENCY = "postgres"
_SETTING = {"database": "name"}
"""The key in the section `database` of a part of the address, if that has another name."""


class AddressError(Exception):
    """Settings and secret together do not give a valid address; the text holds no values."""


class Secrets(Protocol):
    """Reads secrets and parameters of AWS by name or ARN.

    Both methods raise `Reject` if waiting cannot help, and `NotYet` if AWS does not answer.
    """

    async def secret(self, name: str) -> str:
        """The text of a secret (AWS: GetSecretValue)."""
        ...

    async def parameter(self, name: str) -> str:
        """The value of a parameter, decrypted (AWS: GetParameter)."""
        ...


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """Address, user and password of a database.  `repr` leaves the password out."""

    host: str
    """One host, or several separated by commas; libpq takes the first that matches `target_session_attrs`."""
    port: int | str
    """One port for all hosts, or one for each host, separated by commas."""
    database: str
    user: str
    password: str = field(repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def parameters(self) -> dict[str, Any]:
        """The same by libpq's names; libpq's defaults apply to empty values, which are left out."""
        named = {
            "host": self.host,
            "port": self.port,
            "dbname": self.database,
            "user": self.user,
            "password": self.password,
        }
        return {name: value for name, value in named.items() if value} | dict(self.query)


async def resolve(
    settings: DatabaseSettings, secrets: Secrets | None, *, owner: bool = False
) -> DatabaseAddress:
    """Read the address; values in the settings take precedence over the secret.

    Args:
        settings: a URL, a secret's ARN, a prefix, or single parts.
        secrets: reads secrets; None if no setting names one.
        owner: whether to take the administrator's name and password from ORCA's secret, in place of the
            application's.

    Raises:
        AddressError: a part is missing or invalid.
        DependencyDown: AWS does not answer.
    """
    if settings.url is not None:
        address = parse(await _value(settings.url.get_secret_value(), secrets))
    else:
        address = await _of_parts(settings, secrets, owner=owner)
    texts = (address.host, address.database, address.user, address.password, *address.query.values())
    if any("\0" in text for text in texts):
        raise AddressError("the database's address holds a NUL character, which libpq does not accept")
    return replace(address, query=_tls(settings) | dict(address.query))


async def _of_parts(settings: DatabaseSettings, secrets: Secrets | None, *, owner: bool) -> DatabaseAddress:
    secret = await _secret(settings, secrets)
    role = "admin" if owner and "admin_username" in secret else "user"
    from_settings = {
        "host": (await _optional(settings.host, secrets)).strip(),
        "database": (await _optional(settings.name, secrets)).strip(),
        "user": (await _optional(settings.user, secrets)).strip(),
        "password": await _optional(settings.password, secrets),
    }
    from_secret = {
        "host": secret.get("host"),
        "database": secret.get("user_database") or secret.get("dbname") or secret.get("database"),
        "user": secret.get(f"{role}_username") or secret.get("username"),
        "password": secret.get(f"{role}_password") or secret.get("password"),
    }
    parts = {name: value or _text(from_secret[name], name) for name, value in from_settings.items()}
    if missing := [name for name, value in parts.items() if not value and name != "password"]:
        raise AddressError(
            f"the database's {', '.join(missing)} is named neither by settings nor by a secret: set "
            + ", ".join(shown(f"database.{_SETTING.get(name, name)}") for name in missing)
        )
    port_text = await _value(str(settings.port), secrets)
    port = port_text if "port" in settings.model_fields_set else secret.get("port") or port_text
    try:
        host, ports = urls.hosts_and_ports([parts["host"]], str(port))
    except DatabaseUrlError as error:
        raise AddressError(f"the database's address {error}") from None
    return DatabaseAddress(host, ports, parts["database"], parts["user"], parts["password"])


def parse(url: str) -> DatabaseAddress:
    """The address in `postgresql://user:password@host:port/database?option=value`.

    Raises:
        AddressError: it is not such a URL.
    """
    try:
        parts = urls.read(url)
    except DatabaseUrlError as error:
        raise AddressError(f"the database URL {error}") from None
    return DatabaseAddress(parts.host, parts.port, parts.database, parts.user, parts.password, parts.options)


def _tls(settings: DatabaseSettings) -> dict[str, str]:
    """The settings of TLS by libpq's names; options in a URL take precedence."""
    options = {
        "sslmode": settings.sslmode,
        "sslrootcert": settings.sslrootcert,
        "sslcert": settings.sslcert,
        "sslkey": settings.sslkey,
    }
    for name, value in options.items():
        if name != "sslmode" and value not in {None, "system"} and not Path(str(value)).is_file():
            raise AddressError(f"{shown(f'database.{name}')} names no file: {value}")
    return {name: value for name, value in options.items() if value}


async def _secret(settings: DatabaseSettings, secrets: Secrets | None) -> Mapping[str, Any]:
    name = settings.secret_arn or (f"{settings.prefix}-orca-db-login-secret" if settings.prefix else None)
    if name is None:
        return {}
    return _object(await _read(secrets, "secret", name))


async def _optional(value: str | SecretStr | None, secrets: Secrets | None) -> str:
    if value is None:
        return ""
    return await _value(value.get_secret_value() if isinstance(value, SecretStr) else value, secrets)


def is_reference(value: str) -> bool:
    """Whether a setting names a parameter or a secret of AWS instead of holding the value; see `_value`."""
    return value.strip().startswith(("ssm:", "secret:"))


async def _value(value: str, secrets: Secrets | None) -> str:
    """The value itself, or the value that `ssm:NAME`, `secret:NAME` or `secret:NAME#key` refers to."""
    kind, _, name = value.strip().partition(":")
    if kind == "ssm":
        return _line(await _read(secrets, "parameter", name))
    if kind == "secret":
        name, _, key = name.partition("#")
        text = await _read(secrets, "secret", name)
        return _text(_object(text).get(key), key) if key else _line(text)
    return _line(value)


def _text(value: object, name: str) -> str:
    """A value of a secret.  Blanks are stripped, except from a password, where they may be intended."""
    text = "" if value is None else _line(str(value))
    return text if name.endswith("password") else text.strip()


def _line(value: str) -> str:
    """The value without the newline that `echo` and editors append to a secret."""
    return value.rstrip("\r\n")


async def _read(secrets: Secrets | None, kind: Literal["secret", "parameter"], name: str) -> str:
    if secrets is None:
        raise AddressError(f"a {kind} is named, but there is no AWS to read it from")
    try:
        return await (secrets.secret(name) if kind == "secret" else secrets.parameter(name))
    except Reject as error:
        raise AddressError(f"the database's {kind} cannot be read: {error}") from None
    except NotYet as error:
        raise DependencyDown(DEPENDENCY, f"its {kind} cannot be read: {error}") from error


def _object(text: str) -> Mapping[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise AddressError("the database's secret is not a JSON object")
    return document
