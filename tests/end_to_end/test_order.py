"""Order within a message group, and a bad message among good ones."""

from orca_daemon.producer import OrcaStatus, Sent, send_batch
from orca_daemon.wire.outgoing import Outgoing
from orca_daemon.wire.status import ATTRIBUTE, GROUP
from tests.end_to_end.conftest import Deployment
from tests.end_to_end.messages import new_job, update

STATES = "SELECT status_id, count(*) FROM orca.recovery_file GROUP BY 1 ORDER BY 1"


def test_messages_of_a_group_are_processed_in_order(deployment: Deployment) -> None:
    # Any other order leaves other rows: in ORCA's one group an update before its new_job is dead-lettered at
    # once, and if two updates have the same time, the one that is processed later wins.
    messages = []
    for number in range(100):
        messages += [
            new_job(f"op-{number}", ["a.hdf"]),
            update(f"op-{number}", "a.hdf", OrcaStatus.STAGED),
            update(f"op-{number}", "a.hdf", OrcaStatus.SUCCESS, seconds=5),
            update(f"op-{number}", "a.hdf", OrcaStatus.FAILED, seconds=5),
        ]
    assert all(sent.message_id for sent in _send(deployment, messages))
    deployment.start()
    deployment.await_rows([(3, 100)], STATES)
    deployment.await_empty("status_update")
    assert deployment.left("status_update_dead_letter") == 0


def test_a_bad_message_in_the_middle_of_a_group_does_not_affect_the_others(deployment: Deployment) -> None:
    good = [new_job(f"op-{number}", ["a.hdf"]) for number in range(9)]
    poison = Outgoing(
        body='{"jobId": "op-', group=GROUP, deduplication_id="poison", attributes={ATTRIBUTE: "new_job"}
    )
    messages = [*good[:5], poison, *good[5:]]
    assert all(sent.message_id for sent in _send(deployment, messages))
    deployment.start()
    deployment.await_rows([(1, 9)], STATES)
    [dead_letter] = deployment.dead_letters("status_update", 1)
    assert dead_letter.body == poison.body
    assert dead_letter.attributes[ATTRIBUTE]["StringValue"] == "new_job"
    assert (dead_letter.evidence["queue"], dead_letter.evidence["attempts"]) == ("status_update", 0)
    assert "JSON" in dead_letter.evidence["reason"]
    deployment.await_empty("status_update")


def _send(deployment: Deployment, messages: list[Outgoing]) -> list[Sent]:
    return list(send_batch(messages, deployment.queues["status_update"], client=deployment.sqs))
