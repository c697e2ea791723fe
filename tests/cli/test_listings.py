"""What each listing prints at 80, 120 and 200 columns, in a pipe, as CSV and as JSON: whole outputs.

`WRITE_LISTINGS=1 ./dev pytest tests/cli/test_listings.py` writes the expected outputs again, and fails.
"""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orca_daemon.cli import app, output
from orca_daemon.cli.check import FINDINGS
from orca_daemon.cli.view import View
from orca_daemon.operations import recovery
from orca_daemon.operations.recovery import OpenFiles
from tests.cli.archived import (
    ARCHIVE,
    GRANULE,
    HOSTILE,
    JOB,
    KEY,
    OPEN_FILES,
    OTHER_JOB,
    insert_catalog,
    insert_jobs,
    insert_reports,
    replace_operations,
    returning,
)
from tests.cli.conftest import connected
from tests.conftest import Server

FOLDER = Path(__file__).parent / "listings"
LISTINGS = {
    "jobs": ["jobs"],
    "job": ["job", JOB],
    "job-hostile": ["job", HOSTILE],
    "reports": ["reports"],
    "report": ["report", "4711"],
    "dlq-list": ["dlq", "list", "q"],
    "dlq-redrive": ["dlq", "redrive", "q", "--dry-run"],
    "failures": ["failures"],
    "recover": ["recover", JOB, "--dry-run"],
    "export": ["export", "recovery_file", "files"],
    "check": ["check"],
    "catalog-show": ["catalog", "show", GRANULE],
    "catalog-show-hostile": ["catalog", "show", HOSTILE],
    "catalog-count": ["catalog", "count", "--by", "storage-class"],
    "restore": ["restore", GRANULE, "--to", "podaac-ops-cumulus-protected", "--job", JOB, "--dry-run"],
}
NO_TABLES = {"reconcile": ["reconcile", "s3://reports/a/manifest.json"], "db-status": ["db", "status"]}
FORMS = {"80 columns": 80, "120 columns": 120, "200 columns": 200, "a pipe": None}
WHOLE = {
    "failures": [f"s3://{ARCHIVE}/<name> does not exist", f"s3://{ARCHIVE}/{KEY}.hdf does not exist", JOB],
    "jobs": [JOB],
    "job": [JOB, GRANULE, ARCHIVE, f"s3://{ARCHIVE}/{KEY}.hdf does not exist"],
    "report": [f"{KEY}.hdf", f"{KEY}-1.hdf.met", f"{KEY}.met", "etag, size_in_bytes", GRANULE],
    "dlq-list": [f"s3://{ARCHIVE}/{KEY}.hdf does not exist", f"{JOB}/{GRANULE}", JOB],
    "recover": [f"s3://{ARCHIVE}/{KEY}.hdf", GRANULE, "copies.targets does not name it"],
    "export": ["s3://exports/recovery_file/2026/11/29/043000000000.parquet"],
    "catalog-show": [GRANULE, f"{KEY}.hdf", f"{KEY}.met", ARCHIVE],
    "restore": [ARCHIVE, "podaac-ops-cumulus-protected", "1,649,267,441,664"],
    "check": [
        "Cannot connect to host sqs.us-west-2.amazonaws.com:443",
        "check the endpoint, the network and the proxy",
    ],
}
KEYS = {
    "jobs": {"jobs", "next"},
    "job": {"job_id", "granules", "files", "more_files"},
    "report": {
        *("id", "bucket", "status", "inventory_creation_time", "start_time", "last_update", "end_time"),
        *("error_message", "phantom", "orphan", "mismatch", "rows"),
    },
    "dlq-list": {"queue", "approximate_count", "letters"},
    "dlq-redrive": {"would_move"},
    "failures": {"since", "groups", "queues"},
    "recover": {"job_id", "posted", "files"},
    "export": {"now", "bucket", "dry_run", "keys", "tables"},
    "check": {"works", "findings"},
    "catalog-show": {"granules"},
    "catalog-count": {"by", "counts"},
    "restore": {
        *("job_id", "dry_run", "tier", "days", "granules", "objects", "bytes", "bytes_to_restore"),
        *("excluded", "shares", "posted", "messages"),
    },
    "reconcile": {"job", "bucket", "seconds", "compared", "reports"},
    "db-status": {"verdict", "version", "recorded_version", "missing_indexes", "usable", "steps"},
}
"""The keys that programs read: none of them may go."""


@pytest.fixture(scope="module")
def archive(postgres: Server) -> Iterator[str]:
    """The URL of one database for all these tests, which only read it."""
    url = postgres.migrated()
    with connected(url) as connection, pytest.MonkeyPatch.context() as monkeypatch:
        insert_jobs(connection, monkeypatch)
        insert_reports(connection)
        insert_catalog(connection)
    yield url
    postgres.drop(url)


