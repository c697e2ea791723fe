"""Queues by name or URL, clients for them, and the check before the first send."""

import os

import pytest

from orca_daemon.operations.errors import UnknownQueueError
from orca_daemon.operations.sending import count_checked, queue_url, sqs_client
from orca_daemon.settings import SettingsError, load
from orca_daemon.wire.outgoing import LARGEST_MESSAGE, Outgoing
from orca_daemon.wire.wire_model import MalformedError

URL = "https://sqs.us-west-2.amazonaws.com/1/status"
SETTINGS = load(None, {"STATUS_UPDATE_QUEUE_URL": URL}, need_queue=False)


def test_a_queue_is_named_as_in_the_settings_or_by_its_url() -> None:
    assert queue_url(SETTINGS, "status_update") == URL
    assert queue_url(SETTINGS, "http://127.0.0.1:9/0/q") == "http://127.0.0.1:9/0/q"


@pytest.mark.parametrize("queue", ["recovery", "anything"])
def test_the_error_for_a_queue_without_url_names_the_queues_that_have_one(queue: str) -> None:
    with pytest.raises(UnknownQueueError, match=rf"no queue '{queue}' has a URL .*: status_update$"):
        queue_url(SETTINGS, queue)


def test_the_region_of_the_url_is_preferred_to_that_of_the_settings() -> None:
    settings = load(None, {"AWS_REGION": "us-west-2"}, need_queue=False)
    near, far = "http://127.0.0.1:9/0/q", "https://sqs.eu-west-1.amazonaws.com/1/q"
    assert [sqs_client(settings, url).meta.region_name for url in (near, far)] == ["us-west-2", "eu-west-1"]


def test_a_client_without_region_is_an_error_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    settings = load(None, {}, need_queue=False)
    with pytest.raises(SettingsError, match="no AWS region is known"):
        sqs_client(settings, "http://127.0.0.1:9/0/q")


def test_messages_are_counted_until_one_is_too_large() -> None:
    small, large = Outgoing(body="{}"), Outgoing(body="x" * (LARGEST_MESSAGE + 1))
    assert count_checked([]) == 0
    assert count_checked([small, small]) == 2
    with pytest.raises(MalformedError, match=f"message 2 has {LARGEST_MESSAGE + 1:,} bytes"):
        count_checked([small, large])
