"""Queues that are deleted under the daemon, and dead-letter queues that cannot be reached."""

import pytest

from orca_daemon.local.layout import DEAD_LETTER, QueueSpec, make_queue
from tests.end_to_end.conftest import Deployment
from tests.faults.conftest import MakeLine, await_event, await_waiting, events, locked
from tests.faults.workload import Workload, everything_is_accounted_for


def name_of(url: str) -> str:
    return url.rpartition("/")[2]


def test_a_queue_that_is_deleted_and_made_again_is_read_again(deployment: Deployment, work: Workload) -> None:
    url, dead_letter = deployment.queues["status_update"], deployment.queues["status_update" + DEAD_LETTER]
    daemon = deployment.start()
    with locked(deployment):
        work.send(20)
        await_waiting(deployment)
        deployment.sqs.delete_queue(QueueUrl=url)
        await_event(deployment, "poll.failed", queue="status_update")
    await_event(deployment, "settlement.failed", queue="status_update", operation="delete")
    made = make_queue(deployment.sqs, QueueSpec(name_of(url), name_of(dead_letter), 120, 345_600))
    assert made == (url, dead_letter)
    # What was on it is gone with it, and its senders send it again; what was in flight is done twice.
    again = Workload(deployment)
    again.send(20)
    everything_is_accounted_for(again, daemon)


def test_a_dead_letter_queue_that_is_deleted_keeps_its_messages_waiting_and_holds_up_no_other_group(
    deployment: Deployment, work: Workload
) -> None:
    url, dead_letter = deployment.queues["status_update"], deployment.queues["status_update" + DEAD_LETTER]
    daemon = deployment.start()
    deployment.sqs.delete_queue(QueueUrl=dead_letter)
    work.send(6)
    work.send_poison()
    work.send(6)
    await_event(deployment, "settlement.failed", queue="status_update", operation="dead_letter")
    others = [job for group, jobs in work.groups.items() if group.startswith("group-") for job in jobs]
    finished = "SELECT count(*) FROM orca.recovery_file WHERE job_id = ANY(%s) AND status_id >= 3"
    deployment.await_rows([(len(others),)], finished, others)
    assert make_queue(deployment.sqs, QueueSpec(name_of(url), name_of(dead_letter), 120, 345_600))
    everything_is_accounted_for(work, daemon)


@pytest.mark.matrix
@pytest.mark.parametrize("trap", ["refuse_request", "lose_answer_to"])
def test_a_dead_letter_queue_that_cannot_be_reached_gets_each_message_once(
    deployment: Deployment, work: Workload, line: MakeLine, sqs_endpoint: str, trap: str
) -> None:
    way = line(sqs_endpoint)
    daemon = deployment.start(AWS_ENDPOINT_URL_SQS=way.url)
    setattr(way.proxy, trap, b"AmazonSQS.SendMessage")
    work.send(6)
    work.send_poison()
    work.send(6)
    await_event(deployment, "settlement.failed", queue="status_update", operation="dead_letter")
    setattr(way.proxy, trap, None)
    way.cut()
    everything_is_accounted_for(work, daemon)
    assert len(events(deployment, "message.dead_lettered")) == 1
