"""The stage in S3 and in a directory: files go there, differences come back, and nothing is left."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from orca_daemon.aws.clients import connect
from orca_daemon.reconcile.stage import Stage
from orca_daemon.settings import Settings

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


def _file(folder: Path, text: bytes) -> Path:
    path = folder / "part"
    path.write_bytes(text)
    return path


def _read(paths: list[Path]) -> list[bytes]:
    return [path.read_bytes() for path in paths]


async def test_a_stage_in_s3_is_filled_read_and_emptied(
    settings: Settings, s3: "S3Client", bucket: Callable[[], str], tmp_path: Path
) -> None:
    name = bucket()
    s3.put_object(Bucket=name, Key="reconcile/another/file", Body=b"")
    part = _file(tmp_path, b"rows")
    async with connect(settings) as clients:
        stage = Stage(clients.s3, f"s3://{name}/reconcile/one")
        await stage.put(part, "catalog/0.parquet")
        for key, body in (("1.parquet", b"one"), ("0.parquet", b"zero"), ("_SUCCESS", b"")):
            s3.put_object(Bucket=name, Key=f"reconcile/one/differences/{key}", Body=body)

        assert s3.get_object(Bucket=name, Key="reconcile/one/catalog/0.parquet")["Body"].read() == b"rows"
        assert _read(await stage.differences(tmp_path)) == [b"zero", b"one"]
        await stage.clear()

    left = [entry["Key"] for entry in s3.list_objects_v2(Bucket=name)["Contents"]]
    assert left == ["reconcile/another/file"]


async def test_a_stage_in_a_directory_is_filled_read_and_emptied(tmp_path: Path) -> None:
    base = tmp_path / "a b"
    part = _file(tmp_path, b"rows")
    stage = Stage(None, f"{base.as_uri()}/one")
    await stage.put(part, "differences/0.parquet")

    assert _read(await stage.differences(tmp_path)) == [b"rows"]
    await stage.clear()

    assert [path.name for path in base.iterdir()] == []


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "spark_remote"),
        ({"spark_remote": "sc://host"}, "stage"),
        ({"spark_remote": "sc://host", "stage": "/a/path"}, "stage"),
    ],
    ids=["no server", "no stage", "a stage that is no URL"],
)
def test_spark_needs_a_server_and_a_stage(options: dict[str, str], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Settings.model_validate({"reconcile": {"engine": "spark", **options}})
