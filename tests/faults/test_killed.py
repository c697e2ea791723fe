"""SIGKILL before, during and after the commit: the next daemon does the work, or finds it committed."""

from contextlib import closing

import psycopg2
import pytest

from tests.end_to_end.conftest import Deployment
from tests.faults.conftest import DELETE, QUICK, RECEIVE, MakeLink, await_lock_wait, kill, locked
from tests.faults.workload import Workload, everything_is_accounted_for

BLOCK_COMMIT = """
    CREATE FUNCTION public.wait() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS $$ BEGIN
        PERFORM pg_advisory_xact_lock_shared(4711); RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON orca.recovery_file DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION public.wait();
"""
"""A deferred trigger that runs inside COMMIT and waits while the test holds the advisory lock."""
OTHER_SESSIONS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


def test_a_kill_before_the_commit_only_causes_a_second_delivery(
    deployment: Deployment, work: Workload
) -> None:
    work.send(20)
    with locked(deployment):
        first = deployment.start(**QUICK)
        await_lock_wait(deployment)
        kill(first)
    everything_is_accounted_for(work, deployment.start(**QUICK))


@pytest.mark.parametrize(
    "committed", [True, pytest.param(False, marks=pytest.mark.matrix)], ids=["committed", "rolled_back"]
)
def test_a_kill_during_the_commit_loses_nothing_whether_it_commits_or_rolls_back(
    deployment: Deployment, work: Workload, *, committed: bool
) -> None:
    deployment.rows(BLOCK_COMMIT)
    work.send(20)
    with closing(psycopg2.connect(deployment.database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(4711)")
        first = deployment.start(**QUICK)
        await_lock_wait(deployment, "advisory")
        assert deployment.rows(f"SELECT DISTINCT query {OTHER_SESSIONS} AND wait_event = 'advisory'") == [
            ("COMMIT",)
        ]
        kill(first)
        if not committed:
            deployment.rows(f"SELECT pg_terminate_backend(pid) {OTHER_SESSIONS} AND wait_event = 'advisory'")
        connection.rollback()
    deployment.until(
        lambda: deployment.rows(f"SELECT count(*) {OTHER_SESSIONS} AND query = 'COMMIT'"), [(0,)]
    )
    assert bool(deployment.rows("SELECT 1 FROM orca.recovery_file")) is committed
    everything_is_accounted_for(work, deployment.start(**QUICK))


def test_a_kill_between_commit_and_delete_causes_a_second_delivery_that_changes_nothing(
    deployment: Deployment, work: Workload, make_link: MakeLink, sqs_endpoint: str
) -> None:
    link = make_link(sqs_endpoint)
    link.proxy.hold_request = DELETE
    work.send(20)
    first = deployment.start(AWS_ENDPOINT_URL_SQS=link.url, **QUICK)
    deployment.until(link.proxy.reached.is_set, expected=True)
    work.await_first_row()
    kill(first)
    link.cut()
    link.release()
    everything_is_accounted_for(work, deployment.start(**QUICK))


@pytest.mark.matrix
@pytest.mark.parametrize("request_", [DELETE, RECEIVE], ids=["delete", "receive"])
def test_a_kill_before_the_response_of_sqs_loses_nothing(
    deployment: Deployment, work: Workload, make_link: MakeLink, sqs_endpoint: str, request_: bytes
) -> None:
    link = make_link(sqs_endpoint)
    link.proxy.hold_answer_to = request_
    work.send(20)
    first = deployment.launch(AWS_ENDPOINT_URL_SQS=link.url, **QUICK)
    deployment.until(link.proxy.reached.is_set, expected=True)
    kill(first)
    link.cut()
    link.release()
    everything_is_accounted_for(work, deployment.start(**QUICK))


@pytest.mark.matrix
def test_kills_in_a_row_lose_nothing(deployment: Deployment, work: Workload) -> None:
    # Two kills, not more: ORCA's queues have maxReceiveCount 3, and SQS would dead-letter the messages.
    work.send(200)
    for _ in range(2):
        first = deployment.start(**QUICK)
        work.await_first_row()
        kill(first)
    everything_is_accounted_for(work, deployment.start(**QUICK))
