"""Messages on the recovery and internal-report queues: each kind is recognised and read."""

import json
from typing import Any

import pytest

from orca_daemon.wire import copy, inventory, recovery
from orca_daemon.wire.copy import CopyRequest
from orca_daemon.wire.inventory import ExportRequest, InventoryPointer, StoredListing
from orca_daemon.wire.s3_event import S3Notification, S3Record
from orca_daemon.wire.wire_model import MalformedError

COPY = {
    "jobId": "op-1",
    "collectionId": "C___001",
    "granuleId": "g-1",
    "filename": "g.h5",
    "restoreDestination": "demo-protected",
    "s3MultipartChunksizeMb": 250,
    "sourceKey": "d/g.h5",
    "targetKey": "d/g.h5",
    "sourceBucket": "demo-orca-archive",
}
POINTER = {
    "reportBucketRegion": "us-west-2",
    "reportBucketName": "demo-orca-reports",
    "manifestKey": "a/b/2026-11-20T01-00Z/manifest.json",
}


def record(key: str, **fields: Any) -> dict[str, Any]:
    return {**fields, "s3": {"bucket": {"name": "demo"}, "object": {"key": key, "size": 1}}}


def from_s3(key: str, name: str = "ObjectRestore:Completed") -> dict[str, Any]:
    return record(key, eventSource="aws:s3", awsRegion="us-west-2", eventName=name)


def events(*records: dict[str, Any]) -> dict[str, Any]:
    return {"Records": list(records)}


def sns(inner: object) -> dict[str, Any]:
    topic = "arn:aws:sns:us-west-2:1:t"
    return {"Type": "Notification", "TopicArn": topic, "Message": json.dumps(inner)}


def bridged(key: str, kind: str = "Object Restore Completed") -> dict[str, Any]:
    detail = {"bucket": {"name": "demo"}, "object": {"key": key, "version-id": "v1"}}
    return {"source": "aws.s3", "detail-type": kind, "region": "us-west-2", "detail": detail}


