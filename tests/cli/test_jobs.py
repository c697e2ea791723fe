"""`orca-daemon jobs` and `job` on a real Postgres."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import Connection, text
from typer.testing import CliRunner, Result

from orca_daemon.cli import app
from orca_daemon.cli.options import parse_time
from orca_daemon.wire.status import RecoveryStatus
from tests.cli.conftest import NOW, insert_recovery


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def list_jobs(*arguments: str) -> dict[str, Any]:
    result = run("jobs", "--json", *arguments)
    assert result.exit_code == 0, result.output
    page: dict[str, Any] = json.loads(result.stdout)
    return page


def job_ids(*arguments: str) -> list[str]:
    return [job["job_id"] for job in list_jobs(*arguments)["jobs"]]


def read_job(*arguments: str) -> dict[str, Any]:
    details: dict[str, Any] = json.loads(run("job", *arguments, "--json").stdout)
    return details


PENDING, STAGED, FAILED, SUCCESS = RecoveryStatus


def test_a_job_sums_up_its_granules(connection: Connection) -> None:
    insert_recovery(connection, "j", SUCCESS, SUCCESS, granule="g1", age=3)
    insert_recovery(connection, "j", SUCCESS, STAGED, PENDING, FAILED, granule="g2", age=2)
    (job,) = list_jobs()["jobs"]
    assert job["status"] == "pending"
    assert [job[name] for name in ("granules", "pending", "staged", "failed", "success")] == [2, 1, 1, 1, 3]
    assert datetime.fromisoformat(job["request_time"]) == NOW - timedelta(hours=3)
    assert datetime.fromisoformat(job["last_update"]) == NOW - timedelta(hours=2)
    assert job["completion_time"] is None


def test_options_select_jobs_by_their_attributes(connection: Connection) -> None:
    insert_recovery(connection, "old", PENDING, SUCCESS, granule="g1", age=50)
    insert_recovery(connection, "failed", FAILED, SUCCESS, granule="g1", collection="c2", age=30)
    insert_recovery(connection, "done", SUCCESS, archive="a2", age=20)
    insert_recovery(connection, "new", STAGED, granule="g1", age=1)
    assert job_ids() == ["new", "done", "failed", "old"]
    assert job_ids("--status", "staged") == ["new"]
    assert job_ids("--status", "success") == ["done"]
    assert job_ids("--status", "open") == ["new", "old"]
    assert job_ids("--status", "open", "--status", "failed", "--collection", "c") == ["new", "old"]
    assert job_ids("--status", "open", "--status", "failed", "--status", "failed") == ["new", "failed", "old"]
    assert job_ids("--granule", "g1") == ["new", "failed", "old"]
    assert job_ids("--granule", "g1", "--collection", "c2") == ["failed"]
    assert job_ids("--archive", "a2") == ["done"]
    assert job_ids("--since", "2d") == ["new", "done", "failed"]
    assert job_ids("--since", "2d", "--until", (NOW - timedelta(hours=25)).isoformat()) == ["failed"]
    assert job_ids("--stuck", "24h") == ["old"]
    assert job_ids("--stuck", "30m") == ["new", "old"]
    assert job_ids("--granule", "nothing") == []


def test_a_job_is_stuck_if_one_of_its_granules_is_stuck(connection: Connection) -> None:
    insert_recovery(connection, "j", STAGED, granule="g1", age=30)
    insert_recovery(connection, "j", SUCCESS, granule="g2", age=0)
    assert job_ids("--stuck", "24h") == ["j"]


def test_pages_together_have_each_job_once(connection: Connection) -> None:
    for number in range(7):
        insert_recovery(connection, f"j{number}", SUCCESS, age=number // 2)
    listed: list[str] = []
    next_ids: list[str | None] = []
    for _ in range(4):
        after = ["--after", next_ids[-1]] if next_ids and next_ids[-1] else []
        page = list_jobs("--limit", "2", *after)
        listed += [job["job_id"] for job in page["jobs"]]
        next_ids.append(page["next"])
    assert next_ids == ["j0", "j2", "j4", None]
    assert job_ids("--after", "j6") == []
    assert listed == ["j1", "j0", "j3", "j2", "j5", "j4", "j6"]


def test_a_job_shows_its_granules_and_files(connection: Connection) -> None:
    insert_recovery(connection, "j", SUCCESS, FAILED, granule="g1", error="no [bold]such[/] key\x1b[31m")
    insert_recovery(connection, "j", PENDING, granule="g2")
    details = read_job("j")
    assert [granule["granule_id"] for granule in details["granules"]] == ["g1", "g2"]
    assert [(file["filename"], file["status"]) for file in details["files"]] == [
        ("0.h5", "success"),
        ("1.h5", "failed"),
        ("0.h5", "pending"),
    ]
    failed = read_job("j", "--status", "failed")
    assert [file["error_message"] for file in failed["files"]] == ["no [bold]such[/] key\x1b[31m"]
    open_files = read_job("j", "--status", "failed", "--status", "open")
    assert [file["status"] for file in open_files["files"]] == ["failed", "pending"]
    one = read_job("j", "--granule", "g2")
    assert [file["granule_id"] for file in one["files"]] == ["g2"]
    few = read_job("j", "--limit", "2")
    assert (len(few["files"]), few["more_files"]) == (2, True)


def test_a_table_prints_markup_as_text_and_replaces_control_characters(connection: Connection) -> None:
    insert_recovery(connection, "j", FAILED, error="no [bold]such[/] key\x1b[31m")
    output = run("job", "j").stdout
    assert "no [bold]such[/] key\N{REPLACEMENT CHARACTER}[31m" in output
    assert "\x1b" not in output
    assert "failed" in run("jobs").stdout


UUIDS = ("8f3a61c2-52e4-4d0b-9d3e-0c1f6a7b8e90", "8f3a61ff-867a-14a7-53c9-c5499e9bb311", "9d3e0c1f")


@pytest.fixture
def uuids(connection: Connection) -> None:
    for age, job in enumerate(UUIDS):
        insert_recovery(connection, job, PENDING, age=age)


@pytest.mark.parametrize("start", ["8f3a61c", UUIDS[0], "8f3a61c2-52e4…"], ids=["short", "whole", "as cut"])
def test_a_job_is_found_by_as_much_of_its_id_as_no_other_has(uuids: None, start: str) -> None:
    assert read_job(start)["job_id"] == UUIDS[0]
    assert job_ids("--after", start) == [UUIDS[1], UUIDS[2]]
    assert f"job {UUIDS[0]}" in run("job", start).stdout


def test_an_ambiguous_id_is_answered_with_the_candidates(uuids: None) -> None:
    expected = f"the ids of several jobs begin with '8f3a61': '{UUIDS[0]}', '{UUIDS[1]}'"
    for command in (["job"], ["recover", "--yes"]):
        result = run(*command, "8f3a61")
        assert (result.exit_code, result.stderr) == (1, f"orca-daemon: {expected}\n")
    result = run("jobs", "--after", "8f3a61")
    assert (result.exit_code, expected in result.stderr) == (2, True)


def test_of_many_candidates_ten_are_named(connection: Connection) -> None:
    for number in range(12):
        insert_recovery(connection, f"op-{number:02}", PENDING)
    names = ", ".join(f"'op-{number:02}'" for number in range(10))
    assert run("job", "op").stderr.endswith(f"begin with 'op': {names}, …\n")


def test_a_whole_id_is_found_though_others_begin_with_it(connection: Connection) -> None:
    for job in ("op-1", "op-10", "op_1", "op%1"):
        insert_recovery(connection, job, PENDING)
    assert read_job("op-1")["job_id"] == "op-1"
    assert read_job("op%")["job_id"] == "op%1"
    assert run("job", "").exit_code == 1


def test_an_empty_list_says_so_beside_the_pipe(connection: Connection) -> None:
    nothing = run("jobs")
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    assert nothing.stderr == (
        "There are no recovery jobs yet: the first new_job on the queue status_update makes one.\n"
    )
    insert_recovery(connection, "j", SUCCESS)
    assert run("jobs", "--granule", "other").stderr == "No recovery job matches.\n"
    assert run("job", "j", "--status", "failed").stderr == "No file of this job matches.\n"
    assert run("jobs", "--granule", "other", "--csv").stdout.startswith("job_id,status,")


def test_a_collection_that_no_job_has_is_answered_with_those_that_may_have_been_meant(
    connection: Connection,
) -> None:
    insert = text("INSERT INTO orca.collections VALUES (:id, :short, '006')")
    for number in range(7):
        connection.execute(insert, {"id": f"L{number}", "short": "LONG"})
    connection.execute(insert, {"id": "MOD09GQ___006", "short": "MOD09GQ"})
    insert_recovery(connection, "j", SUCCESS, collection="MOD09GQ___061")

    near = run("jobs", "--collection", "mod09gq")
    assert near.exit_code == 0
    assert near.stderr.splitlines() == [
        "No recovery job matches.",
        "there is no collection mod09gq; did you mean MOD09GQ___006 or MOD09GQ___061?",
    ]
    assert "did you mean L0 or L1 or L2 or L3 or L4?" in run("jobs", "--collection", "long").stderr
    assert run("jobs", "--collection", "MOD09GQ___006").stderr == "No recovery job matches.\n"


def test_a_reader_that_has_gone_ends_a_command_without_a_word(connection: Connection) -> None:
    """As `orca-daemon status | head -1` does; status prints while its connections are open."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "orca_daemon", "status"]
    ended = subprocess.run(command, env=os.environ, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (
        1,
        b"No daemon has written to this database within the last hour.\n",
    )


def test_today_and_yesterday_are_times() -> None:
    now = datetime(2026, 11, 29, 1, tzinfo=timezone(timedelta(hours=5)))  # 28 November in UTC

    assert parse_time("today", now, "--since") == datetime(2026, 11, 28, tzinfo=UTC)
    assert parse_time("yesterday", now, "--since") == datetime(2026, 11, 27, tzinfo=UTC)


def test_an_unknown_job_exits_1(connection: Connection) -> None:
    result = run("job", "nothing")
    assert result.exit_code == 1
    assert "no job 'nothing'" in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("jobs", "--stuck", "soon"),
        ("jobs", "--stuck", "999999w"),
        ("jobs", "--since", "then"),
        ("jobs", "--since", "999999w"),
        ("jobs", "--after", "nothing"),
        ("jobs", "--granule", "\udcff"),
        ("job", "\udcff"),
        ("job",),
    ],
)
def test_wrong_usage_exits_2(connection: Connection, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_a_wrong_time_is_reported_with_the_option_and_the_forms_it_takes(connection: Connection) -> None:
    since, stuck = run("jobs", "--since", "then").output, run("jobs", "--stuck", "soon").output
    assert (
        "--since: 'then' is not a time; use ISO 8601, today, yesterday, or a span such as 30m, 24h, 7d"
        in since
    )
    assert "--stuck: 'soon' is not a span of time; use one such as 30m, 24h, 7d" in stuck


def test_wrong_settings_exit_78_and_an_unreachable_database_exits_1(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("jobs").exit_code == 78
    monkeypatch.setenv("DATABASE_URL", "secret:some-arn")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    result = run("jobs")
    assert result.exit_code == 78
    assert "no AWS region" in result.output
    monkeypatch.setenv("DATABASE_URL", "postgresql://somebody:hunter2@127.0.0.1:1/orca")
    result = run("jobs")
    assert result.exit_code == 1
    assert "postgres is down" in result.output
    assert "hunter2" not in result.output
