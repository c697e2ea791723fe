"""A running daemon: its health, metrics and log, and what signals do to it."""

import json
import re
import signal
import time
from contextlib import closing
from urllib.error import URLError

import psycopg2
import pytest

from tests.app.conftest import Running
from tests.conftest import Server
from tests.waiting import until

FINISHED = 'messages_settled_total{outcome="dead_lettered",queue="status_update"}'
RECEIVED = 'messages_received_total{queue="status_update"}'
REJECTED = 'dlq_messages_total{queue="status_update",reason="rejected"}'
PAUSED = 'queue_paused{queue="status_update"}'


def execute(url: str, statement: str) -> None:
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)


def update(job: str) -> dict[str, object]:
    return {
        "jobId": job,
        "granuleId": "g",
        "collectionId": "c",
        "filename": "f",
        "lastUpdate": "2026-01-01T00:00:00+00:00",
        "statusId": 2,
    }


def test_it_is_live_and_ready_and_each_check_is_a_line(shared: Running) -> None:
    live, checks = shared.checks("/livez")
    ready, more = shared.checks("/readyz")

    assert (live, ready) == (200, 200)
    assert set(checks) == {"event_loop", "poller:status_update"}
    assert set(more) == {"started", "draining", "paused", "dependency:postgres", "queue:status_update"}


def test_a_settled_message_is_counted_and_logged_once(shared: Running) -> None:
    names = (FINISHED, RECEIVED, REJECTED)
    before, logged = [shared.value(name) for name in names], len(shared.events("message.dead_lettered"))
    shared.send("no JSON", RequestMethod="update_file")

    until(lambda: shared.value(FINISHED) == before[0] + 1)
    until(lambda: len(shared.events("message.dead_lettered")) > logged)
    (line,) = shared.events("message.dead_lettered")[logged:]
    assert line["level"] == "error"
    assert line["group_id"] == "request_files"
    assert [shared.value(name) - was for name, was in zip(names, before, strict=True)] == [1, 1, 1]


def test_no_series_appears_while_it_works(shared: Running) -> None:
    def series() -> set[str]:
        return set(re.findall(r"^\w+(?:\{[^}]*\})?", shared.get("/metrics")[1], re.MULTILINE))

    before, finished = series(), shared.value(FINISHED)
    for number in range(20):
        shared.send("no JSON", RequestMethod="update_file")
        shared.send(update(f"j-{number}"), RequestMethod="update_file")
    until(lambda: shared.value(FINISHED) == finished + 40)

    assert before == series()


def test_usr2_stops_and_resumes_the_intake(shared: Running) -> None:
    shared.signal(signal.SIGUSR2)
    until(lambda: shared.value(PAUSED) == 1)
    status, checks = shared.checks("/readyz")
    assert (status, checks["paused"]) == (503, False)
    assert shared.get("/livez")[0] == 200
    until(lambda: shared.events("intake.paused"))

    shared.signal(signal.SIGUSR2)
    until(lambda: shared.value(PAUSED) == 0)
    finished = shared.value(FINISHED)
    shared.send("no JSON", RequestMethod="update_file")
    until(lambda: shared.value(FINISHED) == finished + 1)
    assert shared.get("/readyz")[0] == 200


def test_usr1_writes_the_state_and_all_stacks(shared: Running) -> None:
    shared.signal(signal.SIGUSR1)

    until(lambda: shared.events("dump.task"))
    assert shared.events("dump.state")
    assert any(line["thread"] == "MainThread" for line in shared.events("dump.thread"))


def test_hup_reads_the_log_level_again(shared: Running) -> None:
    shared.settings.write_text('[log]\nlevel = "debug"\n', "utf-8")
    shared.signal(signal.SIGHUP)

    until(lambda: shared.events("reloaded"))
    assert [line["log_level"] for line in shared.events("reloaded")] == ["debug"]


def test_hup_with_wrong_settings_changes_nothing(shared: Running) -> None:
    shared.settings.write_text('[log]\nlevel = "loud"\n', "utf-8")
    shared.signal(signal.SIGHUP)

    until(lambda: shared.events("reload.refused"))
    assert "log.level" in shared.events("reload.refused")[0]["mistakes"][0]
    assert shared.get("/readyz")[0] == 200


def test_a_stopped_process_fails_its_probe_and_its_loop_lag_is_measured_afterwards(shared: Running) -> None:
    shared.signal(signal.SIGSTOP)
    try:
        with pytest.raises((TimeoutError, URLError)):
            shared.get("/livez", timeout=2.5)
    finally:
        shared.signal(signal.SIGCONT)

    until(
        lambda: (
            shared.value('event_loop_lag_seconds_bucket{le="1.0"}')
            < shared.value("event_loop_lag_seconds_count")
        )
    )
    until(lambda: shared.get("/livez")[0] == 200)


def test_an_open_breaker_fails_readiness_until_the_database_is_back(
    running: Running, postgres: Server, database_url: str
) -> None:
    name = database_url.rpartition("/")[2]
    execute(postgres.url, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    execute(postgres.url, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    running.send(update("j"), RequestMethod="update_file")
    until(lambda: running.value('breaker_open{dependency="postgres"}') == 1)
    status, checks = running.checks("/readyz")
    assert (status, checks["dependency:postgres"]) == (503, False)
    assert running.get("/livez")[0] == 200
    until(lambda: running.events("dependency.down"))

    execute(postgres.url, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')

    until(lambda: running.get("/readyz")[0] == 200)
    assert running.events("dependency.up")
    # The outage was not charged to the message; then it was rejected, because its new_job never came.
    until(lambda: running.events("message.dead_lettered"))
    assert running.events("message.dead_lettered")[0]["attempts"] == 1


def test_a_drain_fails_readiness_until_it_ends(running: Running, database_url: str) -> None:
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        # The handler waits for this lock, so the drain waits for the handler.
        cursor.execute("LOCK TABLE orca.recovery_job, orca.recovery_file IN ACCESS EXCLUSIVE MODE")
        running.send(update("j"), RequestMethod="update_file")
        until(lambda: running.value('messages_held{queue="status_update",state="running"}') == 1)
        began = time.time()
        running.signal(signal.SIGTERM)
        until(lambda: running.value("draining") == 1)
        status, checks = running.checks("/readyz")
        assert (status, checks["draining"]) == (503, False)
        assert running.get("/livez")[0] == 200
        assert began <= running.value("drain_started_timestamp_seconds") <= time.time()
        connection.rollback()

    until(lambda: running.daemon.poll() is not None)
    assert running.daemon.poll() == 0
    assert [line["event"] for line in running.events("stopped")] == ["stopped"]


def test_the_log_holds_no_bodies_and_no_passwords(running: Running, database_url: str) -> None:
    running.send(json.dumps(update("j")) + "hunter2", RequestMethod="update_file")
    until(lambda: running.value(FINISHED) == 1)
    until(lambda: running.events("message.dead_lettered"))

    assert "hunter2" not in running.log.read_text("utf-8")
