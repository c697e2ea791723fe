"""Bodies of restore requests, and the output of ORCA's Lambda for them."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from orca_daemon.wire import restore
from orca_daemon.wire.outgoing import dump
from orca_daemon.wire.restore import RestoreFile, RestoreGranule, Tier, decode
from orca_daemon.wire.restore_outcome import FileOutcome, GranuleOutcome, RestoreOutcome, output
from orca_daemon.wire.status import RecoveryStatus
from orca_daemon.wire.wire_model import MalformedError

GRANULE = {"collectionId": "C", "granuleId": "G", "keys": [{"key": "a/b.h5", "destBucket": "protected"}]}
CONFIG = {
    "asyncOperationId": "J",
    "defaultBucketOverride": "archive",
    "defaultRecoveryTypeOverride": "Bulk",
    "s3MultipartChunksizeMb": 64,
}
MAPS = [
    {"regex": r".*\.xml$", "bucket": "open"},
    {"regex": r"\.h5", "bucket": "closed", "sampleFileName": "x"},
]
BUCKETS = {
    "open": {"name": "public", "type": "public"},
    "closed": {"name": "protected", "type": "protected"},
}
WORKFLOW: dict[str, Any] = {
    "payload": {
        "granules": [
            {
                "collectionId": "C",
                "granuleId": "G",
                "files": [
                    {"fileName": "b.h5", "key": "a/b.h5"},
                    {"fileName": "b.xml", "key": "a/b.xml"},
                    {"fileName": "b.tmp", "key": "a/b.tmp"},
                ],
            }
        ]
    },
    "config": {"buckets": BUCKETS, "fileBucketMaps": MAPS, "excludedFileExtensions": [".tmp"], **CONFIG},
}


def files(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(file.key, file.destination) for _, file in decode(json.dumps(body)).files]


def test_the_input_is_read_with_and_without_its_envelope() -> None:
    alone = decode(json.dumps({"granules": [GRANULE]}))
    enveloped = decode(json.dumps({"input": {"granules": [GRANULE]}, "config": CONFIG, "taskToken": "t"}))
    assert alone.granules == enveloped.granules
    assert (alone.job_id, alone.bucket, alone.tier, alone.chunk_mib, alone.task_token) == (None,) * 5
    assert (enveloped.job_id, enveloped.bucket, enveloped.tier) == ("J", "archive", Tier.BULK)
    assert (enveloped.chunk_mib, enveloped.task_token) == (64, "t")


def test_nulls_in_the_config_are_the_same_as_nothing() -> None:
    body = {"input": {"granules": [GRANULE]}, "config": dict.fromkeys(CONFIG)}
    assert decode(json.dumps(body)) == decode(json.dumps({"granules": [GRANULE]}))


def test_optional_values_are_paths_into_the_whole_event_and_null_where_they_lead_nowhere() -> None:
    body = {
        "input": {"granules": [GRANULE]},
        "config": {"asyncOperationId": "given", "defaultBucketOverride": "given"},
        "optionalValues": {
            "config": {
                "asyncOperationId": "event.config.asyncOperationId",
                "defaultBucketOverride": "event.nowhere.to.go",
                "s3MultipartChunksizeMb": "event.size",
            }
        },
        "event": {"config": {"asyncOperationId": "J"}, "size": 8},
    }
    read = decode(json.dumps(body))
    assert (read.job_id, read.bucket, read.chunk_mib) == ("J", None, 8)


def test_the_destinations_of_the_workflow_follow_from_its_maps() -> None:
    assert files(WORKFLOW) == [("a/b.h5", "protected"), ("a/b.xml", "public")]
    payload = {**WORKFLOW["payload"], "recoveryBucketOverride": "other"}
    assert files({**WORKFLOW, "payload": payload}) == [("a/b.h5", "other"), ("a/b.xml", "other")]
    assert decode(json.dumps(WORKFLOW)).job_id == "J"


def test_a_granule_whose_files_are_all_excluded_stays() -> None:
    config = {**WORKFLOW["config"], "excludedFileExtensions": ["h5", "xml", "tmp"]}
    [granule] = decode(json.dumps({**WORKFLOW, "config": config})).granules
    assert (granule.granule_id, granule.files) == ("G", ())


def with_maps(*maps: tuple[str, str]) -> dict[str, Any]:
    changed = [{"regex": regex, "bucket": bucket} for regex, bucket in maps]
    return {**WORKFLOW, "config": {**WORKFLOW["config"], "fileBucketMaps": changed}}


def granules(*documents: object) -> dict[str, object]:
    return {"granules": list(documents)}


REFUSED: Mapping[str, tuple[object, str]] = {
    "nested for ever": (
        {"input": {}, "optionalValues": json.loads('{"a":' * 60 + "{}" + "}" * 60)},
        "optionalValues is nested too deeply",
    ),
    "no granules": ({}, "granules is missing"),
    "granules of another type": ({"granules": 1}, "granules is not an array"),
    "input of another type": ({"input": []}, "input is not an object"),
    "config of another type": ({"granules": [], "config": []}, "config is not an object"),
    "no granule id": (granules({"collectionId": "C", "keys": []}), r"granules\[0\].granuleId is missing"),
    "no destination": (
        granules({**GRANULE, "keys": [{"key": "k"}]}),
        r"granules\[0\].keys\[0\].destBucket is missing",
    ),
    "an unknown tier": (
        {"granules": [], "config": {"defaultRecoveryTypeOverride": "Fast"}},
        "is not one of Standard, Bulk, Expedited",
    ),
    "two files of one name": (
        granules({**GRANULE, "keys": [{"key": f"{n}/f", "destBucket": "b"} for n in (1, 2)]}),
        "holds two files of the same name",
    ),
    "the same granule twice": (granules(GRANULE, GRANULE), "holds the same granule twice"),
    "names that no table holds": (granules({**GRANULE, "granuleId": "x" * 3_000}), "granuleId is too long"),
    "a file that no map fits": (with_maps(("nothing", "open")), "matches b.h5; tried: nothing"),
    "a map to an unknown bucket": (with_maps((".", "lost")), "config.buckets does not have it"),
    "a pattern with look-around": (with_maps(("(?=x)", "open")), "look-around or a back reference"),
    "a text that is no pattern": (with_maps(("(", "open")), "is no regular expression"),
}


@pytest.mark.parametrize(("body", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_a_request_is_refused_with_the_fields_name(body: object, sentence: str) -> None:
    with pytest.raises(MalformedError, match=sentence):
        decode(json.dumps(body))


def test_a_pattern_that_backtracks_for_ever_takes_no_time() -> None:
    name = "a" * 900 + "!"
    payload = {
        "granules": [
            {"collectionId": "C", "granuleId": "G", "files": [{"fileName": name, "key": f"k/{name}"}]}
        ]
    }
    began = time.process_time()
    with pytest.raises(MalformedError, match="no pattern of fileBucketMaps matches"):
        decode(json.dumps({**with_maps(("^(a+)+$", "open")), "payload": payload}))
    assert time.process_time() - began < 1


def test_a_task_token_is_found_in_a_body_that_is_otherwise_wrong() -> None:
    assert restore.task_token('{"taskToken": "t", "granules": 1}') == "t"
    assert [restore.task_token(body) for body in ("", "[]", "{}", '{"taskToken": 1}')] == [None] * 4


def test_a_request_is_sent_as_it_is_read() -> None:
    made = restore.request(
        [RestoreGranule(collection_id="C", granule_id="G", files=(RestoreFile(key="k", destination="b"),))],
        job_id="J",
        tier=Tier.EXPEDITED,
        days=3,
        task_token="t",
    )
    read = decode(restore.message(made).body)
    document = {"collectionId": "C", "granuleId": "G", "keys": [{"key": "k", "destBucket": "b"}]}
    assert restore.document(read) == restore.document(made)
    assert read.granules[0].document == document
    fifo = restore.message(made, fifo=True)
    assert fifo.body == dump(restore.document(made))
    assert (fifo.group or "").startswith("restore-")


def test_the_output_keeps_the_granules_and_adds_what_became_of_each_file() -> None:
    given = {**GRANULE, "more": {"kept": True}}
    [granule] = decode(json.dumps({"granules": [given]})).granules
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    failed = FileOutcome(
        file=granule.files[0],
        status=RecoveryStatus.FAILED,
        chunk_mib=None,
        request_time=moment,
        last_update=moment,
        error_message="gone",
        completion_time=moment,
    )
    outcome = RestoreOutcome(job_id="J", granules=[GranuleOutcome(granule=granule, files=[failed])])
    entry = {
        "success": True,
        "filename": "b.h5",
        "keyPath": "a/b.h5",
        "restoreDestination": "protected",
        "s3MultipartChunksizeMb": None,
        "statusId": 3,
        "requestTime": "2026-01-02T03:04:05+00:00",
        "lastUpdate": "2026-01-02T03:04:05+00:00",
        "errorMessage": "gone",
        "completionTime": "2026-01-02T03:04:05+00:00",
    }
    assert output(outcome) == {"granules": [{**given, "recoverFiles": [entry]}], "asyncOperationId": "J"}
    assert output(outcome, files=False) == {"granules": [given], "asyncOperationId": "J"}
    assert (outcome.nothing_asked, outcome.reasons) == (True, ("gone",))
