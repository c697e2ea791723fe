"""S3 events: which rows wait for the object, which copies are made, and when a message waits."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote_plus

import pytest
from types_boto3_s3 import S3Client

from orca_daemon.engine.errors import DependencyDown, NotYet, Reject
from tests.aws.s3copy.faulty import Fault, Faulty
from tests.queues.recovery.conftest import SENT, Job, World

MakeBucket = Callable[[], str]
KEY = "d/g.h5"
GRACE = 900


def record(bucket: str, key: str = KEY, name: str = "ObjectRestore:Completed") -> dict[str, Any]:
    return {
        "eventSource": "aws:s3",
        "eventName": name,
        "s3": {"bucket": {"name": bucket}, "object": {"key": quote_plus(key, safe="/")}},
    }


def event(*records: dict[str, Any]) -> dict[str, Any]:
    return {"Records": list(records)}


def synthetic(bucket: str, key: str) -> dict[str, Any]:
    return {"s3": {"bucket": {"name": bucket}, "object": {"key": key}}}


@pytest.fixture
def archive(s3: S3Client, bucket: MakeBucket) -> str:
    """A bucket with one restored object."""
    name = bucket()
    put_restored(s3, name, KEY)
    return name


def put_restored(s3: S3Client, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode(), StorageClass="GLACIER")
    s3.restore_object(Bucket=bucket, Key=key, RestoreRequest={"Days": 1})


def keys(s3: S3Client, bucket: str) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


async def test_a_pending_row_is_staged_copied_and_succeeds(
    s3: S3Client, world: World, archive: str, bucket: MakeBucket
) -> None:
    there = bucket()
    world.add(Job(archive, KEY, there))
    await world.handle(event(record(archive)))
    assert keys(s3, there) == [KEY]
    assert world.posted() == [("op-1", "g.h5", 2), ("op-1", "g.h5", 4)]
    assert world.count("restore_events_total", outcome="recovered") == 1


async def test_a_staged_row_is_copied_too_so_that_a_crash_in_between_loses_nothing(
    s3: S3Client, world: World, archive: str, bucket: MakeBucket
) -> None:
    there = bucket()
    world.add(Job(archive, KEY, there, status=2))
    await world.handle(event(record(archive)))
    assert keys(s3, there) == [KEY]
    assert world.posted() == [("op-1", "g.h5", 4)]


@pytest.mark.parametrize("status", [3, 4])
async def test_closed_rows_mean_a_duplicate(
    s3: S3Client, world: World, archive: str, bucket: MakeBucket, status: int
) -> None:
    there = bucket()
    world.add(Job(archive, KEY, there, status=status))
    await world.handle(event(record(archive)))
    assert (keys(s3, there), world.posted()) == ([], [])
    assert world.count("restore_events_total", outcome="duplicate") == 1
    assert world.facts == {"outcome": "duplicate"}


async def test_jobs_that_wait_for_one_object_share_a_copy_per_destination(
    world: World, archive: str, bucket: MakeBucket, faulty: Faulty
) -> None:
    one, two = bucket(), bucket()
    world.add(
        Job(archive, KEY, one, job="op-1"),
        Job(archive, KEY, one, job="op-2", status=2),
        Job(archive, KEY, two, job="op-3"),
        Job(archive, KEY, two, job="op-4", status=4),
    )
    await world.handle(event(record(archive)))
    assert faulty.seen.count("CopyObject") == 2
    assert sorted(world.posted()) == [
        ("op-1", "g.h5", 2),
        ("op-1", "g.h5", 4),
        ("op-2", "g.h5", 4),
        ("op-3", "g.h5", 2),
        ("op-3", "g.h5", 4),
    ]


async def test_an_event_that_is_sent_again_recovers_only_rows_that_failed_after_it(
    s3: S3Client, world: World, archive: str, bucket: MakeBucket
) -> None:
    there, elsewhere = bucket(), bucket()
    world.add(Job(archive, KEY, there, status=3), Job(archive, KEY, elsewhere, job="op-2", status=4))
    at = {"eventTime": (datetime.now(UTC) - timedelta(hours=1)).isoformat()}
    await world.handle(event({**record(archive), **at}))
    assert (keys(s3, there), keys(s3, elsewhere)) == ([KEY], [])
    assert world.posted() == [("op-1", "g.h5", 4)]
    later = {"eventTime": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}
    await world.handle(event({**record(archive), **later}))
    assert world.facts == {"outcome": "duplicate"}


async def test_rows_of_the_same_key_in_another_bucket_do_not_match(
    world: World, archive: str, bucket: MakeBucket
) -> None:
    world.add(Job(bucket(), KEY, bucket()))
    with pytest.raises(NotYet, match="no job asked for"):
        await world.handle(event(record(archive)))


async def test_an_event_of_a_restore_that_still_runs_is_acknowledged(
    s3: S3Client, world: World, bucket: MakeBucket, aws_endpoint: str, faulty: Faulty
) -> None:
    archive, there = bucket(), bucket()
    put_restored(s3, archive, KEY)
    world.add(Job(archive, KEY, there))
    faulty.restoring = True
    await world.handle(event(record(archive, name="ObjectRestore:Post")))
    assert (keys(s3, there), world.posted()) == ([], [])
    assert world.count("restore_events_total", outcome="restoring") == 1
    await world.give_up(event(record(archive, name="ObjectRestore:Post")), "whatever")
    assert world.posted() == []


async def test_a_post_event_of_a_restored_object_is_copied(
    s3: S3Client, world: World, archive: str, bucket: MakeBucket
) -> None:
    there = bucket()
    world.add(Job(archive, KEY, there))
    await world.handle(event(record(archive, name="ObjectRestore:Post")))
    assert keys(s3, there) == [KEY]


async def test_an_expired_restore_is_acknowledged(world: World, archive: str, bucket: MakeBucket) -> None:
    world.add(Job(archive, KEY, bucket()))
    await world.handle(event(record(archive, name="ObjectRestore:Delete")))
    assert world.posted() == []
    assert world.count("restore_events_total", outcome="expired") == 1


async def test_other_events_are_rejected_and_close_nothing(
    world: World, archive: str, bucket: MakeBucket
) -> None:
    world.add(Job(archive, KEY, bucket()))
    created = event(record(archive, name="ObjectCreated:Put"))
    with pytest.raises(Reject, match="ObjectCreated:Put is not a restore event"):
        await world.handle(created)
    await world.give_up(created, "rejected")
    assert world.posted() == []


async def test_the_test_of_a_new_subscription_is_acknowledged(world: World) -> None:
    await world.handle({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"})
    assert world.count("restore_events_total", outcome="test") == 1


@pytest.mark.parametrize("key", ["a b/c+d.h5", "ä/漢字 1.nc", "100%/x.h5"])
async def test_keys_of_s3_are_decoded_and_those_of_orca_are_raw(
    s3: S3Client, world: World, bucket: MakeBucket, key: str
) -> None:
    archive, one, two = bucket(), bucket(), bucket()
    put_restored(s3, archive, key)
    world.add(Job(archive, key, one))
    await world.handle(event(record(archive, key)))
    assert keys(s3, one) == [key]
    world.add(Job(archive, key, two, job="op-2"))
    await world.handle(event(synthetic(archive, key)))
    assert keys(s3, two) == [key]


async def test_envelopes_of_sns_and_eventbridge_are_opened(
    s3: S3Client, world: World, archive: str, bucket: MakeBucket
) -> None:
    one, two = bucket(), bucket()
    world.add(Job(archive, KEY, one))
    inner = json.dumps(event(record(archive)))
    await world.handle({"Type": "Notification", "TopicArn": "arn:aws:sns:x:1:t", "Message": inner})
    assert keys(s3, one) == [KEY]
    world.add(Job(archive, KEY, two, job="op-2"))
    await world.handle(
        {
            "source": "aws.s3",
            "detail-type": "Object Restore Completed",
            "detail": {"bucket": {"name": archive}, "object": {"key": KEY}},
        }
    )
    assert keys(s3, two) == [KEY]


async def test_all_records_of_a_body_are_handled_even_if_one_fails(
    s3: S3Client, world: World, archive: str, bucket: MakeBucket
) -> None:
    there = bucket()
    names = [f"d/{number}.h5" for number in range(5)]
    for name in names:
        put_restored(s3, archive, name)
    world.add(*(Job(archive, name, there, granule=name) for name in [*names, "d/gone.h5"]))
    body = event(*(record(archive, name) for name in [*names, *names, "d/gone.h5"]))
    with pytest.raises(Reject, match=r"d/gone\.h5 does not exist$"):
        await world.handle(body)
    assert keys(s3, there) == names
    assert len(world.posted()) == 10
    assert (world.facts["files_copied"], world.facts["files_failed"]) == ("5", "1")
    assert json.loads(world.facts["results"])[0] == {
        "success": False,
        "source_bucket": archive,
        "source_key": "d/gone.h5",
        "target_bucket": there,
        "err_msg": f"s3://{archive}/d/gone.h5 does not exist",
    }
    assert world.facts["outcome"] == "5 recovered"
    await world.give_up(body, "s3://a/d/gone.h5 does not exist")
    assert sorted(world.posted()) == [
        *(("op-1", name.removeprefix("d/"), 4) for name in names),
        ("op-1", "gone.h5", 3),
    ]


async def test_an_event_ahead_of_its_job_waits_without_being_charged(
    make_world: Callable[..., World], s3: S3Client, archive: str, bucket: MakeBucket
) -> None:
    there = bucket()
    early = make_world()
    with pytest.raises(NotYet, match="no job asked for s3://"):
        await early.handle(event(record(archive)), held=GRACE - 1)
    early.add(Job(archive, KEY, there))
    await early.handle(event(record(archive)))
    assert keys(s3, there) == [KEY]


@pytest.mark.parametrize(
    ("received", "held"),
    [(GRACE, 0.0), (0.0, GRACE), (GRACE / 2, GRACE / 2)],
    ids=["on_the_queue", "in_hand", "half_and_half"],
)
async def test_an_event_without_a_job_is_rejected_after_the_grace(
    make_world: Callable[..., World], archive: str, received: float, held: float
) -> None:
    late = make_world()
    with pytest.raises(Reject, match="no job asked for s3://"):
        await late.handle(event(record(archive)), held=held, first_received_at=SENT + received)
    assert late.count("restore_events_total", outcome="unknown") == 1


async def test_an_event_without_a_job_is_routed_by_rule_after_the_grace(
    make_world: Callable[..., World], s3: S3Client, archive: str, bucket: MakeBucket
) -> None:
    there = bucket()
    late = make_world(unknown_keys="route", protected_bucket=there)
    await late.handle(event(record(archive)), held=GRACE)
    assert (keys(s3, there), late.posted()) == ([KEY], [])
    assert late.count("restore_events_total", outcome="routed") == 1


async def test_an_expired_restore_closes_the_rows_that_waited(
    s3: S3Client, world: World, bucket: MakeBucket
) -> None:
    archive = bucket()
    s3.put_object(Bucket=archive, Key=KEY, Body=b"x", StorageClass="GLACIER")
    world.add(Job(archive, KEY, bucket()))
    with pytest.raises(Reject, match="is archived and not restored") as caught:
        await world.handle(event(record(archive)))
    assert world.posted() == []
    await world.give_up(event(record(archive)), str(caught.value))
    assert world.posted() == [("op-1", "g.h5", 3)]


async def test_an_outage_of_s3_has_priority_over_a_rejection_in_the_same_message(
    world: World, archive: str, bucket: MakeBucket, faulty: Faulty
) -> None:
    world.add(Job(archive, KEY, bucket()))
    faulty.fail(Fault(lambda request: "d/down" in request.path, cut=True))
    with pytest.raises(DependencyDown):
        await world.handle(event(record(archive, "d/gone"), record(archive, "d/down")))


async def test_two_events_of_one_object_at_one_time_make_one_copy(
    world: World, archive: str, bucket: MakeBucket, faulty: Faulty
) -> None:
    world.add(Job(archive, KEY, bucket()))
    await asyncio.gather(*(world.handle(event(record(archive)), id=f"m-{n}") for n in range(3)))
    assert faulty.seen.count("CopyObject") == 1