def test_a_copy_request_is_written_as_it_was_read() -> None:
    request = recovery.decode(json.dumps(COPY | {"success": True}))
    assert isinstance(request, CopyRequest)
    assert copy.copy_message(request).parameters() == {"MessageBody": json.dumps(COPY)}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"sourceBucket": ""}, "sourceBucket is not the name of a bucket"),
        ({"sourceBucket": "a/b"}, "sourceBucket is not the name of a bucket"),
        ({"sourceBucket": "b" * 256}, "sourceBucket is not the name of a bucket"),
        ({"sourceBucket": "b\n"}, "sourceBucket is not the name of a bucket"),
        ({"restoreDestination": ".."}, "restoreDestination is not the name of a bucket"),
        ({"restoreDestination": "arn:aws:s3:::b"}, "restoreDestination is not the name of a bucket"),
        ({"restoreDestination": "b\ud800"}, "restoreDestination is not the name of a bucket"),
        ({"restoreDestination": 1}, "restoreDestination is not a string"),
        ({"s3MultipartChunksizeMb": "big"}, "s3MultipartChunksizeMb is neither"),
        ({"sourceKey": "a\0"}, "sourceKey holds a NUL character"),
        ({"sourceKey": "a\udc00"}, "sourceKey holds half of a surrogate pair"),
        ({"targetKey": ""}, "targetKey is empty"),
        ({"targetKey": "é" * 513}, "targetKey has 1,026 bytes; S3 takes 1,024"),
        ({"granuleId": "\ud800"}, "granuleId holds half of a surrogate pair"),
        (
            {"jobId": "j" * 9000},
            "jobId is too long: with collectionId, granuleId, filename it has 9,014 bytes",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_wrong_copy_request_is_refused_with_the_field(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(MalformedError) as raised:
        recovery.decode(json.dumps(COPY | changes))
    assert problem in str(raised.value)


@pytest.mark.parametrize("key", sorted(set(COPY) - {"collectionId"}))
def test_a_copy_request_needs_every_field(key: str) -> None:
    with pytest.raises(MalformedError, match=f"{key} is missing"):
        recovery.decode(json.dumps({name: value for name, value in COPY.items() if name != key}))


@pytest.mark.parametrize(
    ("document", "key"),
    [
        (events(from_s3("a+b%2Bc%C3%A9.h5")), "a b+cé.h5"),
        (events(record("a+b%2B.h5")), "a+b%2B.h5"),
        (sns(events(from_s3("a+b"))), "a b"),
        (bridged("a+b c"), "a+b c"),
        (sns(bridged("a+b c")), "a+b c"),
    ],
)
def test_a_key_is_decoded_only_if_s3_encoded_it(document: object, key: str) -> None:
    message = recovery.decode(json.dumps(document))
    assert isinstance(message, S3Notification)
    assert [record.key for record in message.records] == [key]


def test_an_event_has_the_same_name_from_s3_and_from_eventbridge() -> None:
    expected = S3Record(bucket="demo", key="k", name="ObjectRestore:Completed", region="us-west-2")
    from_notification = recovery.decode(
        json.dumps(events(from_s3("k"), from_s3("k", "s3:ObjectRestore:Completed")))
    )
    assert from_notification == S3Notification(records=(expected, expected))
    from_eventbridge = recovery.decode(json.dumps(bridged("k")))
    assert from_eventbridge == S3Notification(records=(expected.model_copy(update={"version_id": "v1"}),))


def test_the_test_event_is_recognised() -> None:
    test = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "demo"}
    for document in (test, sns(test)):
        assert recovery.decode(json.dumps(document)) == S3Notification(test=True)
        assert inventory.decode(json.dumps(document)) == S3Notification(test=True)


@pytest.mark.parametrize(
    "document",
    [
        {"Records": [{}]},
        {"Records": None},
        {"Records": 1},
        events(from_s3("%ff")),
        events(from_s3("a%00b")),
        events(record("a\0b")),
        events(record("")),
        sns(sns(sns(events(record("k"))))),
        {"Type": "Notification", "TopicArn": "t", "Message": {}},
        {"source": "aws.s3"},
        {},
        [],
        None,
    ],
)
def test_a_wrong_event_is_refused(document: object) -> None:
    with pytest.raises(MalformedError):
        recovery.decode(json.dumps(document))


def test_an_inventory_pointer_is_written_as_it_was_read() -> None:
    message = inventory.decode(json.dumps(POINTER))
    assert isinstance(message, InventoryPointer)
    sent = inventory.inventory_message(message)
    assert sent.body == json.dumps(POINTER)
    assert sent.group == "general_group"
    assert sent.attributes == {}


@pytest.mark.parametrize("key", ["a/manifest.checksum", "manifest.json/", "amanifest.json", ""])
def test_a_pointer_to_another_file_is_refused(key: str) -> None:
    with pytest.raises(MalformedError, match="manifestKey"):
        inventory.decode(json.dumps(POINTER | {"manifestKey": key}))


@pytest.mark.parametrize("key", sorted(POINTER))
def test_a_pointer_needs_every_field(key: str) -> None:
    with pytest.raises(MalformedError, match=f"{key} is missing"):
        inventory.decode(json.dumps({name: value for name, value in POINTER.items() if name != key}))


def test_an_event_of_a_manifest_is_an_inventory_pointer() -> None:
    message = inventory.decode(
        json.dumps(events(from_s3("x%3D1/manifest.json"), from_s3("x/manifest.checksum")))
    )
    assert isinstance(message, S3Notification)
    pointers = [inventory.pointer(record) for record in message.records]
    assert pointers == [
        InventoryPointer(
            report_bucket_region="us-west-2", report_bucket_name="demo", manifest_key="x=1/manifest.json"
        ),
        None,
    ]


def test_a_stored_listing_and_an_export_are_read() -> None:
    listing = inventory.decode('{"jobId": 7, "orcaArchiveLocation": "demo"}')
    assert listing == StoredListing(job_id=7, orca_archive_location="demo")
    export = inventory.decode('{"tables_to_query": ["a", "b"]}')
    assert export == ExportRequest(tables_to_query=("a", "b"))
    assert (
        inventory.export_message(ExportRequest(tables_to_query=("a",))).body == '{"tables_to_query": ["a"]}'
    )


@pytest.mark.parametrize(
    "body",
    [
        '{"jobId": "7", "orcaArchiveLocation": "demo"}',
        '{"jobId": 0, "orcaArchiveLocation": "demo"}',
        '{"jobId": true, "orcaArchiveLocation": "demo"}',
        '{"tables_to_query": []}',
        '{"tables_to_query": "a"}',
        '{"tables_to_query": [""]}',
    ],
)
def test_a_wrong_listing_or_export_is_refused(body: str) -> None:
    with pytest.raises(MalformedError):
        inventory.decode(body)
