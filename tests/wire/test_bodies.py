"""Bodies are read as ORCA reads them; keys that no model declares may hold any JSON that Python reads."""

import json
from typing import Any

import pytest

from orca_daemon.wire import catalog, inventory, recovery, status
from orca_daemon.wire.s3_event import S3Notification
from orca_daemon.wire.status import UpdateFile
from orca_daemon.wire.wire_model import MalformedError, json_object
from tests.queues.catalog.messages import body as catalog_body
from tests.queues.catalog.messages import file as catalog_file
from tests.wire.test_recovery import COPY, POINTER, bridged, events, from_s3, record, sns
from tests.wire.test_status import UPDATE, new_file, new_job, update

DEEP = "[" * 400 + "]" * 400
BODIES: dict[str, dict[str, Any]] = {
    "update_file": update(),
    "new_job": new_job(new_file()),
    "copy request": COPY,
    "S3 event": events(from_s3("k")),
    "SNS envelope": sns(events(from_s3("k"))),
    "EventBridge event": bridged("k"),
    "pointer": POINTER,
    "export request": {"tables_to_query": ["a"]},
    "catalog record": catalog_body(catalog_file()),
}


def decode(kind: str, body: str) -> object:
    if kind in {"update_file", "new_job"}:
        return status.decode(body, {"RequestMethod": kind})
    if kind == "catalog record":
        return catalog.decode(body)
    return (inventory if kind in {"pointer", "export request"} else recovery).decode(body)


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize(
    "undeclared",
    [DEEP, '"\\ud800"', '{"\\udfff": "\\u0000"}', "1e400", "-Infinity", "NaN", "9" * 4000],
    ids=[
        "nested 400 deep",
        "half a pair",
        "half a pair as a key",
        "1e400",
        "infinity",
        "nan",
        "4,000 digits",
    ],
)
def test_an_undeclared_key_may_hold_anything(kind: str, undeclared: str) -> None:
    plain = json.dumps(BODIES[kind])
    assert decode(kind, f'{{"undeclared": {undeclared}, {plain[1:]}') == decode(kind, plain)


STORED = {"jobId": 7, "orcaArchiveLocation": "archive", "messageReceiptHandle": "AQEB"}


@pytest.mark.parametrize(
    "document", [STORED, POINTER, {"tables_to_query": ["a"]}], ids=lambda each: next(iter(each))
)
def test_what_the_state_machine_of_orca_wraps_is_read_as_what_is_in_it(document: dict[str, Any]) -> None:
    wrapped = json.dumps({"event": document})
    assert inventory.decode(wrapped) == inventory.decode(json.dumps(document))


@pytest.mark.parametrize(
    "document",
    [{"event": {"event": STORED}}, {"event": [STORED]}, {"event": None}, {"event": STORED, "other": 1}],
    ids=["wrapped twice", "an array", "null", "beside another key"],
)
def test_another_wrapper_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        inventory.decode(json.dumps(document))


@pytest.mark.parametrize("kind", BODIES)
def test_a_byte_order_mark_is_skipped(kind: str) -> None:
    plain = json.dumps(BODIES[kind])
    assert decode(kind, "\ufeff" + plain) == decode(kind, plain)


def test_a_byte_order_mark_within_an_envelope_is_skipped() -> None:
    envelope = sns(events(from_s3("k")))
    marked = envelope | {"Message": "\ufeff" + envelope["Message"]}
    assert recovery.decode(json.dumps(marked)) == recovery.decode(json.dumps(envelope))


def test_of_equal_keys_the_last_one_counts() -> None:
    body = json.dumps(update())[:-1] + ', "jobId": "second"}'
    message = status.decode(body, UPDATE)
    assert message.job_id == "second"


def test_a_pair_of_surrogates_is_one_character() -> None:
    message = status.decode(json.dumps(update(granuleId="\U0001f680")), UPDATE)
    assert message.granule_id == "\U0001f680"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("", "the body is not JSON"),
        ("{", "the body is not JSON"),
        ("{'a': 1}", "the body is not JSON"),
        ("\ufeff", "the body is not JSON"),
        ("[]", "the body is JSON, but not an object"),
        ("null", "the body is JSON, but not an object"),
        ('{"a": ' + "[" * 100_000, "the body is JSON that is nested too deeply"),
        ('{"a": ' + "9" * 4301 + "}", "the body holds a number of more than 4,300 digits"),
    ],
    ids=["nothing", "cut", "quotes", "mark", "array", "null", "deep", "digits"],
)
def test_a_body_that_cannot_be_read_is_refused(body: str, problem: str) -> None:
    with pytest.raises(MalformedError) as raised:
        json_object(body)
    assert str(raised.value) == problem


