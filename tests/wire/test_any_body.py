"""Any body on a queue is either read, or refused in one line; no other exception occurs."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orca_daemon.wire import catalog, inventory, recovery, restore, status
from orca_daemon.wire.wire_model import MalformedError
from tests.queues.catalog.messages import body as catalog_body
from tests.queues.catalog.messages import file as catalog_file

MOMENT = "2026-11-21T00:13:35.439458+00:00"
NAMES = {"jobId": "j", "collectionId": "c", "granuleId": "g", "filename": "f"}
FILE = {
    "filename": "f",
    "keyPath": "d/f",
    "restoreDestination": "b",
    "s3MultipartChunksizeMb": None,
    "statusId": 1,
    "requestTime": MOMENT,
    "lastUpdate": MOMENT,
}
RECORD = {"eventSource": "aws:s3", "awsRegion": "r", "s3": {"bucket": {"name": "b"}, "object": {"key": "k"}}}
GRANULE = {"collectionId": "c", "granuleId": "g", "keys": [{"key": "d/f", "destBucket": "b"}]}
WORKFLOW = {
    "payload": {
        "granules": [{"collectionId": "c", "granuleId": "g", "files": [{"fileName": "f", "key": "d/f"}]}],
        "recoveryBucketOverride": None,
    },
    "config": {
        "buckets": {"b": {"name": "bucket", "type": "public"}},
        "fileBucketMaps": [{"regex": "f", "bucket": "b"}],
        "excludedFileExtensions": [".x"],
    },
}
VALID: list[dict[str, Any]] = [
    {"input": {"granules": [GRANULE]}, "config": {"asyncOperationId": "j"}, "taskToken": "t"},
    {"granules": [GRANULE], "optionalValues": {"config": {"asyncOperationId": "granules.x"}}},
    WORKFLOW,
    {**NAMES, "lastUpdate": MOMENT, "statusId": 3, "completionTime": MOMENT, "errorMessage": "e"},
    {**NAMES, "requestTime": MOMENT, "archiveDestination": "a", "files": [FILE]},
    {**NAMES, "restoreDestination": "b", "s3MultipartChunksizeMb": 1, "sourceKey": "k", "targetKey": "k"},
    {"Records": [RECORD]},
    {"Type": "Notification", "TopicArn": "t", "Message": json.dumps({"Records": [RECORD]})},
    {"source": "aws.s3", "detail-type": "x", "detail": {"bucket": {"name": "b"}, "object": {"key": "k"}}},
    {"reportBucketRegion": "r", "reportBucketName": "b", "manifestKey": "manifest.json"},
    {"jobId": 1, "orcaArchiveLocation": "b"},
    {"tables_to_query": ["t"]},
    catalog_body(catalog_file(), catalog_file("b")),
]
READERS: dict[str, Callable[[str], object]] = {
    "new_job": lambda body: status.decode(body, {"RequestMethod": "new_job"}),
    "update_file": lambda body: status.decode(body, {"RequestMethod": "update_file"}),
    "recovery": recovery.decode,
    "internal_report": inventory.decode,
    "catalog": catalog.decode,
    "restore": restore.decode,
}

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("a\0%00\ud800")
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5
)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A valid message in which one value, at any depth, is replaced or removed."""
    document = json.loads(json.dumps(draw(st.sampled_from(VALID))))
    container = document
    while True:
        key = draw(
            st.sampled_from(sorted(container) if isinstance(container, dict) else range(len(container)))
        )
        value = container[key]
        if not (isinstance(value, dict | list) and value and draw(st.booleans())):
            break
        container = value
    if draw(st.booleans()):
        del container[key]
    else:
        container[key] = draw(values)
    return json.dumps(document)


@pytest.mark.parametrize("reader", READERS)
@given(body=damaged() | values.map(json.dumps) | st.text())
def test_a_body_is_read_or_refused_in_one_line(reader: str, body: str) -> None:
    try:
        READERS[reader](body)
    except MalformedError as refusal:
        assert "\n" not in str(refusal)  # noqa: PT017  an exception is allowed, not required
