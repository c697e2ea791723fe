"""SIGKILL before, during and after the commit: the next daemon finds the work done, or does it."""

from contextlib import closing

import psycopg2
import pytest

from tests.end_to_end.conftest import Deployment
from tests.faults.conftest import DELETE, QUICK, RECEIVE, MakeLine, await_waiting, kill, locked
from tests.faults.workload import Workload, everything_is_accounted_for

AT_COMMIT = """
    CREATE FUNCTION public.wait() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS $$ BEGIN
        PERFORM pg_advisory_xact_lock_shared(4711); RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON orca.recovery_file DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION public.wait();
"""
"""The server has been told to commit, and does not come to an end while a test holds the lock."""
OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


def test_a_kill_before_the_commit_costs_nothing_but_a_second_delivery(
    deployment: Deployment, work: Workload
) -> None:
    work.send(20)
    with locked(deployment):
        first = deployment.start(**QUICK)
        await_waiting(deployment)
        kill(first)
    everything_is_accounted_for(work, deployment.start(**QUICK))


@pytest.mark.parametrize(
    "committed", [True, pytest.param(False, marks=pytest.mark.matrix)], ids=["committed", "rolled_back"]
)
def test_a_kill_during_the_commit_is_healed_however_the_commit_ends(
    deployment: Deployment, work: Workload, *, committed: bool
) -> None:
    deployment.rows(AT_COMMIT)
    work.send(20)
    with closing(psycopg2.connect(deployment.database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(4711)")
        first = deployment.start(**QUICK)
        await_waiting(deployment, "advisory")
        assert deployment.rows(f"SELECT DISTINCT query {OTHERS} AND wait_event = 'advisory'") == [("COMMIT",)]
        kill(first)
        if not committed:
            deployment.rows(f"SELECT pg_terminate_backend(pid) {OTHERS} AND wait_event = 'advisory'")
        connection.rollback()
    deployment.until(lambda: deployment.rows(f"SELECT count(*) {OTHERS} AND query = 'COMMIT'"), [(0,)])
    assert bool(deployment.rows("SELECT 1 FROM orca.recovery_file")) is committed
    everything_is_accounted_for(work, deployment.start(**QUICK))


def test_a_kill_between_commit_and_delete_is_healed_by_a_delivery_that_changes_nothing(
    deployment: Deployment, work: Workload, line: MakeLine, sqs_endpoint: str
) -> None:
    way = line(sqs_endpoint)
    way.proxy.hold_request = DELETE
    work.send(20)
    first = deployment.start(AWS_ENDPOINT_URL_SQS=way.url, **QUICK)
    deployment.until(way.proxy.reached.is_set, expected=True)
    work.await_some()
    kill(first)
    way.cut()
    way.let_go()
    everything_is_accounted_for(work, deployment.start(**QUICK))


@pytest.mark.matrix
@pytest.mark.parametrize("request_", [DELETE, RECEIVE], ids=["delete", "receive"])
def test_a_kill_before_the_answer_of_the_queue_loses_nothing(
    deployment: Deployment, work: Workload, line: MakeLine, sqs_endpoint: str, request_: bytes
) -> None:
    way = line(sqs_endpoint)
    way.proxy.hold_answer_to = request_
    work.send(20)
    first = deployment.launch(AWS_ENDPOINT_URL_SQS=way.url, **QUICK)
    deployment.until(way.proxy.reached.is_set, expected=True)
    kill(first)
    way.cut()
    way.let_go()
    everything_is_accounted_for(work, deployment.start(**QUICK))


@pytest.mark.matrix
def test_kills_in_a_row_lose_nothing(deployment: Deployment, work: Workload) -> None:
    # Twice: the queues of ORCA move what was received three times.
    work.send(200)
    for _ in range(2):
        first = deployment.start(**QUICK)
        work.await_some()
        kill(first)
    everything_is_accounted_for(work, deployment.start(**QUICK))
