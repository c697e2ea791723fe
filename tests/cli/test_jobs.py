"""`orca-daemon jobs` and `job` on a real Postgres."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection
from typer.testing import CliRunner, Result

from orca_daemon.cli import app
from orca_daemon.wire.status import RecoveryStatus
from tests.cli.conftest import NOW, recovery


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def listed(*arguments: str) -> dict[str, Any]:
    ran = run("jobs", "--json", *arguments)
    assert ran.exit_code == 0, ran.output
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer


def ids(*arguments: str) -> list[str]:
    return [job["job_id"] for job in listed(*arguments)["jobs"]]


PENDING, STAGED, FAILED, SUCCESS = RecoveryStatus


def test_a_job_is_the_sum_of_its_granules(tables: Connection) -> None:
    recovery(tables, "j", SUCCESS, SUCCESS, granule="g1", age=3)
    recovery(tables, "j", SUCCESS, STAGED, PENDING, FAILED, granule="g2", age=2)
    (job,) = listed()["jobs"]
    assert job["status"] == "pending"
    assert [job[name] for name in ("granules", "pending", "staged", "failed", "success")] == [2, 1, 1, 1, 3]
    assert datetime.fromisoformat(job["request_time"]) == NOW - timedelta(hours=3)
    assert datetime.fromisoformat(job["last_update"]) == NOW - timedelta(hours=2)
    assert job["completion_time"] is None


def test_jobs_are_chosen_by_their_attributes(tables: Connection) -> None:
    recovery(tables, "old", PENDING, SUCCESS, granule="g1", age=50)
    recovery(tables, "failed", FAILED, SUCCESS, granule="g1", collection="c2", age=30)
    recovery(tables, "done", SUCCESS, archive="a2", age=20)
    recovery(tables, "new", STAGED, granule="g1", age=1)
    assert ids() == ["new", "done", "failed", "old"]
    assert ids("--status", "staged") == ["new"]
    assert ids("--status", "success") == ["done"]
    assert ids("--granule", "g1") == ["new", "failed", "old"]
    assert ids("--granule", "g1", "--collection", "c2") == ["failed"]
    assert ids("--archive", "a2") == ["done"]
    assert ids("--since", "2d") == ["new", "done", "failed"]
    assert ids("--since", "2d", "--until", (NOW - timedelta(hours=25)).isoformat()) == ["failed"]
    assert ids("--stuck", "24h") == ["old"]
    assert ids("--stuck", "30m") == ["new", "old"]
    assert ids("--granule", "nothing") == []


def test_a_job_that_moves_in_one_place_may_be_stuck_in_another(tables: Connection) -> None:
    recovery(tables, "j", STAGED, granule="g1", age=30)
    recovery(tables, "j", SUCCESS, granule="g2", age=0)
    assert ids("--stuck", "24h") == ["j"]


def test_pages_follow_one_another_without_gap_or_repetition(tables: Connection) -> None:
    for number in range(7):
        recovery(tables, f"j{number}", SUCCESS, age=number // 2)
    seen: list[str] = []
    following: list[str | None] = []
    for _ in range(4):
        after = ["--after", following[-1]] if following and following[-1] else []
        page = listed("--limit", "2", *after)
        seen += [job["job_id"] for job in page["jobs"]]
        following.append(page["next"])
    assert following == ["j0", "j2", "j4", None]
    assert ids("--after", "j6") == []
    assert seen == ["j1", "j0", "j3", "j2", "j5", "j4", "j6"]


def test_a_job_shows_its_granules_and_files(tables: Connection) -> None:
    recovery(tables, "j", SUCCESS, FAILED, granule="g1", error="no [bold]such[/] key\x1b[31m")
    recovery(tables, "j", PENDING, granule="g2")
    answer = json.loads(run("job", "j", "--json").stdout)
    assert [granule["granule_id"] for granule in answer["granules"]] == ["g1", "g2"]
    assert [(file["filename"], file["status"]) for file in answer["files"]] == [
        ("0.h5", "success"),
        ("1.h5", "failed"),
        ("0.h5", "pending"),
    ]
    failed = json.loads(run("job", "j", "--json", "--status", "failed").stdout)
    assert [file["error_message"] for file in failed["files"]] == ["no [bold]such[/] key\x1b[31m"]
    one = json.loads(run("job", "j", "--json", "--granule", "g2").stdout)
    assert [file["granule_id"] for file in one["files"]] == ["g2"]
    few = json.loads(run("job", "j", "--json", "--limit", "2").stdout)
    assert (len(few["files"]), few["more_files"]) == (2, True)


def test_tables_show_text_as_it_is_and_command_no_terminal(tables: Connection) -> None:
    recovery(tables, "j", FAILED, error="no [bold]such[/] key\x1b[31m")
    shown = run("job", "j").stdout
    assert "no [bold]such[/] key\N{REPLACEMENT CHARACTER}[31m" in shown
    assert "\x1b" not in shown
    assert "failed" in run("jobs").stdout


def test_a_job_that_is_not_there_exits_1(tables: Connection) -> None:
    ran = run("job", "nothing")
    assert ran.exit_code == 1
    assert "no job 'nothing'" in ran.output


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
def test_what_is_used_wrongly_exits_2(tables: Connection, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_without_a_database_the_exit_code_says_whose_fault_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("jobs").exit_code == 78
    monkeypatch.setenv("DATABASE_URL", "secret:some-arn")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    ran = run("jobs")
    assert ran.exit_code == 78
    assert "no AWS region" in ran.output
    monkeypatch.setenv("DATABASE_URL", "postgresql://somebody:hunter2@127.0.0.1:1/orca")
    ran = run("jobs")
    assert ran.exit_code == 1
    assert "postgres is down" in ran.output
    assert "hunter2" not in ran.output
