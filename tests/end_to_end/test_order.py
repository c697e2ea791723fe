"""Order within a group, and a bad message among good ones."""

from orca_daemon.producer import OrcaStatus, Sent, send_batch
from orca_daemon.wire.outgoing import Outgoing
from orca_daemon.wire.status import ATTRIBUTE, GROUP
from tests.end_to_end.conftest import Deployment
from tests.end_to_end.messages import new_job, update

STATES = "SELECT status_id, count(*) FROM orca.recovery_file GROUP BY 1 ORDER BY 1"


def test_messages_of_a_group_are_worked_in_order(deployment: Deployment) -> None:
    # In ORCA's one group an update that comes before its new_job is set aside at once, and of two updates
    # with one and the same time the later wins: any other order leaves another picture.
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


def test_poison_in_the_middle_of_a_group_hurts_nobody(deployment: Deployment) -> None:
    good = [new_job(f"op-{number}", ["a.hdf"]) for number in range(9)]
    poison = Outgoing(
        body='{"jobId": "op-', group=GROUP, deduplication_id="poison", attributes={ATTRIBUTE: "new_job"}
    )
    messages = [*good[:5], poison, *good[5:]]
    assert all(sent.message_id for sent in _send(deployment, messages))
    deployment.start()
    deployment.await_rows([(1, 9)], STATES)
    [letter] = deployment.dead_letters("status_update", 1)
    assert letter.body == poison.body
    assert letter.attributes[ATTRIBUTE]["StringValue"] == "new_job"
    assert (letter.evidence["queue"], letter.evidence["attempts"]) == ("status_update", 0)
    assert "JSON" in letter.evidence["reason"]
    deployment.await_empty("status_update")


def _send(deployment: Deployment, messages: list[Outgoing]) -> list[Sent]:
    return list(send_batch(messages, deployment.queues["status_update"], client=deployment.sqs))
