"""`orca-daemon reconcile`, `reports` and `report`, with a real database and a real S3 endpoint."""

import csv
import io
import json
from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from orca_daemon.cli import app
from orca_daemon.cli.reports import DIFFERENCES
from tests.reconcile.archive import Archive, Filed, Listed
from tests.reconcile.conftest import archive

__all__ = ["archive"]
Invoke = Callable[..., Result]


@pytest.fixture
def invoke(database_url: str, aws_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_endpoint)
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("ORCA_RECONCILE__RACE_WINDOW", "0")
    return lambda *arguments: CliRunner().invoke(app, arguments)


def manifest(archive: Archive, *rows: Listed) -> str:
    pointer = archive.inventory(list(rows))
    return f"s3://{pointer.report_bucket_name}/{pointer.manifest_key}"


def test_a_comparison_prints_its_counts(archive: Archive, invoke: Invoke) -> None:
    archive.catalog([Filed("same"), Filed("lost")])

    result = invoke("reconcile", manifest(archive, Listed("same"), Listed("new")), "--json")

    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["job"] == 1
    assert document["bucket"] == "archive"
    assert document["reports"] == {"phantom": 1, "orphan": 1, "mismatch": 0}
    assert document["compared"]["matched"] == 1


def test_reports_of_a_comparison_are_listed_and_printed(archive: Archive, invoke: Invoke) -> None:
    archive.catalog([Filed("lost", granule="g-7")])
    url = manifest(archive, *(Listed(f"new{i}") for i in range(3)))
    assert "phantoms: catalogued, but not in S3" in invoke("reconcile", url).stdout

    listed = json.loads(invoke("reports", "--json").stdout)
    assert [(row["id"], row["status"], row["phantom"], row["orphan"]) for row in listed] == [
        (1, "success", 1, 3)
    ]
    assert invoke("reports", "--bucket", "another", "--json").stdout.strip() == "[]"
    assert "archive" in invoke("reports").stdout
    output = invoke("report", "1").stdout
    assert "lost" in output
    assert "new2" in output
    document = json.loads(invoke("report", "1", "--kind", "orphan", "--limit", "2", "--json").stdout)
    assert [row["key_path"] for row in document["rows"]["orphan"]] == ["new0", "new1"]
    rows = list(csv.DictReader(io.StringIO(invoke("report", "1", "--kind", "phantom", "--csv").stdout)))
    assert [(row["key_path"], row["granule_id"]) for row in rows] == [("lost", "g-7")]


