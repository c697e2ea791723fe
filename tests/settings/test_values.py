"""Values of settings: blanks and newlines at their ends, and several URLs of one queue."""

from pathlib import Path

import pytest

from orca_daemon.settings import SettingsError, load
from orca_daemon.wire.queue_url import identity

QUEUE = "https://sqs.us-west-2.amazonaws.com/123456789012/q"


@pytest.mark.parametrize("end", ["\n", " ", "\r\n", "\t\n"], ids=["LF", "blank", "CRLF", "tab"])
def test_blanks_and_newlines_at_the_ends_of_a_value_are_ignored(end: str) -> None:
    settings = load(
        None,
        {
            "STATUS_UPDATE_QUEUE_URL": QUEUE + end,
            "ORCA_QUEUES__RECOVERY__URL": f" {QUEUE}2/{end}",
            "DATABASE_URL": f"postgresql://a:b@h/d{end}",
            "ORCA_EXPORT__BUCKET": "b" + end,
            "AWS_REGION": "us-west-2" + end,
            "ORCA_COPIES__FILES": "3" + end,
            "BUCKET_MAP": '{"other": "b"}' + end,
        },
    )
    assert [queue.url for queue in settings.bound.values()] == [QUEUE, f"{QUEUE}2"]
    assert settings.database.url
    assert settings.database.url.get_secret_value() == "postgresql://a:b@h/d"
    assert (settings.export.bucket, settings.aws.region, settings.copies.files) == ("b", "us-west-2", 3)
    assert settings.recovery.bucket_map == {"other": "b"}


def test_a_password_keeps_its_blanks_and_loses_its_newline(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text(f'[database]\nhost = " h "\npassword = " p "\n[queues.status_update]\nurl = "{QUEUE} "\n')
    for environ, expected in (({}, " p "), ({"DATABASE_PASSWORD": " p \r\n"}, " p ")):
        database = load(file, environ).database
        assert database.password
        assert (database.host, database.password.get_secret_value()) == ("h", expected)


def test_values_of_lists_and_flags_are_trimmed(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text('[recovery]\ndata_extensions = [" .nc", ".h5\\n"]\n')
    settings = load(file, {}, {"export.bucket": "b\n"}, need_queue=False)
    assert settings.recovery.data_extensions == (".nc", ".h5")
    assert settings.export.bucket == "b"


@pytest.mark.parametrize(
    "url",
    [
        QUEUE + "/",
        "https://SQS.us-west-2.amazonaws.com/123456789012/q",
        "https://sqs.us-west-2.amazonaws.com:443/123456789012/q",
        "https://us-west-2.queue.amazonaws.com/123456789012/q",
        "https://sqs-fips.us-west-2.amazonaws.com/123456789012/q",
        "https://sqs.us-west-2.api.aws/123456789012/q",
        "https://vpce-1-a.sqs.us-west-2.vpce.amazonaws.com/123456789012/q",
    ],
    ids=["slash", "capitals", "port", "legacy", "FIPS", "dual stack", "VPC"],
)
def test_two_urls_of_one_queue_are_a_mistake(url: str) -> None:
    with pytest.raises(SettingsError, match="two queues have the same URL"):
        load(None, {"STATUS_UPDATE_QUEUE_URL": QUEUE, "ORCA_QUEUES__OTHER__URL": url})


@pytest.mark.parametrize(
    "other",
    [
        "https://sqs.us-east-1.amazonaws.com/123456789012/q",
        "https://sqs.us-west-2.amazonaws.com/999999999999/q",
        "https://sqs.us-west-2.amazonaws.com/123456789012/Q",
        "http://localhost:4566/123456789012/q",
    ],
    ids=["region", "account", "name", "host"],
)
def test_urls_of_different_queues_are_accepted(other: str) -> None:
    assert identity(other) != identity(QUEUE)
    load(None, {"STATUS_UPDATE_QUEUE_URL": QUEUE, "ORCA_QUEUES__OTHER__URL": other})


def test_the_endpoint_without_a_region_is_that_of_us_east_1() -> None:
    assert identity("https://queue.amazonaws.com/1/q") == identity("https://sqs.us-east-1.amazonaws.com/1/q")


@pytest.mark.parametrize(
    "name", ["ORCA_QUEUES__STATUS_UPDATE__URL", "ORCA_RECOVERY__STATUS_URL", "ORCA_AWS__SQS_ENDPOINT_URL"]
)
def test_a_url_with_a_password_is_refused_without_repeating_it(name: str) -> None:
    with pytest.raises(SettingsError, match="must be a URL without a user and a password") as caught:
        load(environ={"ORCA_QUEUES__RECOVERY__URL": f"{QUEUE}2", name: "http://me:secret@127.0.0.1:4566/1/q"})
    assert "secret" not in str(caught.value)
