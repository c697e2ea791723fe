"""Disaster recovery: restored objects are copied by a rule, without a database."""

import json
from collections.abc import Callable

import pytest
from types_boto3_s3 import S3Client

from orca_daemon.engine.errors import Reject
from orca_daemon.local.moto import REGION
from orca_daemon.queues.recovery import needs
from orca_daemon.queues.recovery.targets import destination
from orca_daemon.settings import RecoverySection, Settings, load
from tests.queues.recovery.conftest import World
from tests.queues.recovery.daemon import Daemon
from tests.queues.recovery.test_daemon import Queues, queues

__all__ = ["queues"]
MakeBucket = Callable[[], str]
KEY = "MOD09GQ___006/2017/MOD/MOD09GQ.A0219114.N5aUCG.006.0656338553321.h5"
BASE = {"RECOVERY_QUEUE_URL": "http://127.0.0.1/1/recovery", "ORCA_RECOVERY__UNKNOWN_KEYS": "route"}


def rule(**settings: object) -> RecoverySection:
    return RecoverySection.model_validate({"unknown_keys": "route", **settings})


@pytest.mark.parametrize(
    ("key", "bucket"),
    [
        ("d/g.h5", "protected"),
        ("d/g.HDF", "protected"),
        ("d/g.nc", "protected"),
        ("d/g.nc4", "protected"),
        ("d/g.he5", "protected"),
        ("d/g.tif", "protected"),
        ("d/g.h5.xml", "public"),
        ("d/g.h5.cmr.xml", "public"),
        ("d.h5/readme", "public"),
        ("d/.h5", "public"),
    ],
)
def test_data_files_are_protected_and_the_rest_is_public(key: str, bucket: str) -> None:
    assert destination(key, rule(protected_bucket="protected", public_bucket="public")) == bucket


def test_the_map_has_priority_and_other_is_its_fallback() -> None:
    mapped = rule(
        bucket_map={".hdf": "hdf", "TXT": "text", "other": "rest"}, protected_bucket="p", public_bucket="q"
    )
    assert [destination(key, mapped) for key in ("a/b.hdf", "b.txt", "c.H5", "d")] == [
        "hdf",
        "text",
        "rest",
        "rest",
    ]


def test_files_without_a_bucket_are_rejected_and_their_extension_is_named() -> None:
    with pytest.raises(Reject, match=r"no bucket is set for \.txt files"):
        destination("a.txt", rule(bucket_map={".hdf": "hdf"}))
    with pytest.raises(Reject, match="no bucket is set for files without an extension"):
        destination("a/b", rule(protected_bucket="p"))


@pytest.mark.parametrize("case", [str.upper, str.lower])
def test_the_names_of_the_first_disaster_recovery_are_accepted(case: Callable[[str], str]) -> None:
    settings = load(
        environ={
            **BASE,
            case("COPY_RETRIES"): "3",
            case("COPY_RETRY_SLEEP_SECS"): "0",
            case("PROTECTED_BUCKET"): "p",
            case("PUBLIC_BUCKET"): "q",
            case("BUCKET_MAP"): '{".hdf": "h", "other": "o"}',
        }
    )
    assert (settings.copies.attempts, settings.copies.retry_sleep) == (3, 0)
    assert (settings.recovery.protected_bucket, settings.recovery.public_bucket) == ("p", "q")
    assert settings.recovery.bucket_map == {".hdf": "h", "other": "o"}


def test_postgres_is_needed_unless_a_disaster_recovery_has_none() -> None:
    alone = load(environ={**BASE, "PROTECTED_BUCKET": "p"})
    assert needs(alone, database=False) == frozenset()
    assert needs(alone, database=True) == {"postgres"}
    assert needs(Settings(), database=False) == {"postgres"}


async def test_orcas_example_event_is_copied_without_a_database(
    make_world: Callable[..., World], s3: S3Client, bucket: MakeBucket
) -> None:
    archive, protected, public = bucket(), bucket(), bucket()
    s3.put_object(Bucket=archive, Key=KEY, Body=b"granule")
    s3.put_object(Bucket=archive, Key=f"{KEY}.met", Body=b"metadata")
    world = make_world(database=False, unknown_keys="route", protected_bucket=protected, public_bucket=public)
    await world.handle(example(archive, KEY, f"{KEY}.met"))
    assert s3.get_object(Bucket=protected, Key=KEY)["Body"].read() == b"granule"
    assert s3.get_object(Bucket=public, Key=f"{KEY}.met")["Body"].read() == b"metadata"
    assert world.posted() == []
    assert json.loads(world.facts["results"]) == [
        {
            "success": True,
            "source_bucket": archive,
            "source_key": name,
            "target_bucket": target,
            "err_msg": "",
        }
        for name, target in ((KEY, protected), (f"{KEY}.met", public))
    ]


async def test_a_daemon_with_orcas_variables_and_without_a_database_copies_such_an_event(
    s3: S3Client, bucket: MakeBucket, queues: Queues, aws_endpoint: str
) -> None:
    archive, protected, public = bucket(), bucket(), bucket()
    s3.put_object(Bucket=archive, Key=KEY, Body=b"granule")
    settings = load(
        environ={
            "AWS_REGION": REGION,
            "ORCA_AWS__ENDPOINT_URL": aws_endpoint,
            "ORCA_ENGINE__WAIT": "1",
            "ORCA_RECOVERY__UNKNOWN_KEYS": "route",
            "RECOVERY_QUEUE_URL": queues.url,
            "copy_retries": "2",
            "copy_retry_sleep_secs": "0",
            "protected_bucket": protected,
            "public_bucket": public,
        }
    )
    async with Daemon(settings) as daemon:
        queues.send(example(archive, KEY))
        [first] = await daemon.settle(1)
        queues.send(example(archive, KEY, "gone.txt"))
        [_, second] = await daemon.settle(2)
    assert (first.outcome, first.facts["result"]) == ("deleted", "copied")
    assert s3.get_object(Bucket=protected, Key=KEY)["Body"].read() == b"granule"
    assert (second.outcome, second.facts["files_skipped"], second.facts["files_failed"]) == (
        "dead_lettered",
        "1",
        "1",
    )
    assert second.reason == f"s3://{archive}/gone.txt does not exist"
    assert [each["target_bucket"] for each in json.loads(second.facts["results"])] == [public, protected]


def example(archive: str, *keys: str) -> dict[str, object]:
    records = [
        {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": "us-west-2",
            "eventTime": "2019-06-18T17:15:20.000Z",
            "eventName": "ObjectRestore:Completed",
            "glacierBucket": "ignored",
            "s3": {"bucket": {"name": archive}, "object": {"key": key}},
        }
        for key in keys
    ]
    return {"Records": records, "glacierBucket": "ignored"}
