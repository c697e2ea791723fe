"""Values of ORCA's variables that its Lambdas accept: the daemon corrects them and reports that."""

import pytest

from orca_daemon.settings import SettingsError, load

QUEUE = {"STATUS_UPDATE_QUEUE_URL": "http://h/1/q.fifo"}


def used(**environ: str) -> tuple[object, list[tuple[object, ...]]]:
    """The setting that this variable sets, and the corrections."""
    settings = load(None, QUEUE | environ)
    corrections: list[tuple[object, ...]] = [
        (each.variable, each.given, each.used) for each in settings.corrections
    ]
    (name,) = environ
    values = {
        "LOG_LEVEL": settings.log.level,
        "COPY_RETRIES": settings.copies.attempts,
        "COPY_RETRY_SLEEP_SECS": settings.copies.retry_sleep,
        "DEFAULT_MULTIPART_CHUNKSIZE_MB": settings.copies.chunk_mib,
        "DEFAULT_MAX_CONCURRENCY": settings.copies.parts,
        "INTERNAL_RECONCILIATION_EXPIRATION_DAYS": settings.reconcile.expire_days,
    }
    return values[name.upper()], corrections


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("LOG_LEVEL", "WARN", "warning"),
        ("LOG_LEVEL", "warn", "warning"),
        ("LOG_LEVEL", "FATAL", "critical"),
        ("LOG_LEVEL", "NOTSET", "debug"),
        ("LOG_LEVEL", "30", "warning"),
        ("LOG_LEVEL", "15", "info"),
        ("LOG_LEVEL", "99", "critical"),
        ("COPY_RETRIES", "0", 1),
        ("COPY_RETRIES", "-3", 1),
        ("COPY_RETRIES", "2.9", 2),
        ("copy_retries", "0", 1),
        ("COPY_RETRY_SLEEP_SECS", "-1", 0.0),
        ("COPY_RETRY_SLEEP_SECS", "nan", 0.0),
        ("COPY_RETRY_SLEEP_SECS", "inf", 0.0),
        ("DEFAULT_MULTIPART_CHUNKSIZE_MB", "1", 5),
        ("DEFAULT_MULTIPART_CHUNKSIZE_MB", "6000", 5120),
        ("DEFAULT_MULTIPART_CHUNKSIZE_MB", "250.5", 250),
        ("DEFAULT_MAX_CONCURRENCY", "0", 1),
        ("INTERNAL_RECONCILIATION_EXPIRATION_DAYS", "0", 0),
        ("INTERNAL_RECONCILIATION_EXPIRATION_DAYS", "-1", 0),
    ],
)
def test_a_value_out_of_range_is_corrected_and_reported(name: str, given: str, expected: object) -> None:
    assert used(**{name: given}) == (expected, [(name, given, expected)])


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("LOG_LEVEL", "Warning", "warning"),
        ("LOG_LEVEL", " INFO\n", "info"),
        ("COPY_RETRIES", " 3\n", 3),
        ("COPY_RETRIES", "+3", 3),
        ("COPY_RETRIES", "1_0", 10),
        ("COPY_RETRIES", "3.0", 3),
        ("COPY_RETRY_SLEEP_SECS", "0", 0.0),
        ("COPY_RETRY_SLEEP_SECS", "1.5", 1.5),
        ("INTERNAL_RECONCILIATION_EXPIRATION_DAYS", "30", 30),
    ],
    ids=repr,
)
def test_another_spelling_of_a_valid_value_is_not_reported(name: str, given: str, expected: object) -> None:
    assert used(**{name: given}) == (expected, [])


@pytest.mark.parametrize(
    "environ",
    [
        {"LOG_LEVEL": "loud"},
        {"COPY_RETRIES": "three"},
        {"COPY_RETRIES": "1e999"},
        {"COPY_RETRY_SLEEP_SECS": "soon"},
        {"ORCA_COPIES__ATTEMPTS": "0"},
        {"ORCA_LOG__LEVEL": "WARN"},
        {"ORCA_COPIES__CHUNK_MIB": "1"},
        {"ORCA_HTTP__HOST": " "},
    ],
    ids=lambda environ: next(iter(environ.items())).__repr__(),
)
def test_values_that_orca_cannot_read_and_wrong_values_of_our_own_names_are_mistakes(
    environ: dict[str, str],
) -> None:
    with pytest.raises(SettingsError):
        load(None, QUEUE | environ)


def test_the_correction_of_a_value_that_is_not_used_is_not_reported() -> None:
    settings = load(
        None,
        QUEUE | {"COPY_RETRIES": "0", "ORCA_COPIES__ATTEMPTS": "7", "LOG_LEVEL": "WARN"},
        {"log.level": "info"},
    )
    assert (settings.copies.attempts, settings.log.level, settings.corrections) == (7, "info", ())


def test_an_empty_variable_is_ignored() -> None:
    assert load(None, QUEUE | {"COPY_RETRIES": " ", "copy_retries": "4"}).copies.attempts == 4
