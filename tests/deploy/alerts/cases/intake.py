"""States in which messages do not come in, or late: receives that hang, a pause, no permit, slow copies."""

import signal
from datetime import timedelta

from tests.deploy.alerts.cases.register import case
from tests.deploy.alerts.stage import HOUR, Stage, of_each_queue
from tests.faults.workload import Workload


@case
def receives_that_hang(stage: Stage) -> None:
    """The network to SQS loses everything.  The daemon is idle, so each hung poll reserves all it can."""
    link = stage.make_link(stage.deployment.environment["AWS_ENDPOINT_URL_SQS"])
    stage.start(AWS_ENDPOINT_URL_SQS=link.url)
    stage.phase(HOUR)
    link.proxy.silent = True
    stage.phase(HOUR, *of_each_queue("OrcaDaemonNotPolling"))
    link.restore()
    before = stage.read().value("polls_total", outcome="empty")
    stage.until(lambda now: now.value("polls_total", outcome="empty") >= before + 3)
    stage.phase(HOUR)


@case
def a_queue_that_was_deleted_while_others_are_read(stage: Stage) -> None:
    stage.start()
    stage.phase(5)
    stage.deployment.sqs.delete_queue(QueueUrl=stage.deployment.queues["recovery"])
    stage.until(lambda now: now.value("polls_total", outcome="error", queue="recovery") > 0)
    stage.phase(HOUR, "OrcaDaemonNotPolling recovery")


@case
def paused_for_hours(stage: Stage) -> None:
    stage.start()
    stage.phase(10)
    stage.jobs(3)
    stage.signal(signal.SIGUSR2)
    stage.until(lambda now: now.value("queue_paused") > 0)
    stage.phase(HOUR + 5, "OrcaDaemonPausedForLong")
    stage.signal(signal.SIGUSR2)
    stage.until(lambda now: now.value("queue_paused") == 0)
    stage.phase(HOUR)


@case
def paused_until_messages_are_nearly_deleted(stage: Stage) -> None:
    stage.attribute("status_update", MessageRetentionPeriod="14400")
    stage.start()
    stage.phase(10)
    stage.signal(signal.SIGUSR2)
    stage.until(lambda now: now.value("queue_paused") > 0)
    oldest, last = {"queue": "status_update"}, "last_poll_success_timestamp_seconds"
    stage.until(lambda now: now.time - now.value(last, **oldest) > 4)  # the receive under way has ended
    stage.jobs(1)
    stage.until(lambda now: now.value("paused_queue_oldest_timestamp_seconds", **oldest) > 0)
    stage.phase(3 * HOUR, "OrcaDaemonPausedForLong")
    stage.phase(HOUR - 5, "OrcaDaemonPausedForLong", "OrcaDaemonPausedQueueExpiring status_update")
    stage.signal(signal.SIGUSR2)
    stage.until(lambda now: now.value("paused_queue_oldest_timestamp_seconds", **oldest) == 0)
    stage.phase(HOUR)


@case
def copies_that_are_slower_than_they_come(stage: Stage) -> None:
    link = stage.make_link(stage.deployment.environment["AWS_ENDPOINT_URL"])
    link.proxy.delay = 0.2
    work = Workload(stage.deployment)
    stage.start(AWS_ENDPOINT_URL=link.url, ORCA_COPIES__FILES="2")
    stage.phase(10)
    work.send_copies(60)
    recovery = {"queue": "recovery"}
    stage.until(
        lambda now: (
            now.value("permits_free", **recovery) == 0
            and now.value("queue_visible_messages", **recovery) > 20
        )
    )
    stage.phase(20, "OrcaDaemonNoPermits recovery")
    link.proxy.delay = 0.0
    stage.deployment.await_empty("recovery", "status_update")
    stage.until(lambda now: now.value("queue_visible_messages") == 0)
    stage.phase(20)


@case
def messages_that_were_sent_ten_minutes_ago(stage: Stage) -> None:
    """The clock of this daemon goes ten minutes ahead of SQS's when it measures the delay."""
    stage.start("messages are late")
    stage.phase(10)
    stage.jobs(5)
    stage.phase(30, "OrcaDaemonQueueDelay status_update", between=lambda: stage.jobs(5))
    stage.deployment.await_empty("status_update")
    stage.phase(HOUR)


@case
def a_queue_without_a_dead_letter_queue(stage: Stage) -> None:
    stage.attribute("recovery", RedrivePolicy="")
    stage.start()
    stage.phase(HOUR - 5)
    stage.phase(15, "OrcaDaemonNoDeadLetterQueue recovery")


@case
def recoveries_that_are_open_for_days(stage: Stage) -> None:
    stage.start()
    stage.phase(10)
    stage.jobs(1)
    stage.deployment.await_empty("status_update")
    age = "UPDATE orca.recovery_job SET request_time = now() - %s, completion_time = NULL"
    stage.deployment.rows(age, timedelta(days=4))
    stage.until(lambda now: 0 < now.value("oldest_open_recovery_timestamp_seconds") < now.time - 86_400)
    stage.phase(30, "OrcaDaemonRecoveryOverdue")
    stage.deployment.rows("UPDATE orca.recovery_job SET status_id = 4, completion_time = now()")
    stage.until(lambda now: now.value("oldest_open_recovery_timestamp_seconds") == 0)
    stage.phase(30)