@pytest.mark.parametrize(
    "value",
    [1e400, -1e400, float("nan"), 10**400, 0, 1.5, True, "1", [1], {}, None],
    ids=["1e400", "-1e400", "nan", "10**400", "0", "1.5", "true", "text", "array", "object", "null"],
)
def test_a_status_that_is_not_an_integer_from_1_to_4_is_refused(value: object) -> None:
    with pytest.raises(MalformedError, match="statusId is n"):
        status.decode(json.dumps(update(statusId=value)), UPDATE)


def test_an_event_may_have_no_records() -> None:
    empty: dict[str, Any] = {"Records": []}
    for document in (empty, sns(empty)):
        assert recovery.decode(json.dumps(document)) == S3Notification()
        assert inventory.decode(json.dumps(document)) == S3Notification()


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (events(from_s3("k"), from_s3("%ff")), "Records[1].s3.object.key is not UTF-8 when decoded"),
        (events(from_s3("%ED%A0%80")), "Records[0].s3.object.key is not UTF-8 when decoded"),
        (events(from_s3("a%00b")), "Records[0].s3.object.key holds a NUL character"),
        (events(from_s3("%C3%A9" * 513)), "Records[0].s3.object.key has 1,026 bytes; S3 takes 1,024"),
        (events(record("a\ud800")), "Records[0].s3.object.key holds half of a surrogate pair"),
        (events(record("")), "Records[0].s3.object.key is empty"),
        (events(from_s3("k", "e" * 256)), "Records[0].eventName is too long"),
        (bridged("a\0"), "detail.object.key holds a NUL character"),
        (bridged("k" * 1025), "detail.object.key has 1,025 bytes; S3 takes 1,024"),
        (bridged("k", "\ud800"), "detail-type holds half of a surrogate pair"),
        (POINTER | {"reportBucketName": "a\0"}, "reportBucketName is not the name of a bucket"),
        (POINTER | {"reportBucketRegion": "evil.example/"}, "reportBucketRegion is not the name of a region"),
        (POINTER | {"manifestKey": "k" * 1024 + "/manifest.json"}, "manifestKey has 1,038 bytes"),
        (POINTER | {"manifestKey": "\ud800/manifest.json"}, "manifestKey holds half of a surrogate pair"),
        ({"tables_to_query": ["a", "\0"]}, "tables_to_query[1] holds a NUL character"),
        ({"tables_to_query": ["a" * 256]}, "tables_to_query[0] is too long"),
        ({"tables_to_query": []}, "tables_to_query is empty"),
        ({"tables_to_query": [""]}, "tables_to_query[0] is empty"),
        ({"jobId": 2**63, "orcaArchiveLocation": "b"}, "jobId is too large"),
        ({"jobId": 0, "orcaArchiveLocation": "b"}, "jobId is not a positive number"),
        ({"jobId": 1, "orcaArchiveLocation": "b\0"}, "orcaArchiveLocation is not the name of a bucket"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_values_that_s3_or_the_tables_cannot_hold_are_refused_with_the_field(
    document: object, problem: str
) -> None:
    with pytest.raises(MalformedError) as raised:
        inventory.decode(json.dumps(document))
    assert problem in str(raised.value)


@pytest.mark.parametrize("region", ["", "default group", "a.b", 7, None])
def test_an_invalid_region_of_an_event_is_ignored(region: object) -> None:
    message = recovery.decode(json.dumps(events(from_s3("k") | {"awsRegion": region})))
    assert isinstance(message, S3Notification)
    assert [record.region for record in message.records] == [None]


@pytest.mark.parametrize(("name", "read"), [("", None), ("s3:", ""), ("s3:x", "x"), (None, None)])
def test_an_event_may_have_an_empty_name(name: str | None, read: str | None) -> None:
    message = recovery.decode(json.dumps(events(from_s3("k") | {"eventName": name})))
    assert isinstance(message, S3Notification)
    assert [record.name for record in message.records] == [read]


def test_every_key_that_s3_allows_is_accepted() -> None:
    for key in ("../../etc/passwd", "/leading", "a//b", "a/./b", "%", " ", "\x01", "k" * 1024):
        message = recovery.decode(json.dumps(COPY | {"sourceKey": key, "targetKey": key}))
        assert getattr(message, "source_key", None) == key


def test_the_collection_of_an_update_may_be_empty() -> None:
    message = status.decode(json.dumps(update(collectionId="")), UPDATE)
    assert isinstance(message, UpdateFile)
    assert message.collection_id == ""
