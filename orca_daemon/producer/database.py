"""The functions of ORCA's shared library that connect to its database; they import SQLAlchemy when called."""

import json
import os
import random
import time
from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar, overload

from orca_daemon.producer.queue import get_aws_region

if TYPE_CHECKING:
    from sqlalchemy import Engine

P = ParamSpec("P")
R = TypeVar("R")

MAX_RETRIES = 3
INITIAL_BACKOFF_IN_SECONDS = 1
BACKOFF_FACTOR = 2

_KEYS = (
    "admin_database",
    "admin_username",
    "admin_password",
    "user_username",
    "user_password",
    "user_database",
    "host",
    "port",
)


class ConfigurationError(Exception):
    """The connection parameters cannot be read.  The text names what is missing, and contains no secret."""


def get_configuration(db_connect_info_secret_arn: str | None = None) -> dict[str, str]:
    """Read the connection parameters of the database from Secrets Manager, in the region AWS_REGION.

    Args:
        db_connect_info_secret_arn: ARN of the secret; by default the value of DB_CONNECT_INFO_SECRET_ARN, or
            else `<PREFIX>-orca-db-login-secret`.

    Returns:
        `host`, `port`, `user_database`, `user_username`, `user_password`, `admin_database`, `admin_username`,
        `admin_password`.

    Raises:
        ValueError: AWS_REGION is not set, or is empty.
        ConfigurationError: no secret is named, or the secret cannot be read or lacks a key.
    """
    region = get_aws_region()
    name = db_connect_info_secret_arn or _secret_name()
    text = _secret(name, region)
    try:
        values = json.loads(text)
        return {key: str(values[key]) for key in _KEYS}
    except KeyError as error:
        raise ConfigurationError(f"the secret {name} has no key {error}") from None
    except (ValueError, TypeError):
        raise ConfigurationError(f"the secret {name} is not a JSON object") from None


def get_admin_connection(config: Mapping[str, str], database: str | None = None) -> "Engine":
    """A SQLAlchemy engine for the admin user, on the admin database or on another one."""
    return _engine(config, "admin", database or config["admin_database"])


def get_user_connection(config: Mapping[str, str]) -> "Engine":
    """A SQLAlchemy engine for the application's user and database."""
    return _engine(config, "user", config["user_database"])


@overload
def retry_operational_error(max_retries: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def retry_operational_error(
    max_retries: int = ...,
    backoff_in_seconds: float = ...,
    backoff_factor: float = ...,
    *,
    sleep: Callable[[float], object] = ...,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def retry_operational_error(
    max_retries: int | Callable[P, R] = MAX_RETRIES,
    backoff_in_seconds: float = INITIAL_BACKOFF_IN_SECONDS,
    backoff_factor: float = BACKOFF_FACTOR,
    *,
    sleep: Callable[[float], object] = time.sleep,
) -> Callable[P, R] | Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorator that repeats a function if the database failed; used with or without arguments.

    Only SQLAlchemy's `OperationalError` is retried: lost connections, deadlocks, serialization failures.

    Args:
        max_retries: attempts after the first one.
        backoff_in_seconds: pause before the second attempt; up to a second of jitter is added to each pause.
        backoff_factor: factor by which each pause is longer than the one before.
        sleep: pauses; replaced in tests.
    """

    def decorate(function: Callable[P, R], retries: int = MAX_RETRIES) -> Callable[P, R]:
        @wraps(function)
        def repeated(*args: P.args, **kwargs: P.kwargs) -> R:
            from sqlalchemy.exc import OperationalError

            for attempt in range(retries):
                try:
                    return function(*args, **kwargs)
                except OperationalError:  # noqa: PERF203  an attempt that fails costs a pause
                    sleep(pause(attempt, backoff_in_seconds, backoff_factor, random.random()))
            return function(*args, **kwargs)

        return repeated

    if callable(max_retries):
        return decorate(max_retries)
    retries = max_retries
    return lambda function: decorate(function, retries)


def pause(attempt: int, backoff: float, factor: float, jitter: float) -> float:
    """Seconds to wait after failed attempt number `attempt`, counted from 0."""
    return backoff * factor**attempt + jitter


def _secret_name() -> str:
    if arn := os.environ.get("DB_CONNECT_INFO_SECRET_ARN"):
        return arn
    if prefix := os.environ.get("PREFIX"):
        return f"{prefix}-orca-db-login-secret"
    raise ConfigurationError("no secret is named: pass its ARN, or set DB_CONNECT_INFO_SECRET_ARN or PREFIX")


def _secret(name: str, region: str) -> str:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    client = boto3.session.Session().client("secretsmanager", region_name=region)
    try:
        return str(client.get_secret_value(SecretId=name)["SecretString"])
    except KeyError:
        raise ConfigurationError(f"the secret {name} is not text") from None
    except (BotoCoreError, ClientError) as error:
        raise ConfigurationError(f"the secret {name} cannot be read: {error}") from error


def _engine(config: Mapping[str, str], role: str, database: str) -> "Engine":
    from sqlalchemy import URL, create_engine

    url = URL.create(
        "postgresql+psycopg2",
        username=config[f"{role}_username"],
        password=config[f"{role}_password"],
        host=config["host"],
        port=int(config["port"]),
        database=database,
    )
    # Parameters are contents of rows, and errors are logged: hide them.
    return create_engine(url, hide_parameters=True, pool_pre_ping=True)