@pytest.fixture(autouse=True)
def settings(archive: str, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_operations(monkeypatch)
    monkeypatch.setenv("DATABASE_URL", archive)
    monkeypatch.setenv("ORCA_EXPORT__BUCKET", "exports")
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    monkeypatch.setenv("ORCA_QUEUES__Q__URL", "http://127.0.0.1:9/1/q.fifo")
    monkeypatch.setenv("ORCA_QUEUES__Q__ROUTE", "status_update")


def printed(*arguments: str) -> str:
    """Both streams of a command, the result first."""
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code in {0, 1}, result.output
    return result.stdout + "".join(f"(stderr) {line}\n" for line in result.stderr.splitlines())


def every_form(arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> str:
    parts = []
    for name, width in FORMS.items():
        monkeypatch.setattr(output, "terminal_width", lambda width=width: width)
        parts.append(f"==> {name} <==\n{printed(*arguments)}")
    return "\n".join(parts)


@pytest.mark.parametrize("name", [*LISTINGS, *NO_TABLES])
def test_a_listing_looks_like_this(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = every_form((LISTINGS | NO_TABLES)[name], monkeypatch)
    file = FOLDER / f"{name}.txt"
    if os.environ.get("WRITE_LISTINGS"):
        file.write_text(found, "utf-8")
        pytest.fail("written, not compared")
    assert found == file.read_text("utf-8")


@pytest.mark.parametrize("name", WHOLE)
def test_a_pipe_gets_whole_values(name: str) -> None:
    lines = CliRunner().invoke(app, LISTINGS[name]).stdout.splitlines()
    for value in WHOLE[name]:
        assert [line for line in lines if value in line], f"grep finds no {value}"
    assert "…" not in "".join(lines)


@pytest.mark.parametrize("name", LISTINGS)
def test_no_line_is_wider_than_eighty_columns_and_none_holds_control_characters(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "terminal_width", lambda: 80)
    lines = CliRunner().invoke(app, LISTINGS[name]).stdout.splitlines()
    # A word that is longer than a line is not broken, so that it can be copied.
    assert [line for line in lines if len(line) > 80 and len(line.split()) > 1] == []
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("name", LISTINGS)
def test_csv_has_a_line_for_each_row_under_the_names_of_the_json(name: str) -> None:
    kind = ("--kind", "orphan") if name == "report" else ()
    header, *_ = CliRunner().invoke(app, [*LISTINGS[name], *kind, "--csv"]).stdout.splitlines()
    names = header.split(",")
    assert len(names) > 3
    chosen = CliRunner().invoke(app, [*LISTINGS[name], *kind, "--csv", "--columns", f"{names[2]},{names[0]}"])
    assert chosen.stdout.splitlines()[0] == f"{names[2]},{names[0]}"


@pytest.mark.parametrize("name", [*KEYS, "reports"])
def test_json_has_an_envelope_around_the_keys_that_it_always_had(name: str) -> None:
    command = (LISTINGS | NO_TABLES)[name]
    document = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    kind = name.replace("-", " ")
    if name == "reports":
        assert {(each["kind"], each["format"], *KEYS["report"] - set(each)) for each in document} == {
            (kind, 1, "rows")
        }
    else:
        assert (document["kind"], document["format"]) == (kind, 1)
        assert KEYS[name] - set(document) == set()


@pytest.mark.parametrize("name", LISTINGS)
def test_wide_is_the_same_on_a_terminal_as_in_a_pipe(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    piped = CliRunner().invoke(app, LISTINGS[name]).stdout
    monkeypatch.setattr(output, "terminal_width", lambda: 80)
    assert CliRunner().invoke(app, [*LISTINGS[name], "--wide"]).stdout == piped


@pytest.mark.parametrize("name", LISTINGS)
def test_options_that_contradict_each_other_and_unknown_columns_are_wrong_usage(name: str) -> None:
    for options in (("--json", "--csv"), ("--json", "--columns", "status"), ("--columns", "nothing")):
        assert CliRunner().invoke(app, [*LISTINGS[name], *options]).exit_code == 2
    stderr = CliRunner().invoke(app, [*LISTINGS[name], "--columns", "nothing"]).stderr
    assert "there is no column 'nothing'; there are: " in stderr


def test_columns_are_chosen_by_name_or_heading_and_printed_in_this_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(output, "terminal_width", lambda: 60)
    lines = (
        CliRunner().invoke(app, ["jobs", "--columns", "failed, Status,REQUESTED,job-id"]).stdout.splitlines()
    )
    assert lines[0].split() == ["FAILED", "STATUS", "REQUESTED", "(UTC)", "JOB", "ID"]
    assert lines[-1].split() == ["0", "pending", "2026-11-27T22:30:00Z", OTHER_JOB]


def test_many_files_are_all_listed_in_a_pipe_and_the_first_of_them_above_a_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        recovery, "check_open_files", returning(OpenFiles(JOB, OPEN_FILES[:1] * 205, left_out=0))
    )
    command = ["recover", JOB, "--dry-run"]
    assert CliRunner().invoke(app, command).stdout.count(f"{GRANULE}.hdf  s3://") == 205
    monkeypatch.setattr(output, "terminal_width", lambda: 80)
    shown = CliRunner().invoke(app, command)
    assert (shown.stdout.count("can be copied"), "and 5 more files" in shown.stderr) == (200, True)
    assert CliRunner().invoke(app, [*command, "--wide"]).stdout.count("can be copied") == 205


def test_what_is_wrong_is_told_before_what_is_right(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output, "terminal_width", lambda: 80)
    right = [{"grade": "ok", "subject": f"queue q{n}", "text": f"{n}: {'fifo ' * 9}"} for n in range(12)]
    View().show(FINDINGS, [*right, {"grade": "wrong", "subject": "database", "text": f"down: {'why ' * 20}"}])
    _, _, sentences = capsys.readouterr().out.partition("\n\n")
    assert sentences.startswith("database: down")
