"""Settings limit the buckets of copies: requests for others are rejected and reported as FAILED."""

from collections.abc import Callable
from typing import Any

import pytest
from types_boto3_s3 import S3Client

from orca_daemon.engine.errors import Reject
from orca_daemon.settings.buckets import CopyRules
from tests.aws.s3copy.faulty import Faulty
from tests.queues.recovery.conftest import Job, World
from tests.queues.recovery.test_events import KEY, event, keys, put_restored, record
from tests.queues.recovery.test_requests import request

MakeBucket = Callable[[], str]


@pytest.fixture
def archive(s3: S3Client, bucket: MakeBucket) -> str:
    name = bucket()
    put_restored(s3, name, KEY)
    return name


async def refused(world: World, body: dict[str, Any], faulty: Faulty) -> str:
    """The reason of the rejection; neither the rejection nor the report of it may call S3."""
    faulty.seen.clear()
    with pytest.raises(Reject) as caught:
        await world.handle(body)
    assert world.posted() == []
    await world.give_up(body, str(caught.value))
    assert faulty.seen == []
    return str(caught.value)


async def test_a_request_may_not_plant_a_file_among_exports(
    make_world: Callable[..., World], archive: str, bucket: MakeBucket, faulty: Faulty
) -> None:
    exports = bucket()
    world = make_world(rules=CopyRules(export=exports))
    reason = await refused(world, request(archive, exports, KEY), faulty)
    assert reason == f"nothing is copied to {exports}: it holds exports (export.bucket)"
    assert world.posted() == [("op-1", "g.h5", 3)]


async def test_a_request_may_not_copy_an_export_to_another_bucket(
    s3: S3Client, make_world: Callable[..., World], bucket: MakeBucket, faulty: Faulty
) -> None:
    exports, public = bucket(), bucket()
    s3.put_object(Bucket=exports, Key=KEY, Body=b"rows")
    # The object is in the target already: SUCCESS would reveal the content of a bucket that may not be read.
    s3.put_object(Bucket=public, Key=KEY, Body=b"rows")
    world = make_world(rules=CopyRules(export=exports))
    await refused(world, request(exports, public, KEY), faulty)
    [post] = world.read_posts()
    assert post["errorMessage"] == f"nothing is copied from {exports}: it holds exports (export.bucket)"


async def test_a_request_may_not_overwrite_the_archive(
    make_world: Callable[..., World], archive: str, bucket: MakeBucket, faulty: Faulty
) -> None:
    world = make_world(rules=CopyRules(sources=(archive,)))
    reason = await refused(world, request(archive, archive, KEY, targetKey="d/other.h5"), faulty)
    assert "copies.sources" in reason
    assert world.posted() == [("op-1", "g.h5", 3)]


async def test_a_row_may_not_name_another_destination(
    s3: S3Client, make_world: Callable[..., World], archive: str, bucket: MakeBucket, faulty: Faulty
) -> None:
    allowed, other = bucket(), bucket()
    world = make_world(rules=CopyRules(sources=(archive,), targets=(allowed,)))
    world.add(Job(archive, KEY, allowed), Job(archive, KEY, other, job="op-2"))
    with pytest.raises(Reject, match=r"copies\.targets does not name it") as caught:
        await world.handle(event(record(archive)))
    assert (keys(s3, allowed), keys(s3, other)) == ([KEY], [])
    assert world.posted() == [("op-1", "g.h5", 2), ("op-1", "g.h5", 4)]
    await world.give_up(event(record(archive)), str(caught.value))
    assert sorted(world.posted()) == [("op-1", "g.h5", 4), ("op-2", "g.h5", 3)]


async def test_a_row_must_name_a_valid_bucket(make_world: Callable[..., World], archive: str) -> None:
    world = make_world()
    world.add(Job(archive, KEY, ".."))
    with pytest.raises(Reject, match=r"nothing is copied to '\.\.': it is not the name of a bucket"):
        await world.handle(event(record(archive)))


async def test_an_event_of_another_bucket_is_rejected_without_a_call_to_s3(
    make_world: Callable[..., World], archive: str, bucket: MakeBucket, faulty: Faulty
) -> None:
    world = make_world(rules=CopyRules(sources=("my-archive",)))
    world.add(Job(archive, KEY, bucket()))
    reason = await refused(world, event(record(archive)), faulty)
    assert reason == f"nothing is copied from {archive}: copies.sources does not name it"
    assert world.posted() == [("op-1", "g.h5", 3)]


async def test_a_disaster_recovery_keeps_to_the_same_rules(
    make_world: Callable[..., World], archive: str, bucket: MakeBucket, faulty: Faulty
) -> None:
    there = bucket()
    routing = {"database": False, "unknown_keys": "route", "protected_bucket": there}
    foreign = make_world(rules=CopyRules(sources=("my-archive",)), **routing)
    assert "copies.sources" in await refused(foreign, event(record(archive)), faulty)
    elsewhere = make_world(rules=CopyRules(targets=("my-protected",)), **routing)
    with pytest.raises(Reject, match=r"copies\.targets does not name it"):
        await elsewhere.handle(event(record(archive)))


async def test_buckets_that_the_rules_name_are_copied(
    s3: S3Client, make_world: Callable[..., World], archive: str, bucket: MakeBucket
) -> None:
    there = bucket()
    world = make_world(rules=CopyRules(sources=(f"{archive[:8]}*",), targets=(there,), export="exports"))
    await world.handle(request(archive, there, KEY))
    assert keys(s3, there) == [KEY]


async def test_a_key_like_a_path_stays_in_its_bucket(
    s3: S3Client, make_world: Callable[..., World], archive: str, bucket: MakeBucket
) -> None:
    there, exports = bucket(), bucket()
    world = make_world(rules=CopyRules(export=exports))
    await world.handle(request(archive, there, KEY, targetKey=f"../{exports}/recovery_file/9998.parquet"))
    assert keys(s3, exports) == []
    assert keys(s3, there) == [f"../{exports}/recovery_file/9998.parquet"]
