"""The places of S3 that the engine knows a message needs before it is handled."""

import json
from typing import Any

import pytest

from orca_daemon.engine.errors import DependencyDown, NotYet, Refused, Reject
from orca_daemon.queues import internal_report, recovery
from orca_daemon.queues.recovery.handler import verdict
from orca_daemon.wire import inventory
from orca_daemon.wire import recovery as wire

COPY = {
    "jobId": "op-1",
    "collectionId": "C___001",
    "granuleId": "g-1",
    "filename": "g.h5",
    "restoreDestination": "there",
    "s3MultipartChunksizeMb": None,
    "sourceKey": "d/g.h5",
    "targetKey": "d/g.h5",
    "sourceBucket": "here",
}


def record(name: str, bucket: str = "archive", key: str = "d/g.h5") -> dict[str, Any]:
    return {
        "eventSource": "aws:s3",
        "eventName": name,
        "eventTime": "2026-11-21T00:00:00.000Z",
        "s3": {"bucket": {"name": bucket}, "object": {"key": key}},
    }


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(COPY, {("s3", "read here"), ("s3", "write there")}, id="copy request"),
        pytest.param(
            {"Records": [record("ObjectRestore:Completed"), record("ObjectRestore:Completed", "other")]},
            {("s3", "read archive"), ("s3", "read other")},
            id="restored",
        ),
        pytest.param({"Records": [record("ObjectRestore:Delete")]}, set(), id="expired"),
    ],
)
def test_a_recovery_reads_and_writes_buckets(body: dict[str, Any], expected: set[tuple[str, str]]) -> None:
    assert recovery.places(wire.decode(json.dumps(body))) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(
            {
                "reportBucketRegion": "us-west-2",
                "reportBucketName": "reports",
                "manifestKey": "a/manifest.json",
            },
            {("s3", "read reports")},
            id="inventory",
        ),
        pytest.param(
            {"Records": [record("ObjectCreated:Put", "reports", "a/b/2026/manifest.json")]},
            {("s3", "read reports")},
            id="event of an inventory",
        ),
        pytest.param({"tables_to_query": ["files"]}, {("s3", "write exports")}, id="export"),
        pytest.param({"jobId": 7, "orcaArchiveLocation": "archive"}, set(), id="stored listing"),
    ],
)
def test_a_report_reads_its_bucket_and_an_export_writes_one(
    body: dict[str, Any], expected: set[tuple[str, str]]
) -> None:
    assert internal_report.places("exports", inventory.decode(json.dumps(body))) == expected


def test_an_export_without_a_configured_bucket_needs_no_place() -> None:
    assert internal_report.places(None, inventory.decode('{"tables_to_query": ["files"]}')) == frozenset()


def test_of_several_failures_the_most_transient_is_raised() -> None:
    failures: list[BaseException] = [
        Reject("no such key"),
        ValueError("odd"),
        Refused("s3", "access denied", place="read a"),
        NotYet("SlowDown"),
        DependencyDown("s3", "500", place="write b"),
    ]
    order = []
    while failures:
        worst = verdict(failures)
        order.append(type(worst))
        failures.remove(next(one for one in failures if type(one) is type(worst)))
    assert order == [DependencyDown, NotYet, Refused, ValueError, Reject]
