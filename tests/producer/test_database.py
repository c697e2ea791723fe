"""The database functions, on a real Secrets Manager over HTTP and a real Postgres."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import boto3
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import IntegrityError, OperationalError

from orca_daemon.producer import database
from orca_daemon.producer.database import ConfigurationError, retry_operational_error

PASSWORD = "pä:ss/w@rd"


@pytest.fixture
def secret(environment: None) -> Callable[..., str]:
    """Makes a secret with this content and name, and returns its ARN."""

    def make(content: object, name: str = "") -> str:
        client = boto3.client("secretsmanager", region_name="us-west-2")
        string = content if isinstance(content, str) else json.dumps(content)
        return str(client.create_secret(Name=name or uuid4().hex, SecretString=string)["ARN"])

    return make


def secret_for(url: str) -> dict[str, str]:
    """ORCA's secret for the database at this URL."""
    parts = make_url(url)
    return {
        "admin_database": "postgres",
        "admin_username": parts.username or "",
        "admin_password": parts.password or PASSWORD,
        "user_username": parts.username or "",
        "user_password": parts.password or PASSWORD,
        "user_database": parts.database or "",
        "host": str(parts.host or parts.query.get("host")),
        "port": str(parts.port or 5432),
    }


EXAMPLE = secret_for("postgresql://somebody:secret@db.invalid:5433/orca")


def test_the_secret_is_named_by_argument_by_arn_or_by_prefix(
    secret: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = uuid4().hex
    arn = secret({**EXAMPLE, "more": 1}, f"{prefix}-orca-db-login-secret")
    assert database.get_configuration(arn) == EXAMPLE
    monkeypatch.setenv("PREFIX", prefix)
    assert database.get_configuration() == EXAMPLE
    monkeypatch.setenv("PREFIX", "another")
    monkeypatch.setenv("DB_CONNECT_INFO_SECRET_ARN", arn)
    assert database.get_configuration() == EXAMPLE


def test_an_error_of_the_configuration_names_the_reason_and_no_secret(
    secret: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFIX", raising=False)
    monkeypatch.delenv("DB_CONNECT_INFO_SECRET_ARN", raising=False)
    with pytest.raises(ConfigurationError, match="no secret is named"):
        database.get_configuration()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        database.get_configuration("nothing")
    for content in ({"user_password": PASSWORD}, [PASSWORD], f"{PASSWORD}"):
        with pytest.raises(ConfigurationError) as raised:
            database.get_configuration(secret(content))
        assert PASSWORD not in str(raised.value)
    monkeypatch.delenv("AWS_REGION")
    with pytest.raises(ValueError, match="AWS_REGION"):
        database.get_configuration("nothing")


def test_engines_connect_with_the_given_settings(empty_database: str) -> None:
    config = secret_for(empty_database)
    user = database.get_user_connection(config)
    admin = database.get_admin_connection(config)
    admin_elsewhere = database.get_admin_connection(config, config["user_database"])
    names = []
    for engine in (user, admin, admin_elsewhere):
        with engine.begin() as connection:
            names.append(connection.execute(text("SELECT current_database()")).scalar_one())
        engine.dispose()
    assert names == [config["user_database"], "postgres", config["user_database"]]


def test_an_engine_shows_no_password() -> None:
    engine = database.get_user_connection({**EXAMPLE, "user_password": PASSWORD})
    assert engine.url.password == PASSWORD
    assert PASSWORD not in f"{engine!r} {engine.url}"


class Failing:
    """A function that fails `times` times before it succeeds."""

    def __init__(self, error: Exception, times: int) -> None:
        self.error, self.left, self.calls = error, times, 0

    def __call__(self, answer: str = "done") -> str:
        """Fail, or return `answer`."""
        self.calls += 1
        if self.left:
            self.left -= 1
            raise self.error
        return answer


OPERATIONAL = OperationalError("SELECT", {}, Exception("lost"))


@pytest.mark.parametrize(("times", "calls"), [(0, 1), (1, 2), (3, 4)])
def test_a_lost_connection_is_retried_with_growing_pauses(times: int, calls: int) -> None:
    pauses: list[float] = []
    failing = Failing(OPERATIONAL, times)
    decorated = retry_operational_error(sleep=pauses.append)(failing.__call__)
    assert decorated(answer="yes") == "yes"
    assert failing.calls == calls
    assert all(base <= pause < base + 1 for base, pause in zip((1, 2, 4), pauses, strict=False))
    assert len(pauses) == times


def test_after_the_last_attempt_the_error_is_raised() -> None:
    pauses: list[float] = []
    failing = Failing(OPERATIONAL, 99)
    with pytest.raises(OperationalError):
        retry_operational_error(2, 10, 3, sleep=pauses.append)(failing.__call__)()
    assert failing.calls == 3
    assert [int(pause) for pause in pauses] == [10, 30]


@pytest.mark.parametrize("error", [ValueError(), IntegrityError("INSERT", {}, Exception("twice"))])
def test_other_errors_are_raised_at_once(error: Exception) -> None:
    failing = Failing(error, 1)
    with pytest.raises(type(error)):
        retry_operational_error(sleep=lambda _: pytest.fail("paused"))(failing.__call__)()
    assert failing.calls == 1


def test_the_decorator_needs_no_arguments() -> None:
    @retry_operational_error
    def plain(number: int) -> int:
        """Documented."""
        return number + 1

    @retry_operational_error()
    def called(number: int) -> int:
        return number + 2

    @retry_operational_error(max_retries=1, backoff_in_seconds=0, backoff_factor=1)
    def reported(number: int, *, more: Any = 0) -> int:
        return number + 3

    assert [plain(1), called(1), reported(1, more=1)] == [2, 3, 4]
    assert plain.__doc__ == "Documented."