def test_progress_is_shown_on_a_terminal(
    archive: Archive, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    archive.catalog([Filed("lost")])

    result = invoke("reconcile", manifest(archive, Listed("new")))

    assert result.exit_code == 0, result.stderr
    assert "fetching the listing" in result.stderr
    assert "reading the catalog" in result.stderr


def test_a_refused_inventory_is_reported_and_fails_the_job(archive: Archive, invoke: Invoke) -> None:
    archive.catalog([Filed("a")])

    result = invoke("reconcile", manifest(archive))

    assert result.exit_code == 1
    assert "it lists no object, but the catalog has 1" in result.stderr
    assert archive.job(1)[0] == 4
    assert invoke("reconcile", manifest(archive), "--allow-empty").exit_code == 0


def test_a_listing_that_orca_stored_is_compared_by_the_id_of_its_job(
    archive: Archive, invoke: Invoke
) -> None:
    archive.stored(1, [("a", '"e"', 10, False)], status=2)

    assert invoke("reconcile", "1", "--bucket", "archive").exit_code == 0
    assert archive.orphans(1) == {"a"}


def test_a_listing_that_orca_still_loads_is_refused_and_its_job_goes_on(
    archive: Archive, invoke: Invoke
) -> None:
    archive.stored(1, [("a", '"e"', 10, False)], status=1)

    result = invoke("reconcile", "1", "--bucket", "archive")

    assert (result.exit_code, result.stderr) == (1, "orca-daemon: the listing of job 1 is not complete\n")
    assert archive.job(1)[0] == 1


def test_the_reports_of_an_inventory_stay_if_its_job_is_compared_as_a_listing_that_orca_stored(
    archive: Archive, invoke: Invoke
) -> None:
    archive.catalog([Filed("same"), Filed("lost")])
    assert invoke("reconcile", manifest(archive, Listed("same"), Listed("new"))).exit_code == 0
    before = (archive.job(1), archive.phantoms(1), archive.orphans(1))

    refused = [
        invoke("reconcile", "1", "--bucket", "archive"),
        invoke("reconcile", "1", "--bucket", "archive", "--allow-empty"),
    ]

    for result in refused:
        assert result.exit_code == 1
        assert result.stderr.startswith("orca-daemon: Postgres has no listing of job 1: ")
        assert "orca-daemon reconcile s3://BUCKET/…/manifest.json" in result.stderr
        assert "allow" not in result.stderr
    assert (archive.job(1), archive.phantoms(1), archive.orphans(1)) == before
    assert before[1:] == ({"lost"}, {"new"})


@pytest.mark.parametrize("status", [2, 3, 4, 5], ids=["staged", "generating reports", "error", "success"])
def test_a_stored_listing_without_rows_is_not_an_empty_bucket_and_changes_no_job(
    archive: Archive, invoke: Invoke, status: int
) -> None:
    archive.catalog([Filed("a")])
    archive.stored(1, [], status=status)
    before = archive.job(1)

    assert invoke("reconcile", "1", "--bucket", "archive", "--allow-empty").exit_code == 1
    assert (archive.job(1), archive.phantoms(1)) == (before, set())


@pytest.mark.parametrize(
    "arguments",
    [
        ("reconcile", "reports/manifest.json"),
        ("reconcile", "s3://b/other.json"),
        ("reconcile", "7"),
        ("report", "1", "--csv"),
        ("report", "1", "--csv", "--kind", "phantom", "--json"),
    ],
)
def test_wrong_usage_exits_2(invoke: Invoke, arguments: tuple[str, ...]) -> None:
    assert invoke(*arguments).exit_code == 2


def test_an_empty_list_says_what_is_not_there(archive: Archive, invoke: Invoke) -> None:
    nothing = invoke("reports")
    assert (nothing.stdout, nothing.stderr.partition(":")[0]) == ("", "There are no comparisons yet")
    archive.catalog([Filed("same")])
    assert invoke("reconcile", manifest(archive, Listed("same"))).exit_code == 0
    assert invoke("reports", "--bucket", "b").stderr == "No comparison of the bucket b.\n"
    assert invoke("report", "1").stderr == "The bucket and the catalog agree: no differences.\n"
    assert invoke("report", "1", "--kind", "phantom").stderr == "The report has no phantom.\n"


def test_the_columns_of_a_report_are_those_that_the_database_returns(
    archive: Archive, invoke: Invoke
) -> None:
    archive.catalog([Filed("lost"), Filed("other", size=1)])
    url = manifest(archive, Listed("new"), Listed("other", size=2))
    assert invoke("reconcile", url).exit_code == 0
    for kind, columns in DIFFERENCES.items():
        rows = json.loads(invoke("report", "1", "--kind", kind, "--json").stdout)["rows"][kind]
        assert list(rows[0]) == [column.name for column in columns]


def test_a_report_that_is_not_whole_says_so(archive: Archive, invoke: Invoke) -> None:
    assert invoke("reconcile", manifest(archive, *(Listed(f"new{i}") for i in range(3)))).exit_code == 0
    result = invoke("report", "1", "--limit", "2")
    assert "2 of 3 are shown; --limit 0 shows all" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("s3://…/manifest.json",), "not a valid manifest: report_bucket_name is not the name of a bucket"),
        (("s3://b/x.json",), "manifest_key does not end in a file named manifest.json"),
        (("reports/manifest.json",), "'reports/manifest.json' is not of the form s3://bucket/key"),
        (("s3://b/manifest.json", "--region", "?"), "report_bucket_region is not the name of a region"),
        (("1", "--bucket", ".."), "not a valid job: orca_archive_location is not the name of a bucket"),
        (("9" * 30, "--bucket", "b-1"), "not a valid job: job_id is too large"),
    ],
    ids=["bucket", "key", "URL", "region", "bucket of a job", "id"],
)
def test_what_cannot_be_compared_is_named_in_our_words(
    invoke: Invoke, arguments: tuple[str, ...], reason: str
) -> None:
    result = invoke("reconcile", *arguments)

    assert result.exit_code == 2
    assert reason in " ".join(result.stderr.split())


def test_an_unknown_job_exits_1(invoke: Invoke) -> None:
    result = invoke("report", "7")

    assert (result.exit_code, result.stderr) == (1, "orca-daemon: no job 7\n")


KEYS = ["=cmd|'/C calc'!A0", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "plain", "esc\x1b[2J"]


def test_csv_has_no_formulas_and_json_is_exact(archive: Archive, invoke: Invoke) -> None:
    url = manifest(archive, *(Listed(key) for key in KEYS))
    assert invoke("reconcile", url).exit_code == 0

    exact = json.loads(invoke("report", "1", "--kind", "orphan", "--json").stdout)
    output = invoke("report", "1", "--kind", "orphan", "--csv").stdout

    assert {row["key_path"] for row in exact["rows"]["orphan"]} == set(KEYS)
    keys = {row["key_path"] for row in csv.DictReader(io.StringIO(output, newline=""))}
    assert keys == {f"'{key}" for key in KEYS[:6]} | set(KEYS[6:])
