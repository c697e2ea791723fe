"""Catalog records are sent with the bytes, the group and the ids of ORCA's own producer."""

import hashlib
import json
import re
from datetime import datetime
from typing import Any

import pytest

from orca_daemon import producer
from orca_daemon.wire.wire_model import MalformedError
from tests.producer.conftest import Queue
from tests.queues.catalog.messages import NOON, body, file

UNREACHABLE = "https://nowhere.invalid/q"
GROUP = r"metadata_message-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


def sent(message: dict[str, Any]) -> tuple[str, str, str]:
    attributes = message["Attributes"]
    return message["Body"], attributes["MessageGroupId"], attributes["MessageDeduplicationId"]


def test_a_record_is_sent_with_the_bytes_and_ids_of_orca(fifo: Queue) -> None:
    document = body(file("d/é.h5"))
    producer.post_to_metadata_queue(document, fifo.url)
    (message,) = fifo.take()
    text, group, deduplication = sent(message)
    assert text == json.dumps(document)
    assert re.fullmatch(GROUP, group)
    assert deduplication == hashlib.sha256(text.encode()).hexdigest()
    assert "MessageAttributes" not in message


def test_every_record_has_a_group_of_its_own(fifo: Queue) -> None:
    results = producer.post_all_to_metadata_queue(
        [body(granule_id=f"g{number}") for number in range(12)], fifo.url
    )
    assert [result.error for result in results] == [None] * 12
    assert len({sent(message)[1] for message in fifo.take(12)}) == 12


def test_times_may_be_datetimes(fifo: Queue) -> None:
    producer.post_to_metadata_queue(body(lastUpdate=datetime.fromisoformat(NOON)), fifo.url)
    (message,) = fifo.take()
    assert json.loads(message["Body"])["granule"]["lastUpdate"] == NOON


def test_what_the_daemon_would_reject_is_not_sent() -> None:
    with pytest.raises(MalformedError, match=r"granule\.files\[0\]\.sizeInBytes is not an integer"):
        producer.post_to_metadata_queue(body(file(sizeInBytes="6")), UNREACHABLE)
    with pytest.raises(ValueError, match="cumulusGranuleId is missing"):
        producer.post_all_to_metadata_queue([body(), {**body(), "granule": {"files": []}}], UNREACHABLE)
