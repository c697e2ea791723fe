"""Two daemons on one queue obey what operators say in the database."""

import json
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import psycopg2
import pytest
from typer.testing import CliRunner, Result

from orca_daemon.cli import app
from orca_daemon.local.daemon import Daemon
from orca_daemon.local.ports import free_port
from tests.app.conftest import DaemonSetup, Running, daemon_setup, running_daemon
from tests.conftest import Server
from tests.waiting import until

PAUSED = 'queue_paused{queue="status_update"}'
RECEIVED = 'messages_received_total{queue="status_update"}'
QUEUE = "status_update"
WAIT = 1.0
"""`engine.wait` of these daemons."""


class Fleet(NamedTuple):
    """Daemons on one queue, and the commands of an operator."""

    setup: DaemonSetup
    daemons: list[Running]
    database: str

    def command(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, arguments, env=dict(self.setup.environment))

    def ok(self, *arguments: str) -> dict[str, Any]:
        ended = self.command(*arguments, "--json")
        assert ended.exit_code == 0, ended.output
        document: dict[str, Any] = json.loads(ended.stdout)
        return document

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        return rows(self.database, statement)


def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(statement)
        return list(cursor.fetchall()) if cursor.description else []


def another(setup: DaemonSetup, **more: str) -> DaemonSetup:
    """The same queue and database, on a port of its own."""
    port = free_port()
    environment: Mapping[str, str] = {**setup.environment, "ORCA_HTTP__PORT": str(port), **more}
    return replace(setup, port=port, environment=environment)


