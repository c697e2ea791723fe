"""States of messages at work: stuck, failing, alone at fault, lost to another consumer, unconnected."""

from tests.deploy.alerts.cases.register import case
from tests.deploy.alerts.stage import HOUR, Stage
from tests.faults.workload import Workload
from tests.flaky_s3 import FlakyS3, error


@case
def a_database_that_is_down(stage: Stage) -> None:
    link = stage.make_link(stage.deployment.database_url)
    stage.start(ORCA_DATABASE__URL=link.url)
    stage.phase(HOUR)
    link.proxy.refuse_request = b"\0"
    link.cut()
    stage.jobs(3)
    stage.until(lambda now: now.value("breaker_open", dependency="postgres") == 1)
    stage.phase(4 * HOUR, "OrcaDaemonDependencyDown")
    link.restore()
    stage.until(lambda now: now.value("breaker_open", dependency="postgres") == 0)
    stage.deployment.await_empty("status_update")
    stage.phase(HOUR)


@case
def a_bucket_that_is_down(stage: Stage) -> None:
    target = stage.deployment.buckets["protected"]
    with FlakyS3(stage.deployment.environment["AWS_ENDPOINT_URL"]) as s3:
        stage.start(AWS_ENDPOINT_URL=s3.url, ORCA_COPIES__ATTEMPTS="1", ORCA_COPIES__RETRY_SLEEP="0.05")
        stage.phase(10)
        s3.answers = lambda _, path: error("InternalError", 500) if path.startswith(f"/{target}") else None
        Workload(stage.deployment).send_copies(6)
        stage.until(lambda now: now.value("breaker_open", dependency="s3") == 1)
        stage.phase(4 * HOUR, "OrcaDaemonDependencyDown")
        stage.kill()


@case
def a_message_that_fails_alone(stage: Stage) -> None:
    with FlakyS3(stage.deployment.environment["AWS_ENDPOINT_URL"]) as s3:
        stage.start(AWS_ENDPOINT_URL=s3.url, ORCA_COPIES__ATTEMPTS="1", ORCA_COPIES__RETRY_SLEEP="0.05")
        stage.phase(10)
        s3.answers = lambda _, path: error("InternalError", 500) if "/d/0.hdf" in path else None
        Workload(stage.deployment).send_copies(1)
        stage.until(lambda now: now.value("unproven_wait_timestamp_seconds") > 0)
        stage.phase(14)
        stage.phase(HOUR, "OrcaDaemonUnprovenWait recovery")
        s3.answers = lambda *_: None
        stage.deployment.await_empty("recovery", "status_update")
        stage.phase(HOUR)


@case
def a_handler_that_hangs(stage: Stage) -> None:
    stage.start("handler hangs")
    stage.phase(10)
    stage.jobs(1)
    stage.until(lambda now: now.value("messages_held", state="running") > 0)
    stage.phase(5)
    stage.phase(10, "OrcaDaemonMessageStuck status_update")
    stage.kill()


@case
def a_handler_that_fails_again_and_again(stage: Stage) -> None:
    """Each message succeeds with its second attempt, so that none is dead-lettered or stuck."""
    stage.start("first attempts fail")
    stage.phase(10)
    stage.jobs(10)
    stage.until(lambda now: now.value("handler_errors_total", error_class="failed") > 0)
    stage.phase(15, "OrcaDaemonRetrying status_update", between=lambda: stage.jobs(10))
    stage.deployment.await_empty("status_update")
    stage.phase(HOUR)


@case
def messages_that_another_consumer_deleted(stage: Stage) -> None:
    stage.start("handler hangs", ORCA_ENGINE__LEASE="6")
    stage.phase(10)
    stage.jobs(2)
    stage.until(lambda now: now.value("messages_held", state="running") > 0)
    stage.deployment.sqs.purge_queue(QueueUrl=stage.deployment.queues["status_update"])
    stage.until(lambda now: now.value("messages_settled_total", outcome="lease_lost") > 0)
    stage.phase(10, "OrcaDaemonLeaseLost status_update")
    stage.phase(HOUR)


@case
def a_pool_that_is_too_small(stage: Stage) -> None:
    """A slow network to the database, and one connection for all that needs it."""
    link = stage.make_link(stage.deployment.database_url)
    stage.start(ORCA_DATABASE__URL=link.url, ORCA_DATABASE__POOL_SIZE="1", ORCA_DATABASE__POOL_TIMEOUT="30")
    stage.phase(10)
    link.proxy.delay = 0.25
    stage.jobs(5)
    waited = stage.read().value("db_pool_wait_seconds_count")
    stage.until(lambda now: now.value("db_pool_wait_seconds_count") > waited + 1)

    def served() -> None:
        # Each message takes longer than the pause between two scrapes, but none is stuck.
        oldest = stage.read().value("oldest_held_timestamp_seconds")
        stage.jobs(5)
        stage.until(lambda now: abs(now.value("oldest_held_timestamp_seconds") - oldest) > 1)

    stage.phase(20, "OrcaDaemonPoolWait", between=served)
    link.proxy.delay = 0.0
    stage.deployment.await_empty("status_update")
    stage.phase(HOUR)
