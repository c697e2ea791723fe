"""States of messages that are given up: dead-lettered, left lying, or not even that."""

from orca_daemon.local.layout import DEAD_LETTER
from tests.deploy.alerts.cases.register import case
from tests.deploy.alerts.stage import HOUR, Stage
from tests.faults.workload import Workload


def _dead_lettered(stage: Stage) -> None:
    """One message is dead-lettered, and the gauge of its queue has seen it."""
    stage.poison()
    stage.until(lambda now: now.value("dead_letter_queue_messages", queue="status_update") == 1)


@case
def a_dead_letter_that_is_dealt_with_at_once(stage: Stage) -> None:
    stage.start()
    stage.phase(HOUR)
    _dead_lettered(stage)
    stage.phase(8, "OrcaDaemonDeadLetters status_update")
    stage.empty("status_update")
    stage.until(lambda now: now.value("dead_letter_queue_messages") == 0)
    stage.phase(2 * HOUR)


@case
def dead_letters_that_are_left(stage: Stage) -> None:
    stage.attribute("status_update" + DEAD_LETTER, MessageRetentionPeriod="14400")
    stage.start()
    stage.phase(10)
    _dead_lettered(stage)
    stage.phase(
        HOUR + 10, "OrcaDaemonDeadLetterQueueNotEmpty status_update", meanwhile=["OrcaDaemonDeadLetters"]
    )
    stage.phase(
        HOUR, "OrcaDaemonDeadLetterQueueNotEmpty status_update", "OrcaDaemonDeadLettersExpiring status_update"
    )
    stage.empty("status_update")
    stage.until(lambda now: now.value("dead_letter_queue_messages") == 0)
    stage.phase(HOUR)


@case
def a_dead_letter_queue_that_was_deleted(stage: Stage) -> None:
    stage.start()
    stage.phase(10)
    stage.deployment.sqs.delete_queue(QueueUrl=stage.deployment.queues["status_update" + DEAD_LETTER])
    stage.poison()
    failures = {"queue": "status_update", "operation": "dead_letter"}
    stage.until(lambda now: now.value("settlement_failures_total", **failures) > 0)

    def once_more() -> None:
        seen = stage.read().value("settlement_failures_total", **failures)
        stage.until(lambda now: now.value("settlement_failures_total", **failures) > seen)

    stage.phase(HOUR, "OrcaDaemonCannotDeadLetter status_update", between=once_more)
    stage.kill()


@case
def a_request_that_is_given_up_without_notifying(stage: Stage) -> None:
    work = Workload(stage.deployment)
    stage.start("gave_up raises")
    stage.phase(10)
    work.send_copies(1)
    stage.deployment.s3.delete_object(Bucket=stage.deployment.buckets["archive"], Key="d/0.hdf")
    stage.until(lambda now: now.value("notifications_abandoned_total") > 0)
    stage.phase(8, "OrcaDaemonNotificationAbandoned recovery", "OrcaDaemonDeadLetters recovery")
    stage.empty("recovery")
    stage.until(lambda now: now.value("dead_letter_queue_messages") == 0)
    stage.phase(HOUR)
