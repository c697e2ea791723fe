"""The variables that ORCA documented in 2019 are enough, in the letter case of its documents."""

import pytest

from orca_daemon.settings import Settings, SettingsError, load

RECOVERY = {"RECOVERY_QUEUE_URL": "http://h/1/q"}
STATUS = {"STATUS_UPDATE_QUEUE_URL": "http://h/1/status.fifo"}
RULE = {"protected_bucket": "protected", "public_bucket": "public"}
DATABASE = {"DATABASE_PORT": "5433", "DATABASE_NAME": "dr", "DATABASE_USER": "app"}


def password(settings: Settings) -> str | None:
    given = settings.database.password
    return None if given is None else given.get_secret_value()


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(RULE | {"copy_retries": "3", "copy_retry_sleep_secs": "0"}, id="all variables"),
        pytest.param(RULE, id="the two buckets"),
        pytest.param({name.upper(): value for name, value in RULE.items()}, id="in capitals"),
        pytest.param({"bucket_map": '{".h5": "protected", "other": "public"}'}, id="a map of extensions"),
    ],
)
def test_a_rule_without_a_database_copies_by_the_rule_and_without_pauses(rule: dict[str, str]) -> None:
    settings = load(None, RECOVERY | rule)
    assert (settings.recovery.unknown_keys, settings.copies.attempts) == ("route", 3)
    assert settings.copies.retry_sleep == 0
    assert settings.missing is None
    assert settings.corrections[0].setting == "recovery.unknown_keys"


@pytest.mark.parametrize(
    "database",
    [
        {"DATABASE_URL": "postgresql://a@h/d"},
        {"DB_CONNECT_INFO_SECRET_ARN": "arn"},
        {"PREFIX": "p"},
        {"DATABASE_HOST": "h"},
        DATABASE,
    ],
    ids=lambda database: next(iter(database)),
)
def test_with_a_database_the_rule_is_not_used_unless_a_setting_says_so(database: dict[str, str]) -> None:
    settings = load(None, RECOVERY | STATUS | RULE | database)
    assert settings.recovery.unknown_keys == "reject"


def test_a_rule_that_is_switched_off_stays_off() -> None:
    with pytest.raises(SettingsError, match="no status queue has a URL"):
        load(None, RECOVERY | RULE | {"ORCA_RECOVERY__UNKNOWN_KEYS": "reject"})


def test_a_database_without_a_host_takes_host_and_password_from_the_two_parameters() -> None:
    settings = load(None, RECOVERY | STATUS | DATABASE)
    database = settings.database
    assert (database.host, password(settings)) == ("ssm:drdb-host", "ssm:drdb-user-pass")
    assert (database.port, database.name, database.user, database.configured) == (5433, "dr", "app", True)
    assert settings.copies.retry_sleep == 0
    assert [(each.setting, each.used) for each in settings.corrections] == [
        ("database.host", "ssm:drdb-host"),
        ("database.password", "ssm:drdb-user-pass"),
        ("copies.retry_sleep", 0.0),
    ]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        pytest.param({"DATABASE_HOST": "h"}, ("h", None), id="a host"),
        pytest.param({"DATABASE_PASSWORD": "p"}, ("ssm:drdb-host", "p"), id="a password"),
        pytest.param({"DB_CONNECT_INFO_SECRET_ARN": "arn"}, (None, None), id="a secret"),
        pytest.param({"PREFIX": "p"}, (None, None), id="a prefix"),
        pytest.param({"ORCA_DATABASE__URL": "postgresql://a@h/d"}, (None, None), id="a URL"),
    ],
)
def test_the_two_parameters_replace_nothing_that_is_set(
    more: dict[str, str], expected: tuple[str | None, str | None]
) -> None:
    settings = load(None, RECOVERY | STATUS | DATABASE | more)
    assert (settings.database.host, password(settings)) == expected


def test_a_name_without_a_user_is_not_completed() -> None:
    assert load(None, STATUS | {"DATABASE_NAME": "dr"}).database.configured is False


def test_a_pause_that_is_set_is_used() -> None:
    settings = load(None, RECOVERY | RULE | {"COPY_RETRY_SLEEP_SECS": "2"})
    assert settings.copies.retry_sleep == 2
