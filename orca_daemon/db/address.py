"""Where the database is and who we are there: from settings, a secret, or both."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from pydantic import SecretStr
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from orca_daemon.engine.errors import DependencyDown, NotYet, Reject
from orca_daemon.settings import Database as DatabaseSettings

DEPENDENCY = "postgres"


class AddressError(Exception):
    """Settings and secret together do not say where the database is; the text holds no values."""


class Vault(Protocol):
    """Reads secrets and parameters of AWS by name or ARN.

    Both raise `Reject` where no waiting brings the value, and `NotYet` where AWS does not answer.
    """

    async def secret(self, name: str) -> str:
        """The text of a secret (AWS: GetSecretValue)."""
        ...

    async def parameter(self, name: str) -> str:
        """The value of a parameter, decrypted (AWS: GetParameter)."""
        ...


@dataclass(frozen=True, slots=True)
class Address:
    """A place to connect to.  The password is in no `repr`."""

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def parameters(self) -> dict[str, Any]:
        """The same as libpq names it; what is empty is left to libpq."""
        named = {
            "host": self.host,
            "port": self.port,
            "dbname": self.database,
            "user": self.user,
            "password": self.password,
        }
        return {name: value for name, value in named.items() if value} | dict(self.query)


async def resolve(settings: DatabaseSettings, vault: Vault | None, *, owner: bool = False) -> Address:
    """Read the address; what settings say plainly wins over the secret.

    Args:
        settings: any of a URL, a secret's ARN, a prefix, or parts.
        vault: where secrets are; None where no setting names one.
        owner: take the administrator's name and password of ORCA's secret, not the application's.

    Raises:
        AddressError: something is missing or cannot be understood.
        DependencyDown: AWS does not answer.
    """
    if settings.url is not None:
        return parse(await _value(settings.url.get_secret_value(), vault))
    secret = await _secret(settings, vault)
    role = "admin" if owner and "admin_username" in secret else "user"
    said = {
        "host": await _optional(settings.host, vault),
        "database": await _optional(settings.name, vault),
        "user": await _optional(settings.user, vault),
        "password": await _optional(settings.password, vault),
    }
    found = {
        "host": secret.get("host"),
        "database": secret.get("user_database") or secret.get("dbname") or secret.get("database"),
        "user": secret.get(f"{role}_username") or secret.get("username"),
        "password": secret.get(f"{role}_password") or secret.get("password"),
    }
    whole = {name: said[name] or found[name] for name in said}
    if missing := [name for name, value in whole.items() if not value and name != "password"]:
        raise AddressError(
            f"the database's {', '.join(missing)} is named neither by settings nor by a secret"
        )
    said_port = await _value(str(settings.port), vault)
    port = said_port if "port" in settings.model_fields_set else secret.get("port") or said_port
    return Address(
        host=str(whole["host"]),
        port=_port(port),
        database=str(whole["database"]),
        user=str(whole["user"]),
        password=str(whole["password"] or ""),
    )


def parse(url: str) -> Address:
    """The address in `postgresql://user:password@host:port/database?option=value`.

    Raises:
        AddressError: it is no such URL.
    """
    try:
        parts = make_url(url)
    except (ArgumentError, ValueError):
        raise AddressError("the database's URL cannot be understood") from None
    if "@" in (parts.host or ""):
        # What stands before the last @ is half of a password, and hosts are told to everybody.
        raise AddressError("the database's URL has a @ too many: write %40 for one in the password")
    if not parts.drivername.startswith("postgres"):
        raise AddressError("the database's URL is not that of a Postgres")
    query = {name: value if isinstance(value, str) else value[-1] for name, value in parts.query.items()}
    return Address(
        host=parts.host or "",
        port=parts.port or 5432,
        database=parts.database or parts.username or "",
        user=parts.username or "",
        password=str(parts.password or ""),
        query=query,
    )


async def _secret(settings: DatabaseSettings, vault: Vault | None) -> Mapping[str, Any]:
    name = settings.secret_arn or (f"{settings.prefix}-orca-db-login-secret" if settings.prefix else None)
    if name is None:
        return {}
    return _object(await _read(vault, "secret", name))


async def _optional(value: str | SecretStr | None, vault: Vault | None) -> str | None:
    if value is None:
        return None
    return await _value(value.get_secret_value() if isinstance(value, SecretStr) else value, vault)


async def _value(value: str, vault: Vault | None) -> str:
    """The value itself, or what `ssm:NAME`, `secret:NAME` or `secret:NAME#key` stands for."""
    kind, _, name = value.partition(":")
    if kind == "ssm":
        return await _read(vault, "parameter", name)
    if kind == "secret":
        name, _, key = name.partition("#")
        text = await _read(vault, "secret", name)
        return str(_object(text).get(key, "")) if key else text
    return value


async def _read(vault: Vault | None, kind: Literal["secret", "parameter"], name: str) -> str:
    if vault is None:
        raise AddressError(f"a {kind} is named, but there is no AWS to read it from")
    try:
        return await (vault.secret(name) if kind == "secret" else vault.parameter(name))
    except Reject as error:
        raise AddressError(f"the database's {kind} cannot be read: {error}") from None
    except NotYet as error:
        raise DependencyDown(DEPENDENCY, f"its {kind} cannot be read: {error}") from error


def _object(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise AddressError("the database's secret is not a JSON object")
    return found


def _port(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise AddressError("the database's port is not a number") from None
