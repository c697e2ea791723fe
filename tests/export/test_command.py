"""`orca-daemon export`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result
from types_boto3_s3 import S3Client

from orca_daemon.cli import app
from tests.export.conftest import Source

Invoke = Callable[..., Result]


@pytest.fixture
def export_bucket(bucket: Callable[[], str]) -> str:
    return bucket()


@pytest.fixture
def invoke(
    source: Source, aws_endpoint: str, export_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Invoke:
    source.run("CREATE TABLE staff (id int, last_updated timestamptz DEFAULT now() - interval '1 hour')")
    source.run("INSERT INTO staff VALUES (1), (2)")
    config = tmp_path / "settings.toml"
    config.write_text(
        f'[export]\nbucket = "{export_bucket}"\n[export.tables.staff]\n[export.tables.absent]\n', "utf-8"
    )
    monkeypatch.setenv("ORCA_CONFIG", str(config))
    monkeypatch.setenv("DATABASE_URL", source.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_endpoint)
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    return lambda *arguments: CliRunner().invoke(app, ["export", *arguments])


def test_a_table_is_exported_and_reported(invoke: Invoke, s3: S3Client, export_bucket: str) -> None:
    result = invoke("staff", "--json")

    assert result.exit_code == 0
    reported = json.loads(result.stdout)
    (key,) = [entry["Key"] for entry in s3.list_objects_v2(Bucket=export_bucket)["Contents"]]
    assert reported["keys"] == {"staff": key}
    assert reported["tables"][0]["rows"] == 2


def test_a_dry_run_reports_what_would_be_written(invoke: Invoke, s3: S3Client, export_bucket: str) -> None:
    result = invoke("staff", "--dry-run")

    assert result.exit_code == 0
    assert "would be" in result.stdout
    assert f"s3://{export_bucket}/staff/" in result.stdout
    assert s3.list_objects_v2(Bucket=export_bucket)["KeyCount"] == 0


def test_a_start_can_be_given(invoke: Invoke) -> None:
    assert json.loads(invoke("staff", "--since", "30m", "--json").stdout)["tables"][0]["rows"] == 0
    assert json.loads(invoke("staff", "--since", "2h", "--json").stdout)["tables"][0]["rows"] == 2


def test_a_table_that_fails_is_exit_1_and_the_others_are_written(invoke: Invoke) -> None:
    result = invoke("absent", "staff")

    assert result.exit_code == 1
    assert "there is no table absent; the search path has staff" in result.stderr
    assert "/staff/" in result.stdout


def test_standard_error_has_the_failures_in_a_line_each_and_no_log_of_what_the_table_says(
    invoke: Invoke,
) -> None:
    assert invoke("staff").stderr == ""
    result = invoke("absent", "staff")
    assert result.stderr == "orca-daemon: absent: there is no table absent; the search path has staff\n"


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (["pg_authid"], "not to be exported"),
        (["staff", "--since", "20 June"], "is not a time; use ISO 8601, today, yesterday, or a span"),
        (["staff", "--since", "1h", "--full"], "contradict"),
        ([], "Missing argument"),
    ],
)
def test_mistakes_of_usage_are_exit_2(invoke: Invoke, arguments: list[str], output: str) -> None:
    result = invoke(*arguments)

    assert result.exit_code == 2
    assert output in result.stderr


def test_a_missing_export_bucket_is_an_error_in_the_settings(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ORCA_CONFIG")

    assert invoke("files").exit_code == 78