@pytest.fixture(scope="module")
def fleet(postgres: Server, sqs_endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two daemons; tests leave the queue resumed and empty."""
    url = postgres.migrated()
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("first")
        setup = stack.enter_context(daemon_setup(sqs_endpoint, url, folder, {}))
        first = stack.enter_context(running_daemon(setup, folder, Daemon.program))
        folder = tmp_path_factory.mktemp("second")
        second = stack.enter_context(running_daemon(another(setup), folder, Daemon.program))
        yield Fleet(setup, [first, second], url)
    assert rows(url, "SELECT count(*) FROM orca.orca_daemon_process") == [(0,)]
    postgres.drop(url)


def received(daemons: list[Running]) -> float:
    return sum(daemon.value(RECEIVED) for daemon in daemons)


def receives_nothing(daemon: Running) -> bool:
    """Whether it is paused, and the long poll that was under way has ended."""
    silence = time.time() - daemon.value(f'last_poll_success_timestamp_seconds{{queue="{QUEUE}"}}')
    return daemon.value(PAUSED) == 1 and silence > WAIT + 1


def counted(daemon: Running, verb: str) -> bool:
    return daemon.value(f'operator_actions_total{{what="{verb}"}}') > 0


def test_both_daemons_obey_a_pause_and_a_resume_and_everything_says_who_and_why(fleet: Fleet) -> None:
    paused = fleet.ok("pause", QUEUE, "--reason", "S3 is moved", "--who", "ada", "--action", str(uuid4()))
    assert paused["changed"] == [QUEUE]
    until(lambda: all(receives_nothing(daemon) for daemon in fleet.daemons))
    before = received(fleet.daemons)
    fleet.daemons[0].send("no JSON", RequestMethod="update_file")

    until(lambda: fleet.ok("status")["queues"][0]["daemons"] == 2)
    status = fleet.ok("status")
    [queue] = status["queues"]
    assert (queue["name"], queue["paused_by"], queue["pause"]["who"]) == (QUEUE, ["database"], "ada")
    assert queue["pause"]["why"] == "S3 is moved"
    assert [(action["what"], action["done"]) for action in status["actions"]] == [("pause", 1)]
    assert (queue["waiting"], queue["dead"], status["failed_files"]) == (1, 0, 0)
    assert "S3 is moved" in fleet.command("status").output
    for daemon in fleet.daemons:
        assert daemon.get("/readyz")[0] == 200
        [line] = daemon.events("intake.paused")
        assert (line["queue"], line["who"], line["why"]) == (QUEUE, "ada", "S3 is moved")
        until(partial(counted, daemon, "pause"))
        [line] = daemon.events("action.finished")
        assert line["filter"] == {"queues": [QUEUE], "why": "S3 is moved"}
    assert received(fleet.daemons) == before

    assert fleet.ok("resume", "--all")["changed"] == [QUEUE]
    until(lambda: received(fleet.daemons) == before + 1)


def test_an_action_of_one_id_happens_once(fleet: Fleet) -> None:
    action = str(uuid4())
    first = fleet.ok("pause", QUEUE, "--reason", "twice", "--action", action)
    fleet.ok("resume", QUEUE)
    again = fleet.ok("pause", QUEUE, "--reason", "twice", "--action", action)
    assert (first["done_before"], again["done_before"]) == (False, True)
    assert fleet.rows(f"SELECT paused FROM orca.orca_daemon_control WHERE queue = '{QUEUE}'") == [(False,)]
    assert fleet.command("pause", QUEUE, "--reason", "other", "--action", action).exit_code == 2


def test_a_queue_that_does_not_exist_is_not_paused(fleet: Fleet) -> None:
    ended = fleet.command("pause", "recvoery", "--reason", "x")
    assert (ended.exit_code, "there are: status_update" in ended.output) == (2, True)
    without = fleet.command("pause", QUEUE)
    assert (without.exit_code, f'pause {QUEUE} --reason "S3 maint' in without.output) == (2, True)
    assert fleet.rows("SELECT count(*) FROM orca.orca_daemon_control WHERE queue = 'recvoery'") == [(0,)]


def test_reload_applies_what_can_be_applied_and_names_what_needs_a_restart(fleet: Fleet) -> None:
    daemon = fleet.daemons[0]
    until(lambda: len(fleet.ok("status")["daemons"]) == 2)
    fleet.setup.settings.write_text(
        '[queues.status_update]\npaused = true\n[engine]\nheld = 77\n[log]\nlevel = "debug"\n', "utf-8"
    )
    assert sorted(fleet.ok("reload")["pids"]) == sorted(each.pid for each in fleet.daemons)
    until(lambda: daemon.value(PAUSED) == 1)
    [line] = daemon.events("reloaded")
    assert line["applied"] == ["log.level", "queues.status_update.paused"]
    assert line["need_restart"] == ["engine.held"]
    assert daemon.events("intake.paused")[-1]["cause"] == "settings"

    fleet.setup.settings.write_text("", "utf-8")
    fleet.ok("reload", "--pid", str(daemon.pid))
    until(lambda: daemon.value(PAUSED) == 0)
    daemon.signal(signal.SIGHUP)
    until(lambda: len(daemon.events("reloaded")) == 3)
    assert daemon.events("reloaded")[-1]["applied"] == []
    fleet.ok("reload", "--pid", str(fleet.daemons[1].pid))


def test_a_dead_letter_is_recorded_with_the_facts_of_its_log_line_and_no_body(fleet: Fleet) -> None:
    daemon = fleet.daemons[0]
    daemon.send({"jobId": "hunter2-body", "statusId": 99}, RequestMethod="update_file")
    until(
        lambda: (
            len(fleet.rows("SELECT 1 FROM orca.orca_daemon_dead_letter WHERE reason LIKE '%statusId%'")) == 1
        )
    )
    [row] = fleet.rows(
        "SELECT queue, group_id, error_type, facts ->> 'cause', expires_at > dead_lettered_at, "
        "id <> original_id, to_jsonb(letter)::text FROM orca.orca_daemon_dead_letter AS letter "
        "WHERE reason LIKE '%statusId%'"
    )
    assert row[:-1] == (QUEUE, "request_files", "MalformedError", "rejected", True, True)
    assert "hunter2-body" not in row[-1]


def test_the_port_shows_the_state(fleet: Fleet) -> None:
    status, text = fleet.daemons[0].get("/state")
    document = json.loads(text)
    assert status == 200
    assert [queue["name"] for queue in document["queues"]] == [QUEUE]
    assert document["messages"] == []


@pytest.mark.matrix
def test_a_daemon_that_starts_later_obeys_before_its_first_receive(fleet: Fleet, tmp_path: Path) -> None:
    fleet.ok("pause", QUEUE, "--reason", "a third comes")
    try:
        until(lambda: all(receives_nothing(daemon) for daemon in fleet.daemons))
        fleet.daemons[0].send("no JSON", RequestMethod="update_file")
        with running_daemon(another(fleet.setup), tmp_path, Daemon.program) as third:
            assert third.value(PAUSED) == 1
            assert third.get("/readyz")[0] == 200
            until(lambda: third.value('queue_visible_messages{queue="status_update"}') == 1)
            oldest = third.value(f'paused_queue_oldest_timestamp_seconds{{queue="{QUEUE}"}}')
            assert third.value('polls_total{outcome="empty",queue="status_update"}') == 0
            assert third.value(RECEIVED) == 0
            until(lambda: len(fleet.ok("status")["daemons"]) == 3)
        [[since]] = fleet.rows(
            "SELECT extract(epoch FROM since)::float8 FROM orca.orca_daemon_control WHERE paused"
        )
        assert oldest in {0.0, since}
    finally:
        fleet.ok("resume", QUEUE)
    until(lambda: fleet.rows("SELECT count(*) FROM orca.orca_daemon_process") == [(2,)])


@pytest.mark.matrix
def test_while_the_database_is_down_the_last_state_holds_and_pause_names_the_signal(
    fleet: Fleet, postgres: Server
) -> None:
    name = fleet.database.rpartition("/")[2]
    fleet.ok("pause", QUEUE, "--reason", "before the outage")
    until(lambda: all(receives_nothing(daemon) for daemon in fleet.daemons))
    rows(postgres.url, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    rows(postgres.url, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    try:
        until(lambda: all(daemon.value("steering_up") == 0 for daemon in fleet.daemons))
        assert all(daemon.value(PAUSED) == 1 for daemon in fleet.daemons)
        for arguments in (("pause", QUEUE, "--reason", "x"), ("resume", QUEUE)):
            ended = fleet.command(*arguments)
            assert (ended.exit_code, "SIGUSR2" in ended.output) == (1, True)
        assert fleet.command("reload").exit_code == 1
        fleet.daemons[0].signal(signal.SIGUSR2)
        until(lambda: any("queue" not in line for line in fleet.daemons[0].events("intake.paused")))
        fleet.daemons[0].signal(signal.SIGUSR2)
        until(lambda: any("queue" not in line for line in fleet.daemons[0].events("intake.resumed")))
        assert fleet.daemons[0].value(PAUSED) == 1  # the signal is taken back, and the table still holds
    finally:
        rows(postgres.url, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    until(lambda: all(daemon.value("steering_up") == 1 for daemon in fleet.daemons))
    assert all(daemon.value(PAUSED) == 1 for daemon in fleet.daemons)
    assert [len(daemon.events("steering.unread")) for daemon in fleet.daemons] == [1, 1]
    fleet.ok("resume", QUEUE)
    until(lambda: all(daemon.value(PAUSED) == 0 for daemon in fleet.daemons))


@pytest.mark.matrix
def test_no_receive_runs_within_the_time_that_is_promised(fleet: Fleet) -> None:
    for _ in range(3):
        began = time.time()
        fleet.ok("pause", QUEUE, "--reason", "measured")
        until(lambda: all(receives_nothing(daemon) for daemon in fleet.daemons))
        last = max(
            daemon.value(f'last_poll_success_timestamp_seconds{{queue="{QUEUE}"}}')
            for daemon in fleet.daemons
        )
        assert last - began < WAIT + 5
        fleet.ok("resume", QUEUE)
        until(lambda: all(daemon.value(PAUSED) == 0 for daemon in fleet.daemons))


@pytest.mark.matrix
def test_without_its_tables_steering_is_off_until_they_come(fleet: Fleet, tmp_path: Path) -> None:
    daemon, before = fleet.daemons[0], len(fleet.daemons[0].events("steering.off"))
    fleet.rows("ALTER TABLE orca.orca_daemon_control RENAME TO elsewhere")
    until(lambda: daemon.value("steering_up") == 0)
    ended = fleet.command("pause", QUEUE, "--reason", "x")
    assert (ended.exit_code, "orca-daemon db upgrade" in ended.output) == (1, True)
    assert "orca_daemon_control missing" in fleet.command("check").output
    with running_daemon(another(fleet.setup), tmp_path, Daemon.program) as third:
        assert len(third.events("steering.off")) == 1
        handled = third.value(RECEIVED)
        fleet.daemons[0].send("no JSON", RequestMethod="update_file")
        until(lambda: received([*fleet.daemons, third]) > handled)
    fleet.rows("ALTER TABLE orca.elsewhere RENAME TO orca_daemon_control")
    until(lambda: daemon.value("steering_up") == 1)
    assert len(daemon.events("steering.off")) == before + 1


@pytest.mark.matrix
def test_a_daemon_that_is_killed_leaves_a_row_that_expires(fleet: Fleet, tmp_path: Path) -> None:
    with running_daemon(another(fleet.setup), tmp_path, Daemon.program) as third:
        until(lambda: fleet.rows("SELECT count(*) FROM orca.orca_daemon_process") == [(3,)])
        third.signal(signal.SIGKILL)
        until(lambda: third.daemon.poll() is not None)
    pid = third.daemon.pid
    aged = (
        "UPDATE orca.orca_daemon_process SET seen_at = seen_at - interval '2 min' "
        f"WHERE state ->> 'pid' = '{pid}'"
    )
    fleet.rows(aged)
    silent = [row for row in fleet.ok("status")["daemons"] if row["silent"] > 30]
    assert [row["state"]["pid"] for row in silent] == [pid]
    assert "gone?" in fleet.command("status").output
    fleet.rows(aged.replace("2 min", "2 h"))
    until(lambda: fleet.rows("SELECT count(*) FROM orca.orca_daemon_process") == [(2,)])
