"""The address of the database: from a URL, from secrets of ORCA and of RDS, from parts."""

from typing import Any

import pytest

from orca_daemon.db.address import AddressError, DatabaseAddress, parse, resolve
from orca_daemon.db.database import Database
from orca_daemon.engine.errors import DependencyDown, NotYet, Reject
from orca_daemon.settings import DatabaseSection as DatabaseSettings
from tests.db.conftest import Secret

ORCA = {
    "admin_database": "postgres", "admin_username": "admin", "admin_password": "apw", "user_username": "app",
    "user_password": "upw", "user_database": "orca", "host": "h", "port": "5433",
}  # fmt: skip
RDS = {
    "engine": "postgres",
    "host": "h",
    "port": 5433,
    "username": "app",
    "password": "upw",
    "dbname": "orca",
}
APP = DatabaseAddress("h", 5433, "orca", "app", "upw")


def settings(**values: Any) -> DatabaseSettings:
    return DatabaseSettings(**values)


@pytest.mark.parametrize(
    ("values", "secret", "expected"),
    [
        pytest.param({"secret_arn": "arn"}, ORCA, APP, id="secret of ORCA"),
        pytest.param({"secret_arn": "arn"}, RDS, APP, id="secret of RDS"),
        pytest.param(
            {"secret_arn": "arn", "host": "h", "port": 5433, "name": "orca"},
            {"username": "app", "password": "upw"},
            APP,
            id="secret that RDS manages, which has no host",
        ),
        pytest.param(
            {"secret_arn": "arn", "host": "proxy", "port": 5432},
            ORCA,
            DatabaseAddress("proxy", 5432, "orca", "app", "upw"),
            id="settings over the secret",
        ),
        pytest.param(
            {
                "host": "ssm:host",
                "port": "ssm:port",
                "name": "orca",
                "user": "secret:x#user",
                "password": "secret:x#pw",
            },
            {"host": "h", "port": 5433, "user": "app", "pw": "upw"},
            APP,
            id="parts that name parameters and secrets",
        ),
        pytest.param(
            {"host": "h", "port": 5433, "name": "orca", "user": "app", "password": "upw"}, {}, APP, id="parts"
        ),
        pytest.param({"url": "postgresql://app:upw@h:5433/orca"}, {}, APP, id="URL"),
        pytest.param(
            {"url": "postgres://app:u%40w@h/orca"},
            {},
            DatabaseAddress("h", 5432, "orca", "app", "u@w"),
            id="escaped",
        ),
        pytest.param(
            {"url": "ssm:url"}, {"url": "postgresql://app:upw@h:5433/orca"}, APP, id="URL in a parameter"
        ),
    ],
)
async def test_is_read(values: dict[str, Any], secret: dict[str, Any], expected: DatabaseAddress) -> None:
    assert await resolve(settings(**values), Secret(**secret)) == expected


async def test_a_prefix_names_orcas_secret() -> None:
    secret = Secret(**ORCA)
    assert await resolve(settings(prefix="dev"), secret) == APP
    assert secret.asked_for == ["dev-orca-db-login-secret"]


async def test_the_owner_is_the_administrator_in_the_applications_database() -> None:
    assert await resolve(settings(prefix="dev"), Secret(**ORCA), owner=True) == DatabaseAddress(
        "h", 5433, "orca", "admin", "apw"
    )
    assert await resolve(settings(prefix="dev"), Secret(**RDS), owner=True) == APP


@pytest.mark.parametrize(
    ("values", "secret", "reported"),
    [
        ({"host": "h"}, {}, "database, user"),
        ({"secret_arn": "arn"}, {"host": "h", "user_password": "hunter2"}, "database, user"),
        ({"secret_arn": "arn"}, ORCA | {"port": "many"}, "port"),
        ({"url": "no url with hunter2"}, {}, "cannot be understood"),
        ({"url": "mysql://app:hunter2@h/orca"}, {}, "not that of a Postgres"),
        ({"url": "postgresql://app:pass@hunter2@h/orca"}, {}, "in the password as %40"),
        ({"url": "postgresql://app:pass@word:hunter2@h/orca"}, {}, "in the password as %40"),
        ({"url": "postgresql://app:hunter2%00@h/orca"}, {}, "holds a NUL"),
        ({"url": "postgresql://app:hunter2@h/orca?sslmode=%00"}, {}, "holds a NUL"),
        ({"secret_arn": "arn"}, ORCA | {"user_password": "hunter2\0"}, "holds a NUL"),
    ],
)
async def test_mistakes_are_reported_without_values(
    values: dict[str, Any], secret: dict[str, Any], reported: str
) -> None:
    with pytest.raises(AddressError, match=reported) as caught:
        await resolve(settings(**values), Secret(**secret))
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


async def test_a_secret_without_aws_is_a_mistake() -> None:
    with pytest.raises(AddressError, match="no AWS"):
        await resolve(settings(prefix="dev"), None)


def test_the_password_is_in_no_repr() -> None:
    address = parse("postgresql://app:hunter2@h/orca?password=hunter2")
    values = settings(url="postgresql://app:hunter2@h/orca", password="hunter2")
    assert "hunter2" not in f"{address!r} {address} {values!r} {values} {Database(values)!r}"


class Refusing:
    """A secret that AWS does not return."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def secret(self, _name: str) -> str:
        raise self.error

    parameter = secret


async def test_a_missing_secret_is_an_error_and_an_unreachable_one_is_waited_for() -> None:
    missing = Database(
        settings(prefix="dev"), Refusing(Reject("ResourceNotFoundException on GetSecretValue"))
    )
    with pytest.raises(AddressError, match="ResourceNotFoundException"):
        await missing.probe()
    late = Database(settings(prefix="dev"), Refusing(NotYet("ThrottlingException on GetSecretValue")))
    with pytest.raises(DependencyDown, match="ThrottlingException"):
        await late.probe()
