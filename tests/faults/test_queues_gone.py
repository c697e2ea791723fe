"""Queues are deleted while the daemon runs, or a dead-letter queue cannot be reached."""

import pytest

from orca_daemon.local.layout import DEAD_LETTER, QueueSpec, make_queue
from tests.end_to_end.conftest import Deployment
from tests.faults.conftest import MakeLink, await_event, await_lock_wait, events, locked
from tests.faults.workload import Workload, everything_is_accounted_for


def queue_name(url: str) -> str:
    return url.rpartition("/")[2]


def test_a_queue_that_is_deleted_and_created_again_is_polled_again(
    deployment: Deployment, work: Workload
) -> None:
    url, dead_letter = deployment.queues["status_update"], deployment.queues["status_update" + DEAD_LETTER]
    daemon = deployment.start()
    with locked(deployment):
        work.send(20)
        await_lock_wait(deployment)
        deployment.sqs.delete_queue(QueueUrl=url)
        await_event(deployment, "poll.failed", queue="status_update")
    await_event(deployment, "settlement.failed", queue="status_update", operation="delete")
    created = make_queue(deployment.sqs, QueueSpec(queue_name(url), queue_name(dead_letter), 120, 345_600))
    assert created == (url, dead_letter)
    # The old queue's messages are gone, so the producers send all of them again.  Those that were in flight
    # when the queue was deleted are processed twice.
    repeated = Workload(deployment)
    repeated.send(20)
    everything_is_accounted_for(repeated, daemon)


def test_messages_wait_for_a_deleted_dead_letter_queue_without_blocking_other_groups(
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
    assert make_queue(deployment.sqs, QueueSpec(queue_name(url), queue_name(dead_letter), 120, 345_600))
    everything_is_accounted_for(work, daemon)


@pytest.mark.matrix
@pytest.mark.parametrize("fault", ["refuse_request", "lose_answer_to"])
def test_a_dead_letter_queue_that_cannot_be_reached_gets_each_message_once(
    deployment: Deployment, work: Workload, make_link: MakeLink, sqs_endpoint: str, fault: str
) -> None:
    link = make_link(sqs_endpoint)
    daemon = deployment.start(AWS_ENDPOINT_URL_SQS=link.url)
    setattr(link.proxy, fault, b"AmazonSQS.SendMessage")
    work.send(6)
    work.send_poison()
    work.send(6)
    await_event(deployment, "settlement.failed", queue="status_update", operation="dead_letter")
    setattr(link.proxy, fault, None)
    link.cut()
    everything_is_accounted_for(work, daemon)
    assert len(events(deployment, "message.dead_lettered")) == 1
