"""Bad input: each bad message is dead-lettered with a reason, and the good message behind it is processed."""

import json
from typing import Any

from orca_daemon.producer import OrcaStatus
from orca_daemon.wire.outgoing import LARGEST_MESSAGE, Outgoing
from orca_daemon.wire.status import ATTRIBUTE, GROUP
from tests.end_to_end.conftest import Deployment
from tests.end_to_end.messages import new_job, update

JOB: dict[str, Any] = json.loads(new_job("op-bad", ["a.hdf"]).body)
UPDATE: dict[str, Any] = json.loads(update("op-bad", "a.hdf", OrcaStatus.SUCCESS).body)
BAD_STATUS: tuple[tuple[str | None, str], ...] = (
    ("new_job", "not JSON"),
    ("new_job", ""),
    ("new_job", "[]"),
    ("new_job", "null"),
    ("new_job", json.dumps(JOB | {"jobId": 7})),
    ("new_job", json.dumps(JOB | {"files": {}})),
    ("new_job", json.dumps(JOB | {"requestTime": "yesterday"})),
    ("new_job", json.dumps({key: value for key, value in JOB.items() if key != "granuleId"})),
    ("update_file", json.dumps(UPDATE | {"statusId": 9})),
    ("update_file", json.dumps(UPDATE | {"statusId": "4"})),
    ("update_file", json.dumps(UPDATE | {"filename": "nul\0inside"})),
    ("update_file", json.dumps(UPDATE)),
    ("delete_everything", json.dumps(UPDATE)),
    (None, json.dumps(UPDATE)),
    ("new_job", "[" * 100_000),
)
BAD_RECOVERY = (
    "not JSON",
    "{}",
    json.dumps({"Records": "none"}),
    json.dumps({"Records": [{"s3": {"bucket": {}}}]}),
    json.dumps({"jobId": "op-bad", "sourceKey": None}),
)
BAD_REPORT = (
    "not JSON",
    "{}",
    json.dumps({"reportBucketRegion": "us-west-2", "reportBucketName": "b", "manifestKey": "no-manifest"}),
    json.dumps({"tables_to_query": ["pg_authid"]}),
    json.dumps({"tables_to_query": "recovery_job"}),
    json.dumps({"jobId": 999, "orcaArchiveLocation": "nowhere"}),
)


def test_bad_status_messages_are_dead_lettered(deployment: Deployment) -> None:
    sent = [_status(method, body, number) for number, (method, body) in enumerate(BAD_STATUS) if body]
    huge = new_job("op-huge", [f"{'x' * 1000}{number}" for number in range(90)])
    # Exactly the largest message that SQS accepts: body plus name, type and value of the attribute.
    padded = huge.body[:-1] + " " * (LARGEST_MESSAGE - huge.size) + "}"
    huge = Outgoing(body=padded[:-2], group=GROUP, deduplication_id="huge", attributes=huge.attributes)
    for message in [*sent, huge]:
        deployment.send("status_update", message)
    deployment.send("status_update", new_job("op-good", ["a.hdf"]))
    deployment.start()
    deployment.await_rows([("op-good",)], "SELECT job_id FROM orca.recovery_job")
    received = deployment.dead_letters("status_update", len(sent) + 1)
    assert [each.body for each in received] == [message.body for message in [*sent, huge]]
    # The last one, `huge`, has no space left for evidence.
    assert [each.body[:60] for each in received[:-1] if not each.evidence.get("reason")] == []
    deployment.await_empty("status_update")


def test_bad_recovery_messages_are_dead_lettered(deployment: Deployment) -> None:
    for body in BAD_RECOVERY:
        deployment.send("recovery", Outgoing(body=body))
    deployment.start()
    received = deployment.dead_letters("recovery", len(BAD_RECOVERY))
    assert sorted(each.body for each in received) == sorted(BAD_RECOVERY)
    assert all(each.evidence["reason"] for each in received)
    deployment.await_empty("recovery")


def test_bad_report_messages_are_dead_lettered(deployment: Deployment) -> None:
    for number, body in enumerate(BAD_REPORT):
        deployment.send("internal_report", Outgoing(body=body, group="g", deduplication_id=str(number)))
    deployment.start()
    received = deployment.dead_letters("internal_report", len(BAD_REPORT))
    assert [each.body for each in received] == list(BAD_REPORT)
    assert all(each.evidence["reason"] for each in received)
    deployment.await_empty("internal_report")


def _status(method: str | None, body: str, number: int) -> Outgoing:
    attributes = {ATTRIBUTE: method} if method else {}
    return Outgoing(body=body, group=GROUP, deduplication_id=f"bad-{number}", attributes=attributes)
