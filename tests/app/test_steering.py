"""Two daemons on one queue obey what operators say in the database."""

import json
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
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
    assert "S3 is moved" in fleet.command("status").output
    for daemon in fleet.daemons:
        assert daemon.get("/readyz")[0] == 200
        [line] = daemon.events("intake.paused")
        assert (line["queue"], line["who"], line["why"]) == (QUEUE, "ada", "S3 is moved")
        until(lambda daemon=daemon: daemon.value('operator_actions_total{what="pause"}') == 1)
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
    assert fleet.command("pause", QUEUE).exit_code == 2  # without a reason
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
        "id <> original_id, to_jsonb(letter)::text FROM orca.orca_daemon_dead_letter AS letter WHERE reason LIKE '%statusId%'"
    )
    assert row[:-1] == (QUEUE, "request_files", "MalformedError", "rejected", True, True)
    assert "hunter2-body" not in row[-1]


def test_the_port_shows_the_state(fleet: Fleet) -> None:
    status, text = fleet.daemons[0].get("/state")
    document = json.loads(text)
    assert status == 200
    assert [queue["name"] for queue in document["queues"]] == [QUEUE]
    assert document["messages"] == []
