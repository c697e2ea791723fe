"""Traces from end to end: a real daemon sends them by OTLP/HTTP to a receiver that decodes the protocol."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from orca_daemon.wire.outgoing import Outgoing
from tests.collector import CollectedSpan, Collector
from tests.end_to_end import messages
from tests.end_to_end.conftest import Deployment

SENDER = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
TRACEPARENT = f"00-{SENDER[0]}-{SENDER[1]}-01"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


def _request(loop: Deployment, key: str) -> Outgoing:
    """A restore request for one file, from a sender that traces."""
    granule = {
        "collectionId": "C___1",
        "granuleId": "G",
        "keys": [{"key": key, "destBucket": loop.buckets["protected"]}],
    }
    body = {"input": {"granules": [granule]}, "config": {"asyncOperationId": "op-1"}}
    return Outgoing(body=json.dumps(body), attributes={"traceparent": TRACEPARENT})


def _queue(deployment: Deployment, name: str) -> str:
    return deployment.queues[name].rpartition("/")[2]


def _lines(deployment: Deployment, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in deployment.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


def test_a_restore_and_its_copy_are_two_traces_that_links_and_a_job_id_join(
    loop: Deployment, collector: Collector
) -> None:
    daemon = loop.start(**collector.variables)
    loop.s3.put_object(Bucket=loop.buckets["archive"], Key="d/a.h5", Body=b"x", StorageClass="GLACIER")

    loop.send("restore", _request(loop, "d/a.h5"))

    loop.await_rows([("G", 4)], "SELECT granule_id, status_id FROM orca.recovery_job")
    loop.await_empty("restore", "recovery", "status_update")
    assert daemon.stop() == 0
    [restore] = collector.named(f"process {_queue(loop, 'restore')}")
    [copy] = [
        span
        for span in collector.named(f"process {_queue(loop, 'recovery')}")
        if "orca.job_id" in span.attributes
    ]
    updates = collector.named(f"process {_queue(loop, 'status_update')}")
    sends = collector.named(f"send {_queue(loop, 'status_update')}")

    assert (restore.kind, restore.parent, restore.links) == ("consumer", "", [SENDER])
    assert (copy.kind, copy.parent, copy.links) == ("consumer", "", [])
    assert restore.trace != copy.trace
    assert restore.attributes["orca.job_id"] == copy.attributes["orca.job_id"] == "op-1"
    # The new job is of the restore's trace, STAGED and SUCCESS of the copy's.
    assert [(span.kind, span.trace, span.parent) for span in sends] == [
        ("producer", restore.trace, restore.id),
        ("producer", copy.trace, copy.id),
        ("producer", copy.trace, copy.id),
    ]
    done = [span for span in updates if span.attributes["orca_daemon.outcome"] == "done"]
    linked = {link for span in done for link in span.links}
    assert linked == {(span.trace, span.id) for span in sends}
    assert {span.attributes["orca.job_id"] for span in done} == {"op-1"}
    assert {span.trace for span in done}.isdisjoint({restore.trace, copy.trace})
    _children_are_complete(collector, restore, copy, done)
    _log_lines_lead_to_the_trace(loop, restore, copy)


def _children_are_complete(
    collector: Collector, restore: CollectedSpan, copy: CollectedSpan, updates: list[CollectedSpan]
) -> None:
    def below(span: CollectedSpan) -> set[str]:
        return {child.name.partition(" ")[0] for child in collector.spans if child.parent == span.id}

    assert below(restore) >= {"S3.HeadObject", "S3.RestoreObject", "transaction", "send", "delete"}
    assert below(copy) >= {"S3.HeadObject", "S3.CopyObject", "transaction", "send", "delete"}
    for span in updates:
        assert below(span) >= {"transaction"}
    assert {span.schema for span in collector.spans} == {"https://opentelemetry.io/schemas/1.44.0"}
    assert {span.resource["service.name"] for span in collector.spans} == {"orca-daemon"}
    # What belongs to no run has no span: receives, leases, the gauges.
    own = {restore.trace, copy.trace, *(span.trace for span in collector.named("process "))}
    assert {span.trace for span in collector.spans} == own


def _log_lines_lead_to_the_trace(loop: Deployment, *runs: CollectedSpan) -> None:
    deleted = {
        (line["trace_id"], line["span_id"]) for line in _lines(loop, "message.deleted") if "trace_id" in line
    }
    assert deleted >= {(span.trace, span.id) for span in runs}


def test_without_its_variables_nothing_of_opentelemetry_is_imported(deployment: Deployment) -> None:
    deployment.start(PYTHONPROFILEIMPORTTIME="1")

    deployment.send("status_update", messages.new_job("J", ["f"]))

    deployment.await_rows([("g-1", 1)], "SELECT granule_id, status_id FROM orca.recovery_job")
    imported = [line for line in deployment.log.read_text().splitlines() if line.startswith("import time:")]
    assert any("aiobotocore" in line for line in imported)
    assert [line for line in imported if "opentelemetry" in line] == []


@pytest.mark.matrix
def test_a_collector_that_does_not_answer_costs_neither_work_nor_the_stop(
    deployment: Deployment, collector: Collector
) -> None:
    collector.gate.clear()
    daemon = deployment.start(**collector.variables, OTEL_BSP_MAX_QUEUE_SIZE="512")
    jobs = [(f"g-{number}", 1) for number in range(300)]
    for granule, _ in jobs:
        deployment.send("status_update", messages.new_job("J", ["f"], granule=granule))

    deployment.await_rows(
        [(300,)], "SELECT count(*) FROM orca.recovery_job WHERE job_id = %s AND status_id = %s", "J", 1
    )
    deployment.await_empty("status_update")

    began = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - began < 10
    [line] = _lines(deployment, "traces.not_flushed")
    assert line["spans"] > 0
