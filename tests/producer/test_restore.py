"""Restore requests of other programs: what is sent, and what is refused before it is sent."""

import json
from typing import Any
from uuid import UUID

import pytest

from orca_daemon.producer import post_restore_request
from orca_daemon.wire.restore import RestoreFile, Tier, decode
from tests.producer.conftest import Queue

GRANULE: dict[str, Any] = {
    "collectionId": "MOD09GQ___061",
    "granuleId": "G",
    "keys": [{"key": "d/g.hdf", "destBucket": "protected"}],
    "ours": 1,
}


def test_a_request_is_sent_as_orcas_workflow_sends_it(standard: Queue) -> None:
    job = post_restore_request(
        [GRANULE], standard.url, job_id="op-1", archive="archive", tier="Bulk", days=9, chunk_mib=8
    )

    (message,) = standard.take()
    assert job == "op-1"
    assert json.loads(message["Body"]) == {
        "input": {"granules": [GRANULE]},
        "config": {
            "asyncOperationId": "op-1",
            "defaultBucketOverride": "archive",
            "defaultRecoveryTypeOverride": "Bulk",
            "s3MultipartChunksizeMb": 8,
            "expireDays": 9,
        },
    }
    request = decode(message["Body"])
    assert (request.job_id, request.bucket, request.tier, request.days) == ("op-1", "archive", Tier.BULK, 9)
    assert [file for _, file in request.files] == [RestoreFile(key="d/g.hdf", destination="protected")]


def test_a_request_without_a_job_gets_a_new_one(standard: Queue) -> None:
    first, second = (post_restore_request([GRANULE], standard.url) for _ in range(2))

    assert UUID(first) != UUID(second)
    assert [decode(message["Body"]).job_id for message in standard.take()] == [first, second]


def test_on_a_fifo_queue_requests_have_groups_of_their_own(fifo: Queue) -> None:
    for job in ("a", "b", "a"):
        post_restore_request([GRANULE], fifo.url, job_id=job)

    sent = fifo.take()
    assert [decode(message["Body"]).job_id for message in sent] == ["a", "b"]
    assert len({message["Attributes"]["MessageGroupId"] for message in sent}) == 2


@pytest.mark.parametrize(
    ("granules", "options"),
    [
        ([{"granuleId": "G"}], {}),
        ([GRANULE, GRANULE], {}),
        ([GRANULE], {"tier": "Fast"}),
        ([GRANULE], {"days": 0}),
        ([GRANULE], {"archive": "no bucket"}),
    ],
    ids=["no keys", "twice", "tier", "days", "archive"],
)
def test_what_the_daemon_would_reject_is_not_sent(
    standard: Queue, granules: list[dict[str, Any]], options: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="not a valid"):
        post_restore_request(granules, standard.url, **options)
    assert standard.take() == []
