"""`orca-daemon copy` over a real S3 endpoint."""

import json
from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result
from types_boto3_s3 import S3Client

from orca_daemon.cli import app

MakeBucket = Callable[[], str]


@pytest.fixture
def invoke(aws_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_endpoint)
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    return lambda *arguments: CliRunner().invoke(app, ["copy", *arguments])


def test_a_copy_is_made_once_and_reported(
    s3: S3Client, bucket: MakeBucket, invoke: Callable[..., Result]
) -> None:
    archive, destination = bucket(), bucket()
    s3.put_object(Bucket=archive, Key="d/a b+c.h5", Body=b"granule")
    source, target = f"s3://{archive}/d/a b+c.h5", f"s3://{destination}/x.h5"
    result = invoke(source, target)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"copied 7 bytes to {target} by one request in ")
    assert result.stdout.endswith("verified by CRC32\n")
    second = invoke(source, target, "--json")
    assert json.loads(second.stdout) == {
        "kind": "copy",
        "format": 1,
        "source": source,
        "target": target,
        "size": 7,
        "parts": 0,
        "skipped": True,
        "by": "CRC32",
        "seconds": 0.0,
    }


def test_a_failed_copy_is_reported_in_one_line(bucket: MakeBucket, invoke: Callable[..., Result]) -> None:
    name = bucket()
    result = invoke(f"s3://{name}/missing", f"s3://{name}/k")
    assert (result.exit_code, result.stderr) == (1, f"orca-daemon: s3://{name}/missing does not exist\n")


def test_the_error_of_a_forbidden_bucket_names_the_setting(
    bucket: MakeBucket, invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCA_EXPORT__BUCKET", "exports")
    monkeypatch.setenv("ORCA_COPIES__TARGETS", "public")
    for source, target, refusal in (
        ("s3://exports/k", "s3://public/k", "copied from exports: it holds exports (export.bucket)"),
        ("s3://a/k", "s3://b/k", "copied to b: copies.targets does not name it"),
    ):
        result = invoke(source, target)
        assert (result.exit_code, result.stderr) == (1, f"orca-daemon: nothing is {refusal}\n")


@pytest.mark.parametrize("key", ["k" * 1025, "k\udcff"], ids=["too long", "not UTF-8"])
def test_a_key_that_s3_refuses_is_wrong_usage(invoke: Callable[..., Result], key: str) -> None:
    result = invoke("s3://a/k", f"s3://b/{key}")
    assert result.exit_code == 2
    assert "the key of" in result.stderr


def test_an_argument_that_is_not_a_url_is_wrong_usage(invoke: Callable[..., Result]) -> None:
    result = invoke("d/g.h5", "s3://b/k")
    assert result.exit_code == 2
    assert "is not of the form s3://bucket/key" in result.stderr


def test_an_endpoint_that_is_not_a_url_is_a_wrong_setting(
    invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nowhere")
    result = invoke("s3://a/k", "s3://b/k")
    assert result.exit_code == 78
    assert result.stderr == "orca-daemon: AWS cannot be used as it is set up: Invalid endpoint: nowhere\n"
